use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use millpond::limit::{self, ClientAddress, RateLimitHeadersLayer, RateLimitLayer};
use millpond::rate_limited;
use std::net::SocketAddr;

#[rate_limited(kind = "GENERATION", id = limit::identifier(Some("ada"), None))]
async fn generate() -> impl IntoResponse {
    "an image"
}

fn app() -> Router {
    Router::new()
        .route("/images", post(generate))
        .route("/models", get(async || "small, large"))
        .layer(RateLimitHeadersLayer::new())
        .layer(RateLimitLayer::new(limit::PUBLIC, ClientAddress::behind(1)))
}

fn main() {
    // To be given to `axum::serve`; without the address of who connects, nobody can be told apart.
    let _service = app().into_make_service_with_connect_info::<SocketAddr>();
}
