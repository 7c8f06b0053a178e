//! A check in front of routes.

use super::caller::Caller;
use super::{fields, tell};
use crate::limit::pair::{Pair, is_same_budget};
use crate::limit::{Limit, check};
use crate::pond::Millpond;
use crate::scope;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

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
            let state = &pond.0.limits;
            let decision = match &id {
                None => check::unidentified(state, &layer.first),
                Some(id) => {
                    let mut pairs: Vec<Pair<'_>> = Vec::new();
                    for limit in std::iter::once(&layer.first).chain(&layer.limits) {
                        if !pairs.iter().any(|pair| is_same_budget(&pair.limit, limit)) {
                            pairs.push(Pair::new(*limit, id.as_str(), 1));
                        }
                    }
                    check::admit(state, &pairs).await
                }
            };
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
