//! `#[rate_limited]` on axum handlers, which answer a refusal by themselves.
#![cfg(feature = "axum")]

mod support;

use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use millpond::limit::{
    self, ClientAddress, Limit, RateLimitHeadersLayer, RateLimitLayer, RateLimited,
};
use millpond::{ManualClock, Millpond, rate_limited};
use std::time::Duration;
use support::log::Log;
use tower_service::Service;
use tracing::instrument;

const ONE: Limit = Limit::fixed_window("ONE", 1, Duration::from_secs(60));

#[rate_limited(kind = ONE, id = id)]
async fn as_a_response(Path(id): Path<u64>) -> Response {
    id.to_string().into_response()
}

#[rate_limited(kind = ONE, id = id)]
async fn as_anything(Path(id): Path<u64>) -> impl IntoResponse {
    if id > 9 {
        return (StatusCode::NOT_FOUND, Json(0));
    }
    (StatusCode::OK, Json(id))
}

#[rate_limited(kind = ONE, id = id)]
async fn as_a_result(Path(id): Path<u64>) -> Result<impl IntoResponse, Response> {
    let id = u8::try_from(id).map_err(|_| StatusCode::NOT_FOUND.into_response())?;
    Ok(Json(id))
}

#[rate_limited(kind = ONE, id = id)]
async fn as_a_status(Path(id): Path<u64>) -> Result<Json<u64>, StatusCode> {
    Ok(Json(id))
}

#[rate_limited(kind = ONE, id = id)]
async fn as_a_text(Path(id): Path<u64>) -> Result<Json<u64>, (StatusCode, String)> {
    Ok(Json(id))
}

#[rate_limited(kind = ONE, id = id)]
async fn as_itself(Path(id): Path<u64>) -> Result<Json<u64>, RateLimited> {
    Ok(Json(id))
}

#[axum::debug_handler]
#[instrument]
#[rate_limited(kind = ONE, id = id)]
async fn below_other_attributes(Path(id): Path<u64>) -> impl IntoResponse {
    Json(id)
}

#[rate_limited(kind = ONE, id = id)]
#[instrument]
#[axum::debug_handler]
async fn above_other_attributes(Path(id): Path<u64>) -> impl IntoResponse {
    Json(id)
}

/// The compiler must see that such a handler's future is `Send`.
#[rate_limited(kind = ONE, id = id)]
async fn as_a_static_text(Path(id): Path<u64>) -> impl IntoResponse {
    if id == 3 { "3" } else { "another" }
}

fn routes() -> Router {
    Router::new()
        .route("/response/{id}", get(as_a_response))
        .route("/anything/{id}", get(as_anything))
        .route("/result/{id}", get(as_a_result))
        .route("/status/{id}", get(as_a_status))
        .route("/text/{id}", get(as_a_text))
        .route("/itself/{id}", get(as_itself))
        .route("/below/{id}", get(below_other_attributes))
        .route("/above/{id}", get(above_other_attributes))
        .route("/static/{id}", get(as_a_static_text))
}

/// At 2026-01-01T00:00:00Z, with a cache of its own.
async fn served<T>(test: impl AsyncFnOnce() -> T) -> T {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock).build().unwrap();
    pond.scope(test()).await
}

async fn answer(routes: &mut Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    routes.call(request).await.unwrap()
}

async fn body(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1024).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const REFUSAL: &str = r#"{"error":"Rate limit exceeded","message":"Too many requests. Please try again after 2026-01-01T00:01:00.000Z","retryAfter":60}"#;

#[tokio::test]
async fn a_handler_says_when_to_come_back() {
    let kinds = [
        "response", "anything", "result", "itself", "below", "above", "static",
    ];
    for kind in kinds {
        served(async || {
            let (mut routes, path) = (routes(), format!("/{kind}/3"));
            let first = answer(&mut routes, &path).await;
            assert_eq!(first.status(), StatusCode::OK, "{kind}");
            assert_eq!(body(first).await, "3", "{kind}");
            let second = answer(&mut routes, &path).await;
            assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS, "{kind}");
            let header = |name: &str| second.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("retry-after"), "60", "{kind}");
            assert_eq!(header("x-ratelimit-limit"), "1", "{kind}");
            assert_eq!(header("x-ratelimit-remaining"), "0", "{kind}");
            assert_eq!(header("content-type"), "application/json", "{kind}");
            assert_eq!(body(second).await, REFUSAL, "{kind}");
            let other = answer(&mut routes, &format!("/{kind}/4")).await;
            assert_eq!(other.status(), StatusCode::OK, "{kind}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_refusal_fits_into_the_errors_that_handlers_use() {
    for (kind, text) in [("status", ""), ("text", REFUSAL)] {
        served(async || {
            let (mut routes, path) = (routes(), format!("/{kind}/3"));
            assert_eq!(answer(&mut routes, &path).await.status(), StatusCode::OK);
            let refused = answer(&mut routes, &path).await;
            assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(body(refused).await, text);
        })
        .await;
    }
}

#[tokio::test]
async fn what_the_body_answers_stays_as_it_is() {
    served(async || {
        let mut routes = routes();
        let missing = answer(&mut routes, "/anything/10").await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
        assert_eq!(body(missing).await, "0");
        let missing = answer(&mut routes, "/result/300").await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn the_headers_layer_tells_the_budget_of_the_attribute() {
    served(async || {
        let mut routes = routes().layer(RateLimitHeadersLayer::new());
        let first = answer(&mut routes, "/response/3").await;
        assert_eq!(first.headers()["x-ratelimit-remaining"], "0");
        assert!(!first.headers().contains_key("retry-after"));
    })
    .await;
}

#[tokio::test]
async fn a_router_that_is_served_without_addresses_is_told_of_in_the_log() {
    served(async || {
        let (log, _guard) = Log::of_this_thread();
        let layer = RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct());
        let mut routes = routes().layer(layer);
        for _ in 0..3 {
            let refused = answer(&mut routes, "/response/1").await;
            assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        }
        let told = log.text();
        let advice = "into_make_service_with_connect_info::<SocketAddr>()";
        assert_eq!(told.matches(advice).count(), 1, "{told}");
    })
    .await;
}
