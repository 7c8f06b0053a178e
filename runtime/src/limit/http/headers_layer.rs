//! The budget of a check, put on the response.

use super::fields::{Style, tell};
use super::told;
use crate::limit::decision_log::DecisionLog;
use crate::runtime::BoxFuture;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Puts the budget of whatever check ran inside the handler on its response, a successful one too:
/// `X-RateLimit-*`, and with [`ietf`](Self::ietf) `RateLimit` and `RateLimit-Policy`. Of several
/// checks it is the strictest. Checks in tasks that the handler spawns are not seen.
///
/// ```
/// use axum::{Router, routing::get};
/// use millpond::limit::RateLimitHeadersLayer;
///
/// async fn handler() -> &'static str { "checked by #[rate_limited]" }
///
/// let app: Router = Router::new()
///     .route("/", get(handler))
///     .layer(RateLimitHeadersLayer::new());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimitHeadersLayer {
    ietf: bool,
}

impl RateLimitHeadersLayer {
    /// With `X-RateLimit-*` only.
    ///
    /// ```
    /// let layer = millpond::limit::RateLimitHeadersLayer::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// With the fields of the IETF draft too.
    ///
    /// ```
    /// let layer = millpond::limit::RateLimitHeadersLayer::new().ietf();
    /// ```
    #[must_use]
    pub fn ietf(self) -> Self {
        Self { ietf: true }
    }
}

impl<S> Layer<S> for RateLimitHeadersLayer {
    type Service = RateLimitHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitHeaders {
            inner,
            ietf: self.ietf,
        }
    }
}

/// The service of [`RateLimitHeadersLayer`].
///
/// ```
/// use axum::Router;
/// use millpond::limit::RateLimitHeadersLayer;
///
/// // `layer` wraps every route in one.
/// let app: Router = Router::new().layer(RateLimitHeadersLayer::new());
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitHeaders<S> {
    inner: S,
    ietf: bool,
}

impl<S, Q, B> Service<Request<Q>> for RateLimitHeaders<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let log = DecisionLog::default();
        let style = Style {
            ietf: self.ietf,
            partition_key: false,
        };
        // A handler may check before its first await, so the call itself is watched too.
        let response = log.watch(self.inner.call(request));
        Box::pin(async move {
            let mut response = response.await?;
            if let Some(decision) = log.take() {
                let status = response.status();
                tell(response.headers_mut(), status, &decision, style);
                told::leave(response.extensions_mut(), decision);
            }
            Ok(response)
        })
    }
}
