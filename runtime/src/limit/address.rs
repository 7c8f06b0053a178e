//! Who is limited: a user, else an address that cannot be forged.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A site usually has 64 bits of IPv6 to itself: whoever counted single addresses would give each caller 2^64 budgets.
pub(super) const IPV6_PREFIX: u8 = 64;

/// The identifier of a caller: the user if there is one, else the network of the address, else `anonymous`, which
/// all such callers share.
///
/// An IPv4 address is its own network; an IPv6 address counts by its first 64 bits, see [`network`]. A user who is
/// called like an address, like a network or `anonymous`, or whose name begins with `user:`, gets `user:` in front,
/// and so shares a budget with nobody else; other names stay as they are. In TypeScript the same identifiers are
/// `user`, the IPv4 address, or the network in the form of RFC 5952 and `/64`.
///
/// Authenticate first: an API key or a user name that nobody has checked is a free identity, and each one that is
/// made up has a budget of its own.
///
/// ```
/// use millpond::limit::identifier;
///
/// let address = "2001:db8:1:2::17".parse().ok();
/// assert_eq!(identifier(Some("user-42"), address), "user-42");
/// assert_eq!(identifier(None, address), "2001:db8:1:2::/64");
/// assert_eq!(identifier(Some("203.0.113.9"), None), "user:203.0.113.9");
/// assert_eq!(identifier(Some(""), None), "anonymous");
/// ```
pub fn identifier(user_id: Option<&str>, address: Option<IpAddr>) -> String {
    let address = address.filter(|address| !address.to_canonical().is_unspecified());
    match (user_id.filter(|id| !id.is_empty()), address) {
        (Some(id), _) if is_ambiguous(id) => format!("user:{id}"),
        (Some(id), _) => id.to_owned(),
        (None, Some(address)) => network(address, IPV6_PREFIX),
        (None, None) => ANONYMOUS.to_owned(),
    }
}

/// What those are called who have neither a name nor an address.
pub(super) const ANONYMOUS: &str = "anonymous";

/// Whether a user of this name would be taken for something else.
fn is_ambiguous(id: &str) -> bool {
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let is_network = || {
        id.split_once('/')
            .is_some_and(|(address, bits)| is_address(address) && bits.parse::<u8>().is_ok())
    };
    id == ANONYMOUS || id.starts_with("user:") || is_address(id) || is_network()
}

/// What an address counts as: an IPv4 address (or one that is mapped into IPv6) as itself, an IPv6 address as its
/// first `ipv6_prefix` bits.
///
/// ```
/// use millpond::limit::network;
///
/// assert_eq!(network("2001:db8:1:2ff::17".parse()?, 56), "2001:db8:1:200::/56");
/// assert_eq!(network("::ffff:203.0.113.9".parse()?, 56), "203.0.113.9");
/// # Ok::<_, std::net::AddrParseError>(())
/// ```
pub fn network(address: IpAddr, ipv6_prefix: u8) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let prefix = ipv6_prefix.min(128);
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            let network = Ipv6Addr::from_bits(address.to_bits() & mask);
            format!("{network}/{prefix}")
        }
    }
}

/// The address of the client behind `trusted_hops` proxies of yours, each of which appends the
/// address of who called it to `X-Forwarded-For`. `forwarded` is the values of that header in the
/// order in which they came, as text or bytes; `peer` is who opened the connection.
///
/// Anyone can send the header. So only what the stated number of proxies appended is believed: with
/// 0 hops nothing is, and if the header is shorter than that, the request did not come through
/// them, and the peer counts. Entries may have ports, brackets and zones; one that is no address
/// gives way to the next nearer proxy. An address that is mapped into IPv6 is given as IPv4.
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
pub fn client_address<I>(forwarded: I, peer: IpAddr, trusted_hops: usize) -> IpAddr
where
    I: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut entries = Vec::new();
    for line in forwarded {
        // An entry that is broken is broken alone.
        let line = line.as_ref().split(|byte| *byte == b',');
        entries.extend(line.map(parse));
    }
    nearest(&entries, peer, trusted_hops)
}

/// The farthest entry that the trusted proxies vouch for, or the next nearer one that is an address.
pub(super) fn nearest(entries: &[Option<IpAddr>], peer: IpAddr, trusted_hops: usize) -> IpAddr {
    let client = match entries.len().checked_sub(trusted_hops) {
        Some(first_trusted) => entries[first_trusted..].iter().find_map(|entry| *entry),
        None => None,
    };
    client.unwrap_or(peer).to_canonical()
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`, `fe80::1%eth0`, and each in quotes.
pub(super) fn parse(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?.trim();
    let entry = match entry.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => entry,
    };
    // Zones are of IPv6 alone.
    let ipv6 = |text: &str| {
        let address = text.split('%').next().unwrap_or_default();
        address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let address = if let Some(rest) = entry.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port_is_sound = port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok());
        ipv6(address).filter(|_| port_is_sound)
    } else {
        let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
        entry
            .parse()
            .ok()
            .or_else(|| ipv6(entry))
            .or_else(with_port)
    };
    address.filter(|address| !address.to_canonical().is_unspecified())
}

#[cfg(test)]
mod tests;
