//! The response for a request that was refused.

use crate::limit::decision::Outcome;
use crate::limit::refusal::RateLimited;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

/// What a refused request is answered with. The layer adds `X-RateLimit-*` and `Retry-After`.
pub trait Answer<B>: Clone + Send + Sync + 'static {
    /// The response.
    fn answer(&self, refusal: &RateLimited, request: &Parts) -> Response<B>;
}

/// JSON with the status of the refusal, for a body that can be made of a text; a request of gRPC is answered as
/// [`GrpcAnswer`] does.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardAnswer {
    pub(super) is_problem: bool,
}

impl<B: From<String>> Answer<B> for StandardAnswer {
    fn answer(&self, refusal: &RateLimited, request: &Parts) -> Response<B> {
        let kind = request.headers.get(CONTENT_TYPE);
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
            return grpc(refusal, String::new().into());
        }
        let (kind, body) = if self.is_problem {
            ("application/problem+json", refusal.problem())
        } else {
            ("application/json", refusal.body())
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = StatusCode::from(refusal.clone());
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

/// What gRPC expects: status 200 and no body, `grpc-status` 8 (resource exhausted), or 14 (unavailable) where the
/// call was refused only because the store is out of reach.
#[derive(Clone, Copy, Debug, Default)]
pub struct GrpcAnswer;

impl<B: Default> Answer<B> for GrpcAnswer {
    fn answer(&self, refusal: &RateLimited, _: &Parts) -> Response<B> {
        grpc(refusal, B::default())
    }
}

fn grpc<B>(refusal: &RateLimited, body: B) -> Response<B> {
    let mut response = Response::new(body);
    let status = match refusal.status() {
        503 => "14",
        // It does not say who it is.
        400 => "3",
        _ => "8",
    };
    let message = match refusal.decision().outcome() {
        Outcome::Degraded if refusal.status() == 503 => "rate limit cannot be checked now",
        _ if refusal.status() == 400 => "the request does not say who makes it",
        _ => "rate limit exceeded",
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("grpc-status", status),
        ("grpc-message", message),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A closure: see [`RateLimitLayer::on_refusal`](super::RateLimitLayer::on_refusal).
#[derive(Clone, Debug)]
pub struct OnRefusal<F>(pub(super) F);

impl<B, F> Answer<B> for OnRefusal<F>
where
    F: Fn(&RateLimited, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
{
    fn answer(&self, refusal: &RateLimited, request: &Parts) -> Response<B> {
        (self.0)(refusal, request)
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
