//! Who makes a request.

use crate::limit::address::client_address;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

/// Who makes a request: a closure over its head, or [`ClientAddress`].
///
/// ```
/// use axum::http::request::Parts;
/// use millpond::limit::{self, RateLimitLayer};
///
/// fn api_key(request: &Parts) -> Option<String> {
///     request.headers.get("x-api-key")?.to_str().ok().map(str::to_owned)
/// }
///
/// let layer = RateLimitLayer::new(limit::API, api_key);
/// ```
pub trait Caller: Clone + Send + Sync + 'static {
    /// The identifier; a request without one is refused with status 400.
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

/// The address of the client, behind a stated number of proxies: see
/// [`client_address`](crate::limit::client_address). Serve the router with
/// `into_make_service_with_connect_info::<SocketAddr>()`, or there is no address.
///
/// ```
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// let direct = RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct());
/// let behind_a_load_balancer = RateLimitLayer::new(limit::PUBLIC, ClientAddress::behind(1));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress {
    trusted_hops: usize,
}

impl ClientAddress {
    /// Clients connect to this service; `X-Forwarded-For` is not believed.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::direct();
    /// ```
    pub fn direct() -> Self {
        Self::behind(0)
    }

    /// So many proxies of yours are in front of this service, and each appends to
    /// `X-Forwarded-For`.
    ///
    /// ```
    /// let caller = millpond::limit::ClientAddress::behind(2);
    /// ```
    pub fn behind(trusted_hops: usize) -> Self {
        Self { trusted_hops }
    }

    /// The address, if the connection's is known.
    ///
    /// ```
    /// # use axum::extract::ConnectInfo;
    /// # use std::net::SocketAddr;
    /// use millpond::limit::{ClientAddress, identifier};
    ///
    /// let (mut request, ()) = axum::http::Request::new(()).into_parts();
    /// request.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 7], 4711))));
    /// request.headers.insert("x-forwarded-for", "203.0.113.9".parse()?);
    ///
    /// let address = ClientAddress::behind(1).of(&request);
    /// assert_eq!(identifier(None, address), "203.0.113.9");
    /// # Ok::<_, axum::http::header::InvalidHeaderValue>(())
    /// ```
    pub fn of(&self, request: &Parts) -> Option<IpAddr> {
        let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
        let lines = request.headers.get_all("x-forwarded-for").iter();
        // A line that is no text still takes its place, so that nobody moves the others.
        let lines = lines.map(|line| line.to_str().unwrap_or_default());
        Some(client_address(lines, peer.ip(), self.trusted_hops))
    }
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
        address.map(|address| address.to_string())
    }
}
