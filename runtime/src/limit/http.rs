//! Limits in axum: the refusal as a response, and two layers.

mod caller;
mod headers_layer;
mod rate_limit_layer;

pub use caller::{Caller, ClientAddress};
pub use headers_layer::{RateLimitHeaders, RateLimitHeadersLayer};
pub use rate_limit_layer::{RateLimit, RateLimitLayer};

use super::decision::Decision;
use super::refusal::RateLimited;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};

/// The refusal with its status, body, `Retry-After` and `X-RateLimit-*`.
impl IntoResponse for RateLimited {
    fn into_response(self) -> Response {
        let mut response = HttpResponse::new(self.body().into());
        *response.status_mut() = StatusCode::from(self.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        tell(headers, self.decision().headers());
        response
    }
}

impl From<RateLimited> for Response {
    fn from(refusal: RateLimited) -> Self {
        refusal.into_response()
    }
}

impl From<RateLimited> for StatusCode {
    fn from(refusal: RateLimited) -> Self {
        Self::from_u16(refusal.status()).unwrap_or(Self::TOO_MANY_REQUESTS)
    }
}

/// The status and the JSON body; the headers do not fit in.
impl From<RateLimited> for (StatusCode, String) {
    fn from(refusal: RateLimited) -> Self {
        let body = refusal.body();
        (refusal.into(), body)
    }
}

/// Adds what the response does not say by itself already.
fn tell(headers: &mut HeaderMap, fields: Vec<(&'static str, String)>) {
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers
                .entry(HeaderName::from_static(name))
                .or_insert(value);
        }
    }
}

/// The budget, in the old and, if wanted, the new fields.
fn fields(decision: &Decision, ietf: bool) -> Vec<(&'static str, String)> {
    let mut fields = decision.headers();
    if ietf {
        fields.extend(decision.ietf_headers());
    }
    fields
}
