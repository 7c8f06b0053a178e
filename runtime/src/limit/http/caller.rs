//! Who makes a request.

use super::forwarded;
use crate::hex::hex;
use crate::limit::address::{self, IPV6_PREFIX, client_address, network};
use crate::session::SessionId;
use http::request::Parts;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

/// Who makes a request: a closure over its head, or [`ClientAddress`].
///
/// Authenticate first: an API key that nobody has checked is a free identity, and each one that is made up has a
/// budget of its own.
///
/// ```
/// use http::request::Parts;
/// use millpond::limit::{self, RateLimitLayer};
///
/// /// What the layer that authenticates left behind.
/// #[derive(Clone)]
/// struct User(String);
///
/// fn user(request: &Parts) -> Option<String> {
///     let User(id) = request.extensions.get()?;
///     Some(limit::identifier(Some(id), None))
/// }
///
/// let layer = RateLimitLayer::new(limit::API, user);
/// ```
pub trait Caller: Clone + Send + Sync + 'static {
    /// The identifier; what happens to a request without one,
    /// [`RateLimitLayer::unidentified`](super::RateLimitLayer::unidentified) says.
    fn identify(&self, request: &Parts) -> Option<String>;
}

impl<F> Caller for F
where
    F: Fn(&Parts) -> Option<String> + Clone + Send + Sync + 'static,
{
    fn identify(&self, request: &Parts) -> Option<String> {
        self(request)
    }
}

/// The session of the caller, if somebody has found that it exists: the [`SessionId`] in the extensions of the request,
/// where [`CurrentSession`](crate::CurrentSession) of axum, run by a layer further outside, leaves it. A cookie alone
/// is nobody. The store holds a hash of the id.
///
/// Whoever can get a session for nothing gets a budget with each; count users by their user id, and what gives
/// sessions out by the address.
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Extension, Router, middleware::from_extractor, routing::get};
/// use millpond::limit::{self, CallerSession, RateLimitLayer};
/// use millpond::{CurrentSession, Millpond, SessionCookie, ttl};
///
/// let sessions = Millpond::memory().sessions::<u64>(ttl::EXTENDED).hashed();
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(RateLimitLayer::new(limit::API, CallerSession))
///     // Outside of the limit, since it has to be known first who is calling.
///     .layer(from_extractor::<CurrentSession<u64>>())
///     .layer(Extension(SessionCookie::new("__Host-sid", sessions)));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CallerSession;

impl Caller for CallerSession {
    fn identify(&self, request: &Parts) -> Option<String> {
        let id: &SessionId = request.extensions.get()?;
        Some(format!("session:{}", hex(&Sha256::digest(id.as_str()))))
    }
}

/// The address of the client, as its proxies tell it. It is counted by its network: IPv4 addresses whole, IPv6
/// addresses by /64, see [`ipv6_prefix`](Self::ipv6_prefix).
///
/// In axum, serve the router with `into_make_service_with_connect_info::<SocketAddr>()`, or there is no address; a
/// test takes axum's `MockConnectInfo`. With hyper, put the `SocketAddr` of the connection into the extensions of
/// the request. Where it stands elsewhere, [`peer`](Self::peer) says so.
///
/// ```
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// let direct = RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct());
/// let behind_a_load_balancer = RateLimitLayer::new(limit::PUBLIC, ClientAddress::behind(1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress {
    told_by: ToldBy,
    ipv6_prefix: u8,
    peer: fn(&Parts) -> Option<IpAddr>,
}

#[derive(Clone, Copy, Debug)]
enum ToldBy {
    XForwardedFor { trusted_hops: usize },
    Forwarded { trusted_hops: usize },
    Header(&'static str),
}

impl ClientAddress {
    /// Clients connect to this service; no header is believed.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::direct();
    /// ```
    pub fn direct() -> Self {
        Self::behind(0)
    }

    /// So many proxies of yours are in front of this service, and each appends to
    /// `X-Forwarded-For`; see [`client_address`].
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::behind(2);
    /// ```
    pub fn behind(trusted_hops: usize) -> Self {
        Self::told_by(ToldBy::XForwardedFor { trusted_hops })
    }

    /// So many proxies of yours are in front of this service, and each appends to `Forwarded` (RFC 7239). A header
    /// that does not parse as a whole is not believed, and the peer counts.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::forwarded(1);
    /// ```
    pub fn forwarded(trusted_hops: usize) -> Self {
        Self::told_by(ToldBy::Forwarded { trusted_hops })
    }

    /// A proxy of yours puts the address into this header, and replaces what clients send there: `CF-Connecting-IP`,
    /// `Fly-Client-IP`. Where it is missing, is there twice or is no address, the peer counts. A service that can
    /// also be reached around the proxy believes whatever clients write.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::header("CF-Connecting-IP");
    /// ```
    pub fn header(name: &'static str) -> Self {
        Self::told_by(ToldBy::Header(name))
    }

    fn told_by(told_by: ToldBy) -> Self {
        Self {
            told_by,
            ipv6_prefix: IPV6_PREFIX,
            peer: connection,
        }
    }

    /// How many bits of an IPv6 address tell callers apart; 64 by default, 128 at most.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::behind(1).ipv6_prefix(56);
    /// ```
    #[must_use]
    pub fn ipv6_prefix(self, bits: u8) -> Self {
        let ipv6_prefix = bits.min(128);
        Self {
            ipv6_prefix,
            ..self
        }
    }

    /// Where the address of whoever opened the connection stands, if not where axum puts it.
    ///
    /// ```
    /// use http::request::Parts;
    /// use millpond::limit::ClientAddress;
    /// use std::net::IpAddr;
    ///
    /// #[derive(Clone)]
    /// struct Connection { remote: IpAddr }
    ///
    /// fn remote(request: &Parts) -> Option<IpAddr> {
    ///     Some(request.extensions.get::<Connection>()?.remote)
    /// }
    ///
    /// let caller = ClientAddress::behind(1).peer(remote);
    /// ```
    #[must_use]
    pub fn peer(self, peer: fn(&Parts) -> Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }

    /// The address, if the connection's is known.
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// use millpond::limit::{ClientAddress, identifier};
    ///
    /// let (mut request, ()) = http::Request::new(()).into_parts();
    /// request.extensions.insert(SocketAddr::from(([10, 0, 0, 7], 4711)));
    /// request.headers.insert("x-forwarded-for", "203.0.113.9".parse()?);
    ///
    /// let address = ClientAddress::behind(1).of(&request);
    /// assert_eq!(identifier(None, address), "203.0.113.9");
    /// # Ok::<_, http::header::InvalidHeaderValue>(())
    /// ```
    pub fn of(&self, request: &Parts) -> Option<IpAddr> {
        let peer = (self.peer)(request).map(|peer| peer.to_canonical());
        let peer = peer.filter(|peer| !peer.is_unspecified())?;
        let lines = |name: &str| request.headers.get_all(name).iter();
        match self.told_by {
            ToldBy::XForwardedFor { trusted_hops } => {
                let lines = lines("x-forwarded-for");
                Some(client_address(lines, peer, trusted_hops))
            }
            ToldBy::Forwarded { trusted_hops } => {
                let lines: Vec<_> = lines("forwarded").map(AsRef::<[u8]>::as_ref).collect();
                let entries = forwarded::parse(&lines.join(&b", "[..])).unwrap_or_default();
                Some(address::nearest(&entries, peer, trusted_hops))
            }
            ToldBy::Header(name) => {
                let mut lines = lines(name);
                let told = match (lines.next(), lines.next()) {
                    (Some(line), None) => address::parse(line.as_ref()),
                    _ => None,
                };
                Some(told.unwrap_or(peer).to_canonical())
            }
        }
    }
}

/// Where axum puts the address, and where a service of hyper's can.
fn connection(request: &Parts) -> Option<IpAddr> {
    #[cfg(feature = "axum")]
    {
        use axum::extract::ConnectInfo;
        use axum::extract::connect_info::MockConnectInfo;
        // As axum's own extractor does it; a mock counts where there is no connection.
        if let Some(ConnectInfo(peer)) = request.extensions.get::<ConnectInfo<SocketAddr>>() {
            return Some(peer.ip());
        }
        if let Some(MockConnectInfo(peer)) = request.extensions.get::<MockConnectInfo<SocketAddr>>()
        {
            return Some(peer.ip());
        }
    }
    request.extensions.get::<SocketAddr>().map(SocketAddr::ip)
}

/// Whether the missing address was logged in this process: it is a mistake of the program.
static TOLD: AtomicBool = AtomicBool::new(false);

impl Caller for ClientAddress {
    fn identify(&self, request: &Parts) -> Option<String> {
        let address = self.of(request);
        if address.is_none() && !TOLD.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "requests are refused, since the address of the client is not known; serve the router with \
                 into_make_service_with_connect_info::<SocketAddr>()"
            );
        }
        address.map(|address| network(address, self.ipv6_prefix))
    }
}
