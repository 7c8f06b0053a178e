//! Limits over HTTP: the refusal as a response, and two layers, for axum, tonic, hyper and whatever else is a tower
//! service over `http`.

mod answer;
#[cfg(feature = "axum")]
mod axum;
mod caller;
mod fields;
mod forwarded;
mod headers_layer;
mod rate_limit_layer;
mod told;

pub use answer::{Answer, GrpcAnswer, OnRefusal, StandardAnswer};
#[cfg(feature = "axum")]
pub use axum::ClientIp;
pub use caller::{Caller, CallerSession, ClientAddress};
pub use headers_layer::{RateLimitHeaders, RateLimitHeadersLayer};
pub use rate_limit_layer::{LimitOf, RateLimit, RateLimitLayer, Unidentified};

use http::header::{HeaderName, RETRY_AFTER};
use http::request::Parts;

/// The fields that tell a client its budget, for the CORS layer: a browser shows a page no others. The CORS layer
/// stands outside of the limit, so that preflights do not reach it and refusals can be read.
///
/// ```
/// use millpond::limit;
/// assert!(limit::EXPOSED.contains(&http::header::RETRY_AFTER));
/// ```
pub const EXPOSED: [HeaderName; 6] = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
    RETRY_AFTER,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
];

/// Whether this is the question of a browser that comes before a request of another origin (a CORS preflight), for
/// [`RateLimitLayer::skip`]. Preflights count unless it is used: a route that answers any method would otherwise do
/// its work for every one of them, uncounted.
///
/// ```
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
/// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).skip(limit::is_preflight);
/// ```
pub fn is_preflight(request: &Parts) -> bool {
    request.method == http::Method::OPTIONS
        && request.headers.contains_key(http::header::ORIGIN)
        && request
            .headers
            .contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}
