//! Who is who: what a request counts as, and that an identifier reaches only its own keys.

mod support;

use axum::extract::ConnectInfo;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use millpond::limit::{Caller, ClientAddress, Limit, client_address, identifier};
use millpond::{Millpond, Reply};
use millpond_gateway::needs_redis;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use support::gateway;

const MINUTE: Duration = Duration::from_secs(60);

fn request(name: &'static str, lines: &[&[u8]]) -> Parts {
    let (mut parts, ()) = axum::http::Request::new(()).into_parts();
    let peer = SocketAddr::from(([10, 0, 0, 1], 4711));
    parts.extensions.insert(ConnectInfo(peer));
    let mut headers = HeaderMap::new();
    for line in lines {
        let value = HeaderValue::from_bytes(line).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    parts.headers = headers;
    parts
}

#[test]
fn x_forwarded_for_is_taken_apart_by_entry() {
    let rows: &[(&[&[u8]], usize, &str)] = &[
        (&[b"6.6.6.6, 203.0.113.9"], 0, "10.0.0.1"),
        (&[b"6.6.6.6, 203.0.113.9"], 1, "203.0.113.9"),
        (&[b"203.0.113.9, 10.0.0.2"], 2, "203.0.113.9"),
        (&[b"203.0.113.9"], 2, "10.0.0.1"),
        (&[], 1, "10.0.0.1"),
        (&[b"6.6.6.6", b"203.0.113.9, 10.0.0.2"], 2, "203.0.113.9"),
        (&[b"6.6.6.6\xff, 203.0.113.9"], 1, "203.0.113.9"),
        (&[b"6.6.6.6\xff, 203.0.113.9, 10.0.0.2"], 2, "203.0.113.9"),
        (&[b"\xff", b"203.0.113.9"], 1, "203.0.113.9"),
        (&[b",,, 203.0.113.9"], 1, "203.0.113.9"),
        (&[b"203.0.113.9,,10.0.0.2"], 2, "10.0.0.2"),
        (&[b"unknown, 10.0.0.2"], 2, "10.0.0.2"),
        (&[b"example.org"], 1, "10.0.0.1"),
        (&[b"203.0.113.9:4711"], 1, "203.0.113.9"),
        (&[b"203.0.113.9:99999"], 1, "10.0.0.1"),
        (&[b"[2001:db8:1:2::1]:443"], 1, "2001:db8:1:2::/64"),
        (&[b"2001:DB8:1:2:0::1"], 1, "2001:db8:1:2::/64"),
        (&[b"2001:db8:1:2:3:4:5:6"], 1, "2001:db8:1:2::/64"),
        (&[b"[fe80::1%25eth0]:80"], 1, "fe80::/64"),
        (&[b"::ffff:203.0.113.9"], 1, "203.0.113.9"),
        (&[b"[::ffff:cb00:7109]:80"], 1, "203.0.113.9"),
        (&[b"\"203.0.113.9\""], 1, "203.0.113.9"),
        (&[b"203.0.113.9%eth0"], 1, "10.0.0.1"),
        (&[b"::1"], 1, "::/64"),
        (&[b"0.0.0.0"], 1, "10.0.0.1"),
        (&[b"::"], 1, "10.0.0.1"),
    ];
    for (lines, hops, expected) in rows {
        let request = request("x-forwarded-for", lines);
        let caller = ClientAddress::behind(*hops);
        let found = caller.identify(&request).unwrap();
        assert_eq!(&found, expected, "{lines:?} behind {hops}");
        assert_eq!(identifier(None, caller.of(&request)), *expected);
        let peer = IpAddr::from([10, 0, 0, 1]);
        let by_hand = client_address(lines.iter(), peer, *hops);
        assert_eq!(identifier(None, Some(by_hand)), *expected);
    }
}

#[test]
fn forwarded_is_parsed_strictly() {
    let rows: &[(&[&[u8]], usize, &str)] = &[
        (
            &[b"for=203.0.113.9;proto=https;by=10.0.0.2"],
            1,
            "203.0.113.9",
        ),
        (
            &[b"For=\"[2001:db8:1:2::17]:4711\""],
            1,
            "2001:db8:1:2::/64",
        ),
        (&[b"for=6.6.6.6, for=203.0.113.9"], 1, "203.0.113.9"),
        (&[b"for=6.6.6.6", b"for=203.0.113.9"], 1, "203.0.113.9"),
        (&[b"for=unknown, for=10.0.0.2"], 2, "10.0.0.2"),
        (&[b"for=_hidden"], 1, "10.0.0.1"),
        (&[b"proto=https"], 1, "10.0.0.1"),
        (&[b"for=203.0.113.9:80"], 1, "203.0.113.9"),
        (&[b"for=2001:db8::1"], 1, "2001:db8::/64"),
        // An open quote must not swallow what the proxy appended.
        (&[b"for=\"6.6.6.6", b"for=203.0.113.9"], 1, "10.0.0.1"),
        (&[b"for=\"6.6.6.6", b"for=\"203.0.113.9\""], 1, "10.0.0.1"),
        (
            &[b"for=6.6.6.6;host=\"a, for=6.6.6.7\", for=203.0.113.9"],
            2,
            "6.6.6.6",
        ),
        (&[b"for=203.0.113.9;host=\"a,b\""], 1, "203.0.113.9"),
        (&[b"for=6.6.6.6;for=203.0.113.9"], 1, "10.0.0.1"),
        (&[b"nonsense, for=203.0.113.9"], 1, "10.0.0.1"),
        (&[b"for=\"203.0.113.9\\\""], 1, "10.0.0.1"),
        (&[b", for=203.0.113.9"], 1, "203.0.113.9"),
        (&[b"for = 203.0.113.9"], 1, "10.0.0.1"),
        (&[b"for=203.0.113.9"], 0, "10.0.0.1"),
    ];
    for (lines, hops, expected) in rows {
        let request = request("forwarded", lines);
        let found = ClientAddress::forwarded(*hops).identify(&request).unwrap();
        let text: Vec<_> = lines
            .iter()
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        assert_eq!(&found, expected, "{text:?} behind {hops}");
    }
}

#[test]
fn a_header_of_the_provider_counts_where_it_stands_alone() {
    let cloudflare = ClientAddress::header("CF-Connecting-IP");
    let found = |lines: &[&[u8]]| {
        cloudflare
            .identify(&request("cf-connecting-ip", lines))
            .unwrap()
    };
    assert_eq!(found(&[b"203.0.113.9"]), "203.0.113.9");
    assert_eq!(found(&[b"2001:db8::17"]), "2001:db8::/64");
    assert_eq!(found(&[]), "10.0.0.1");
    assert_eq!(found(&[b"6.6.6.6", b"203.0.113.9"]), "10.0.0.1");
    assert_eq!(found(&[b"me"]), "10.0.0.1");
}

#[test]
fn the_prefix_of_ipv6_and_the_peer_are_choices_of_the_service() {
    let wide = ClientAddress::behind(1).ipv6_prefix(48);
    let request = request("x-forwarded-for", &[b"2001:db8:1:2::1"]);
    assert_eq!(wide.identify(&request).unwrap(), "2001:db8:1::/48");
    assert_eq!(
        wide.ipv6_prefix(128).identify(&request).unwrap(),
        "2001:db8:1:2::1/128"
    );
    assert_eq!(wide.ipv6_prefix(0).identify(&request).unwrap(), "::/0");
    let elsewhere = ClientAddress::direct().peer(|_| Some(IpAddr::from([192, 0, 2, 1])));
    assert_eq!(elsewhere.identify(&request).unwrap(), "192.0.2.1");

    let (mut mocked, ()) = axum::http::Request::new(()).into_parts();
    assert_eq!(ClientAddress::direct().of(&mocked), None);
    let peer = SocketAddr::from(([192, 0, 2, 7], 1));
    mocked.extensions.insert(MockConnectInfo(peer));
    assert_eq!(
        ClientAddress::direct().identify(&mocked).unwrap(),
        "192.0.2.7"
    );
    mocked
        .extensions
        .insert(ConnectInfo(SocketAddr::from(([0, 0, 0, 0], 1))));
    assert_eq!(
        ClientAddress::direct().of(&mocked),
        None,
        "unspecified is none"
    );
}

#[test]
fn users_addresses_and_nobody_share_nothing() {
    let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
    for (user, address, expected) in [
        (Some("42"), None, "42"),
        (Some("203.0.113.9"), None, "user:203.0.113.9"),
        (Some("2001:db8::/64"), None, "user:2001:db8::/64"),
        (Some("anonymous"), None, "user:anonymous"),
        (Some("user:7"), None, "user:user:7"),
        (Some(""), address("2001:db8::1"), "2001:db8::/64"),
        (None, address("::ffff:1.2.3.4"), "1.2.3.4"),
        (None, None, "anonymous"),
    ] {
        assert_eq!(identifier(user, address), expected);
    }
}

const AUTH: Limit = millpond::limit::AUTH;
const BUCKET: Limit = Limit::token_bucket("TOKENS", 1, MINUTE, 5);
const DEFAULT: Limit = Limit::sliding_window("DEFAULT", 5, MINUTE).under("@upstash/ratelimit");
const DEFAULT_BUCKET: Limit =
    Limit::token_bucket("DEFAULT", 1, MINUTE, 5).under("@upstash/buckets");

/// The names of the keys that a check of this identifier makes.
#[tokio::test]
async fn an_identifier_reaches_only_its_own_keys() {
    let gateway = gateway(needs_redis!()).await;
    let database = needs_redis!().database();
    let over_rest = Millpond::builder().upstash(gateway.url(), gateway.token());
    for builder in [
        over_rest.limit_analytics(true),
        Millpond::builder()
            .redis(database.url())
            .limit_analytics(true),
        Millpond::builder().memory().limit_analytics(true),
    ] {
        let pond = builder
            .limit_budget(Duration::from_secs(5))
            .build()
            .unwrap();
        // The victim's budget, and everybody's limit.
        let victim = pond.limiter(&AUTH);
        victim.check_n("victim", 2).await.unwrap();
        for id in [
            "AUTH:victim",
            "AUTH",
            "dynamic:global",
            "denyList:all",
            "ipDenyListStatus",
        ] {
            let decision = pond.limiter(&DEFAULT).check_n(id, 5).await.unwrap();
            assert!(decision.is_allowed(), "{id}");
        }
        assert_eq!(victim.peek("victim").await.unwrap().remaining(), Some(3));
        let dynamic = pond
            .command(["EXISTS", "@upstash/ratelimit:dynamic:global"])
            .await;
        assert_eq!(dynamic.unwrap(), Reply::Int(0));

        // A bucket in the place of a window, and in that of analytics.
        let hour = 3_600_000 * (std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() / 3_600_000);
        for (limit, prefix) in [
            (BUCKET, "@upstash/ratelimit:TOKENS"),
            (DEFAULT_BUCKET, "@upstash/buckets"),
        ] {
            for id in [
                "u:29927235",
                &format!("events:{hour}"),
                "events",
                "dynamic:global",
            ] {
                let decision = pond.limiter(&limit).check(id).await.unwrap();
                assert_eq!(decision.remaining(), Some(4), "{id}");
                let own = pond
                    .command(["EXISTS".to_owned(), format!("{prefix}:{id}")])
                    .await;
                if id != format!("events:{hour}") {
                    assert_eq!(own.unwrap(), Reply::Int(0), "{id}");
                }
            }
        }
        pond.flush().await.unwrap();
        assert_eq!(pond.stats().limits.events_lost, 0);
    }
}
