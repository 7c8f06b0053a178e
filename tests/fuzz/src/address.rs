//! Who a request comes from: headers that anybody can send.

use http::{HeaderName, HeaderValue, Request};
use millpond::limit::{ClientAddress, client_address, identifier, network};
use std::net::{IpAddr, SocketAddr};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

/// What a client writes in front of what the proxies appended changes nothing.
pub fn run(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    let hops = usize::from(first % 4);
    let lines: Vec<&[u8]> = rest.split(|&byte| byte == b'\n').collect();
    let (forged, told) = lines.split_at(lines.len() / 2);
    let entries = |lines: &[&[u8]]| {
        lines
            .iter()
            .map(|line| line.split(|&byte| byte == b',').count())
            .sum::<usize>()
    };
    let found = client_address(told, PEER, hops);
    assert!(!found.is_unspecified(), "{found}");
    assert_eq!(found, found.to_canonical());
    assert_eq!(client_address(told, PEER, 0), PEER);
    if entries(told) >= hops {
        assert_eq!(client_address(&lines, PEER, hops), found);
    }
    let user = String::from_utf8_lossy(rest);
    let named = identifier(Some(&user), None);
    let nobody = identifier(None, None);
    for address in [found, PEER] {
        // No user is taken for an address, and no address for a user.
        assert!(user.is_empty() || named != network(address, 64), "{named}");
    }
    assert!(user.is_empty() || named != nobody, "{named}");
    for name in ["x-forwarded-for", "forwarded", "cf-connecting-ip"] {
        header(name, hops, told, forged);
    }
}

fn header(name: &'static str, hops: usize, told: &[&[u8]], forged: &[&[u8]]) {
    let caller = match name {
        "x-forwarded-for" => ClientAddress::behind(hops),
        "forwarded" => ClientAddress::forwarded(hops),
        name => ClientAddress::header(name),
    };
    let found = of(caller, name, told);
    assert!(!found.is_unspecified(), "{found}");
    if name == "forwarded" && hops > 0 {
        // One that is sound changes nothing, if the proxies said as much as they do.
        let sound: [&[u8]; 1] = [b"for=6.6.6.6"];
        let with_it = of(caller, name, &[&sound, told].concat());
        assert!(
            with_it == found || with_it == IpAddr::from([6, 6, 6, 6]),
            "{with_it}, not {found}"
        );
    }
    let with_all = of(caller, name, &[forged, told].concat());
    assert!(!with_all.is_unspecified(), "{with_all}");
}

fn of(caller: ClientAddress, name: &'static str, lines: &[&[u8]]) -> IpAddr {
    let (mut head, ()) = Request::new(()).into_parts();
    head.extensions.insert(SocketAddr::from((PEER, 4711)));
    for line in lines {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            head.headers.append(HeaderName::from_static(name), value);
        }
    }
    caller.of(&head).expect("the peer is known")
}
