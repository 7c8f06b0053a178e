//! A page that shows a service its own cache: `health → counters of the last minutes → catalogue → JSON → page`.
//!
//! [`service`] is a service of tower over the types of `http` 1. Mount it where only those who run the service come: it is
//! read only and shows no key, no value and no identifier, but names of functions, prefixes, files and hosts.
//!
//! ```
//! # #[cfg(feature = "axum")] {
//! use axum::Router;
//!
//! // Behind the same door as the other pages for those who run the service.
//! let app: Router = Router::new().route_service("/internal/cache", millpond::dashboard::service());
//! # }
//! ```
//!
//! The page is one file without requests to anywhere else. It asks for `?data` below the same path every two seconds while it is
//! seen, so that `route_service`, `nest_service` and a plain hyper server all do. Its `Content-Security-Policy` allows
//! its own script and style by their hashes, and that it asks its own origin; no other page can frame it.
//!
//! # What it shows
//!
//! - The engine and its health in a sentence, with what needs a look: hit rates that fell to less than a half within the
//!   last five minutes, bodies that fail, values that cannot be read, limits that refuse a fifth of their checks.
//! - Facts: the circuit breaker, owed invalidations, the local tier, the commands a minute.
//! - What did not work lately, with its end.
//! - Cached functions by the time that their bodies take. Counters are by prefix, so functions of one prefix share a row.
//! - Limits by their refusals.
//! - Which mutation invalidates which function.
//!
//! # Several processes
//!
//! Each answer names its process. Behind a balancer the page gets answers of all of them, one after the other, adds up
//! those that it heard of in the last minute, and says how many they are.

mod body;
mod data;
mod page;
mod service;
mod verdict;

pub use body::Body;
pub use service::Dashboard;

/// The page of the [`current`](crate::current()) cache, at any path.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use tower_service::Service;
///
/// let mut service = millpond::dashboard::service();
/// let request = http::Request::get("/internal/cache?data").body(()).unwrap();
/// let response = service.call(request).await.unwrap();
/// assert_eq!(response.headers()["content-type"], "application/json");
/// # });
/// ```
#[must_use]
pub fn service() -> Dashboard {
    Dashboard::default()
}
