//! `#[rate_limited]` on handlers whose answers are responses: a refusal is a 429 of its own.

#![cfg(feature = "axum")]

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use millpond::{Millpond, rate_limited};

#[rate_limited(limit = 1, per = "1h")]
async fn handler() -> Response {
    "let through".into_response()
}

#[rate_limited(limit = 1, per = "1h", id = name)]
async fn greeting(name: String) -> impl IntoResponse {
    format!("hello {name}")
}

#[tokio::test]
async fn a_refused_handler_answers_429_by_itself() {
    Millpond::memory()
        .scope(async {
            assert_eq!(handler().await.status(), StatusCode::OK);
            assert_eq!(handler().await.status(), StatusCode::TOO_MANY_REQUESTS);
            for (name, status) in [
                ("a", StatusCode::OK),
                ("b", StatusCode::OK),
                ("a", StatusCode::TOO_MANY_REQUESTS),
            ] {
                let answer = greeting(name.to_owned()).await.into_response();
                assert_eq!(answer.status(), status, "{name}");
            }
        })
        .await;
}
