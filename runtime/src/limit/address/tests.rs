use super::{client_address, identifier};
use std::net::IpAddr;

fn client(forwarded: &[&str], hops: usize) -> String {
    let peer = IpAddr::from([10, 0, 0, 1]);
    client_address(forwarded, peer, hops).to_string()
}

#[test]
fn only_the_stated_number_of_hops_is_believed() {
    let header = ["1.1.1.1, 2.2.2.2, 3.3.3.3"];
    assert_eq!(client(&header, 0), "10.0.0.1");
    assert_eq!(client(&header, 1), "3.3.3.3");
    assert_eq!(client(&header, 2), "2.2.2.2");
    assert_eq!(client(&header, 3), "1.1.1.1");
}

#[test]
fn a_request_that_went_around_the_proxies_counts_as_its_peer() {
    assert_eq!(client(&["6.6.6.6"], 2), "10.0.0.1");
    assert_eq!(client(&[], 1), "10.0.0.1");
    assert_eq!(client(&["6.6.6.6"], usize::MAX), "10.0.0.1");
}

#[test]
fn entries_may_have_ports_brackets_quotes_and_zones() {
    for (entry, address) in [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("\"[2001:db8::1]:443\"", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9\t", "203.0.113.9"),
    ] {
        assert_eq!(client(&[entry], 1), address, "{entry}");
    }
}

#[test]
fn what_is_no_address_gives_way_to_the_next_nearer_proxy() {
    assert_eq!(client(&["unknown, 10.0.0.2"], 2), "10.0.0.2");
    for odd in [
        "",
        ",",
        "unknown",
        "[::1",
        "[::1]x",
        "[1.2.3.4]",
        "1.2.3.4:",
        "1.2.3.4:99999",
        "0.0.0.0",
        "::",
        "203.0.113.9%eth0",
        "\"203.0.113.9",
    ] {
        assert_eq!(client(&[odd], 1), "10.0.0.1", "{odd}");
    }
}

#[test]
fn users_addresses_and_nobody_share_nothing() {
    let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
    for (user, address, expected) in [
        (Some("42"), None, "42"),
        (Some("203.0.113.9"), None, "user:203.0.113.9"),
        (Some("2001:DB8::/64"), None, "user:2001:DB8::/64"),
        (Some("anonymous"), None, "user:anonymous"),
        (Some("user:7"), None, "user:user:7"),
        (Some("ada/64"), None, "ada/64"),
        (Some(""), address("2001:db8::1"), "2001:db8::/64"),
        (None, address("::ffff:1.2.3.4"), "1.2.3.4"),
        (None, address("::1"), "::/64"),
        (None, address("0.0.0.0"), "anonymous"),
        (None, None, "anonymous"),
    ] {
        assert_eq!(identifier(user, address), expected);
    }
}
