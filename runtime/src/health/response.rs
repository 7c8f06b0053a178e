//! The answer to a readiness probe.

use super::{Health, HealthState};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

/// `200` while the cache is up or degraded, `503` while it is down; the body has a line for each part.
impl IntoResponse for Health {
    fn into_response(self) -> Response {
        let status = match self.state() {
            HealthState::Up | HealthState::Degraded => StatusCode::OK,
            HealthState::Down => StatusCode::SERVICE_UNAVAILABLE,
        };
        let text = format!("{self}\n");
        (status, [(CACHE_CONTROL, "no-store")], text).into_response()
    }
}
