use super::{fields, tell};
use crate::limit::address::client_address;
use crate::limit::group::Group;
use crate::limit::{Limit, check};
use crate::pond::Millpond;
use crate::scope;
use axum::extract::{ConnectInfo, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

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

/// Checks every request to what it wraps against a limit, or several at once: a refused one is
/// answered with 429, and every other response gets `X-RateLimit-*`.
///
/// ```
/// use axum::{Router, routing::get};
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct()));
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitLayer<C> {
    limits: Vec<Limit>,
    first: Limit,
    caller: C,
    pond: Option<Millpond>,
    ietf: bool,
}

impl<C: Caller> RateLimitLayer<C> {
    /// Checks against this limit, in the current `Millpond`.
    ///
    /// ```
    /// use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct());
    /// ```
    pub fn new(limit: Limit, caller: C) -> Self {
        Self {
            limits: Vec::new(),
            first: limit,
            caller,
            pond: None,
            ietf: false,
        }
    }

    /// Also checks against this limit, in the same command; see
    /// [`Limiter::and`](crate::limit::Limiter::and). Of two that would share their budgets, the first
    /// counts.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, Limit, RateLimitLayer};
    /// # use std::time::Duration;
    /// const DAILY: Limit = Limit::fixed_window("DAILY", 5_000, Duration::from_secs(24 * 60 * 60));
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).and(DAILY);
    /// ```
    #[must_use]
    pub fn and(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// Checks in this `Millpond` instead.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let pond = millpond::Millpond::memory();
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).on(&pond);
    /// ```
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// Adds the fields of the IETF draft, `RateLimit` and `RateLimit-Policy`.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).ietf();
    /// ```
    #[must_use]
    pub fn ietf(mut self) -> Self {
        self.ietf = true;
        self
    }
}

impl<S, C: Caller> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimit<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`RateLimitLayer`].
///
/// ```
/// use axum::Router;
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// // `layer` wraps every route in one.
/// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct());
/// let app: Router = Router::new().layer(layer);
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit<S, C> {
    inner: S,
    layer: RateLimitLayer<C>,
}

impl<S, C> Service<Request> for RateLimit<S, C>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    C: Caller,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone takes the place of the one that has been polled until it was ready.
        let inner = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let id = layer.caller.identify(&head).filter(|id| !id.is_empty());
            let pond = layer.pond.unwrap_or_else(scope::current);
            let limits = Group::several(&pond.0.limits, &layer.first, &layer.limits);
            let decision = check::admit(&pond.0.limits, &limits, id.as_deref(), 1).await;
            let (told, mut response) = match decision.into_result() {
                Ok(decision) => {
                    let response = inner.call(Request::from_parts(head, body)).await?;
                    (fields(&decision, layer.ietf), response)
                }
                Err(refusal) => (
                    fields(refusal.decision(), layer.ietf),
                    refusal.into_response(),
                ),
            };
            tell(response.headers_mut(), told);
            Ok(response)
        })
    }
}
