//! Who is limited: a user, else an address that cannot be forged.

use std::net::{IpAddr, SocketAddr};

/// The identifier of a caller: the user if there is one, else the address, else `anonymous`, which
/// all such callers share.
///
/// ```
/// use millpond::limit::identifier;
///
/// let address = "2001:db8::1".parse().ok();
/// assert_eq!(identifier(Some("user-42"), address), "user-42");
/// assert_eq!(identifier(None, address), "2001:db8::1");
/// assert_eq!(identifier(Some(""), None), "anonymous");
/// ```
pub fn identifier(user_id: Option<&str>, address: Option<IpAddr>) -> String {
    match (user_id.filter(|id| !id.is_empty()), address) {
        (Some(id), _) => id.to_owned(),
        (None, Some(address)) => address.to_canonical().to_string(),
        (None, None) => "anonymous".to_owned(),
    }
}

/// The address of the client behind `trusted_hops` proxies of yours, each of which appends the
/// address of who called it to `X-Forwarded-For`. `forwarded` is the values of that header in the
/// order in which they came; `peer` is who opened the connection.
///
/// Anyone can send the header. So only what the stated number of proxies appended is believed: with
/// 0 hops nothing is, and if the header is shorter than that, the request did not come through
/// them, and the peer counts. Entries may have ports, brackets and zones; one that is no address
/// gives way to the next nearer proxy.
///
/// ```
/// use millpond::limit::client_address;
///
/// let proxy = "10.0.0.7".parse()?;
/// let forwarded = ["6.6.6.6, 203.0.113.9"]; // the client claims to be 6.6.6.6
/// assert_eq!(client_address(forwarded, proxy, 1).to_string(), "203.0.113.9");
/// assert_eq!(client_address(forwarded, proxy, 0), proxy);
/// # Ok::<_, std::net::AddrParseError>(())
/// ```
pub fn client_address<'a>(
    forwarded: impl IntoIterator<Item = &'a str>,
    peer: IpAddr,
    trusted_hops: usize,
) -> IpAddr {
    let entries: Vec<&str> = forwarded
        .into_iter()
        .flat_map(|value| value.split(','))
        .collect();
    let client = match entries.len().checked_sub(trusted_hops) {
        Some(first_trusted) => entries[first_trusted..]
            .iter()
            .find_map(|entry| parse(entry)),
        None => None,
    };
    client.unwrap_or(peer).to_canonical()
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`, `fe80::1%eth0`, and each in quotes.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    let unzoned = |text: &str| text.split('%').next().and_then(|text| text.parse().ok());
    if let Some(rest) = entry.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_is_sound = port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok());
        return unzoned(address).filter(|address: &IpAddr| address.is_ipv6() && port_is_sound);
    }
    unzoned(entry).or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::client_address;
    use std::net::IpAddr;

    fn client(forwarded: &[&str], hops: usize) -> String {
        let peer = IpAddr::from([10, 0, 0, 1]);
        client_address(forwarded.iter().copied(), peer, hops).to_string()
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
    fn header_lines_are_joined_in_their_order() {
        assert_eq!(
            client(&["6.6.6.6", "203.0.113.9, 10.0.0.2"], 2),
            "203.0.113.9"
        );
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
        ] {
            assert_eq!(client(&[odd], 1), "10.0.0.1", "{odd}");
        }
    }
}
