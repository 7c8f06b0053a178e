//! What axum adds: the refusal as its response, and an extractor.

use super::caller::ClientAddress;
use super::fields::{Style, tell};
use super::told;
use crate::limit::refusal::RateLimited;
use axum::extract::FromRequestParts;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Response as HttpResponse, StatusCode};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// The refusal with its status, body, `Retry-After` and `X-RateLimit-*`.
impl IntoResponse for RateLimited {
    fn into_response(self) -> Response {
        let mut response = HttpResponse::new(self.body().into());
        let status = StatusCode::from(self.clone());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        tell(headers, status, self.decision(), Style::default());
        told::leave(response.extensions_mut(), self.decision().clone());
        response
    }
}

impl From<RateLimited> for Response {
    fn from(refusal: RateLimited) -> Self {
        refusal.into_response()
    }
}

/// The address of the client, as an extractor: by the [`ClientAddress`] that an `Extension` layer puts into
/// requests, or else of the connection.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use millpond::limit::{ClientAddress, ClientIp};
///
/// async fn whoami(ClientIp(address): ClientIp) -> String {
///     address.to_string()
/// }
///
/// let app: Router = Router::new()
///     .route("/", get(whoami))
///     .layer(Extension(ClientAddress::behind(1)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let client = parts.extensions.get::<ClientAddress>().copied();
        let address = client.unwrap_or_else(ClientAddress::direct).of(parts);
        address.map(Self).ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "the address of the client is not known; serve the router with \
             into_make_service_with_connect_info::<SocketAddr>()",
        ))
    }
}
