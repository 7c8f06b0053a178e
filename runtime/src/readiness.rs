//! The route of readiness probes.

use crate::health::Health;
use crate::scope;

/// A handler of axum for readiness probes: asks the server of the [current](crate::current) cache by one `PING`, and answers
/// `200` while the cache is up or degraded, `503` while it is down, with a line for each part.
///
/// Mount it where it is a condition for traffic that the cache works. A service that answers without its cache, only slower,
/// is ready all the same: its probe is something else, and the state belongs into an alert. Each request is a command that
/// Upstash bills, and the text names the host of the database, so mount it where strangers do not come.
///
/// # Cancel safety
/// Nothing is changed by dropping the future.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use axum::Router;
/// use axum::http::StatusCode;
/// use axum::response::IntoResponse;
/// use axum::routing::get;
///
/// let app: Router = Router::new().route("/ready", get(millpond::readiness));
///
/// let pond = millpond::Millpond::memory();
/// let health = pond.scope(millpond::readiness()).await;
/// assert_eq!(health.into_response().status(), StatusCode::OK);
/// # });
/// ```
pub async fn readiness() -> Health {
    scope::current().health().probe().await
}
