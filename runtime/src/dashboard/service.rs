//! The service: the page, or with `?data` what it shows.

use super::body::Body;
use super::{data, page::PAGE};
use crate::pond::Millpond;
use crate::scope::current;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use tower_service::Service;

/// The page as a service, from [`service`](super::service): `GET` and `HEAD` at any path.
///
/// | request | answer |
/// |---|---|
/// | any path | the page |
/// | any path, `?data` | what it shows, as JSON, whose form may change with the version |
/// | any path, `?data&since=118000000` | the same without the catalogue and without slots before this one |
///
/// It never fails, and awaits nothing: an answer costs some ten microseconds and about one for each function.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use tower_service::Service;
///
/// let request = http::Request::post("/internal/cache").body(()).unwrap();
/// let response = millpond::dashboard::service().call(request).await.unwrap();
/// assert_eq!(response.status(), 405);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Dashboard {
    pond: Option<Millpond>,
}

impl Dashboard {
    /// The page of this cache, whatever the current one is.
    ///
    /// ```
    /// let second = millpond::Millpond::memory();
    /// let page = millpond::dashboard::service().of(second);
    /// ```
    #[must_use]
    pub fn of(self, pond: Millpond) -> Self {
        Self { pond: Some(pond) }
    }

    fn answer(&self, method: &Method, query: Option<&str>) -> Response<Body> {
        if method != Method::GET && method != Method::HEAD {
            let mut refused = Response::new(Body::of(""));
            *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let methods = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, methods);
            return refused;
        }
        let mut pairs = query.unwrap_or_default().split('&');
        let mut response = if pairs.clone().any(|pair| pair == "data") {
            let since = pairs.find_map(|pair| pair.strip_prefix("since="));
            let since = since.and_then(|slot| slot.parse().ok());
            let pond = self.pond.clone().unwrap_or_else(current);
            let mut response = Response::new(Body::of(data::json(&pond, since)));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        } else {
            let mut response = Response::new(Body::of(PAGE.html.as_bytes()));
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, html);
            response
        };
        guard(response.headers_mut());
        if method == Method::HEAD {
            *response.body_mut() = Body::of("");
        }
        response
    }
}

/// What keeps other pages, and caches, away from it.
fn guard(headers: &mut HeaderMap) {
    if let Ok(policy) = HeaderValue::try_from(&PAGE.policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let own = HeaderValue::from_static("same-origin");
    headers.insert("cross-origin-resource-policy", own);
}

impl<B> Service<Request<B>> for Dashboard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request.method(), request.uri().query())))
    }
}
