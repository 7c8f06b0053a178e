//! A small service behind one proxy: cached reads, a write that invalidates, and endpoints that answer 429: images for each
//! user, reports by plan, logins that fail, and everything together for each address. `/metrics` is for Prometheus, `/ready` for
//! whoever sends the traffic, `/cache` for whoever runs the service.
//!
//! ```text
//! cargo run --example axum_api                 # 127.0.0.1:3000; ADDRESS=127.0.0.1:0 picks a port
//! curl localhost:3000/users/1
//! curl -X PUT localhost:3000/users/1 -H 'content-type: application/json' -d '{"name":"Grace"}'
//! for i in $(seq 11); do curl -i -X POST localhost:3000/images -H 'x-user: ada'; done
//! ```

use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use millpond::limit::{self, ClientAddress, Limit, RateLimitHeadersLayer, RateLimitLayer};
use millpond::metrics::BUCKETS;
use millpond::{RateLimited, Tag, cached, invalidates, rate_limited, readiness};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    team: u64,
    name: String,
}

#[derive(Deserialize)]
struct Rename {
    name: String,
}

/// What can go wrong in a handler. A refusal by a limit is one of them.
enum ApiError {
    NotFound,
    Limited(RateLimited),
}

impl From<RateLimited> for ApiError {
    fn from(refusal: RateLimited) -> Self {
        Self::Limited(refusal)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Limited(refusal) => refusal.into_response(),
        }
    }
}

/// The database, with a count of the queries that reached it.
#[derive(Clone, Default)]
struct Db {
    users: Arc<Mutex<HashMap<u64, User>>>,
    queries: Arc<AtomicU64>,
}

#[cached(prefix = "user", ttl = "medium", key = "<id>", skip(db))]
async fn find_user(db: &Db, id: u64) -> Option<User> {
    db.queries.fetch_add(1, Ordering::Relaxed);
    let users = db.users.lock().unwrap_or_else(PoisonError::into_inner);
    users.get(&id).cloned()
}

/// Everything that shows the members of a team.
#[millpond::tag("team:<team>")]
fn team(team: u64) -> Tag;

#[cached(
    prefix = "team",
    ttl = "long",
    key = "<id>:members",
    skip(db),
    tags(team(id))
)]
async fn find_members(db: &Db, id: u64) -> Vec<User> {
    db.queries.fetch_add(1, Ordering::Relaxed);
    let users = db.users.lock().unwrap_or_else(PoisonError::into_inner);
    let members = users.values().filter(|user| user.team == id);
    members.cloned().collect()
}

#[cached(
    prefix = "team",
    ttl = "short",
    key = "<id>:search:<name:sha256>",
    skip(db),
    tags(team(id))
)]
async fn search_members(db: &Db, id: u64, name: &str) -> Vec<User> {
    let mut members = find_members(db, id).await;
    members.retain(|member| member.name.contains(name));
    members
}

#[invalidates(find_user(id), team(team_id))]
async fn rename_user(db: &Db, id: u64, team_id: u64, name: String) -> Result<(), ApiError> {
    let mut users = db.users.lock().unwrap_or_else(PoisonError::into_inner);
    users.get_mut(&id).ok_or(ApiError::NotFound)?.name = name;
    Ok(())
}

#[invalidates(find_user(id), team(team_id))]
async fn remove_user(db: &Db, id: u64, team_id: u64) -> Result<(), ApiError> {
    let mut users = db.users.lock().unwrap_or_else(PoisonError::into_inner);
    users.remove(&id).map(drop).ok_or(ApiError::NotFound)
}

async fn show_user(State(db): State<Db>, Path(id): Path<u64>) -> Result<Json<User>, ApiError> {
    find_user(&db, id).await.map(Json).ok_or(ApiError::NotFound)
}

async fn update_user(
    State(db): State<Db>,
    Path(id): Path<u64>,
    Json(rename): Json<Rename>,
) -> Result<StatusCode, ApiError> {
    let user = find_user(&db, id).await.ok_or(ApiError::NotFound)?;
    rename_user(&db, id, user.team, rename.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_user(State(db): State<Db>, Path(id): Path<u64>) -> Result<StatusCode, ApiError> {
    let user = find_user(&db, id).await.ok_or(ApiError::NotFound)?;
    remove_user(&db, id, user.team).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
struct Search {
    name: Option<String>,
}

async fn show_members(
    State(db): State<Db>,
    Path(team): Path<u64>,
    Query(search): Query<Search>,
) -> Json<Vec<User>> {
    Json(match search.name {
        Some(name) => search_members(&db, team, &name).await,
        None => find_members(&db, team).await,
    })
}

/// Ten a minute for each user, whatever their address.
#[rate_limited(kind = "GENERATION", id = user(&headers))]
async fn draw(headers: HeaderMap) -> Result<&'static str, ApiError> {
    Ok("a picture of a pond")
}

/// Who is asking. A real service would look into the session.
fn user(headers: &HeaderMap) -> &str {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok());
    user.unwrap_or("anonymous")
}

/// A report costs more than a page, and who pays gets more of them. Both plans share one budget, so that nobody has two.
const FREE: Limit = Limit::sliding_window("REPORTS", 3, Duration::from_secs(60));
const PRO: Limit = Limit::sliding_window("REPORTS", 100, Duration::from_secs(60));

/// The limit of a request. A real service would look into the account.
fn plan(request: &Parts) -> Limit {
    match request.headers.get("x-plan") {
        Some(plan) if plan == "pro" => PRO,
        _ => FREE,
    }
}

/// Whom a request is counted for. A real service authenticates first: a name that nobody checked is a free identity.
fn account(request: &Parts) -> Option<String> {
    let user = request.headers.get("x-user")?.to_str().ok()?;
    Some(limit::identifier(Some(user), None))
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

async fn log_in(Json(login): Json<Login>) -> StatusCode {
    if login.password == "correct horse" {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::UNAUTHORIZED
    }
}

async fn queries(State(db): State<Db>) -> String {
    db.queries.load(Ordering::Relaxed).to_string()
}

/// The recorder of the process, and the page that it renders.
fn metrics() -> Result<PrometheusHandle, Box<dyn std::error::Error>> {
    let ours = Matcher::Prefix("millpond_".to_owned());
    let exporter = PrometheusBuilder::new()
        .set_buckets_for_metric(ours, &BUCKETS)?
        .install_recorder()?;
    let upkeep = exporter.clone();
    tokio::spawn(async move {
        // What histograms are told is kept until it is added up, also if nobody scrapes.
        let mut often = tokio::time::interval(Duration::from_secs(5));
        loop {
            often.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(exporter)
}

fn show_metrics(exporter: &PrometheusHandle) -> String {
    millpond::metrics::publish();
    exporter.render()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Db::default();
    let ada = User {
        id: 1,
        team: 1,
        name: "Ada".to_owned(),
    };
    db.users
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(1, ada);

    // The proxy appends the address of whoever called it to `X-Forwarded-For`.
    let client = ClientAddress::behind(1);
    // Five a minute for each address. Only what fails counts, so nobody is locked out by logging in.
    let guesses = RateLimitLayer::new(limit::AUTH, client)
        .count_when(|response| response.status() == StatusCode::UNAUTHORIZED);
    let reports = RateLimitLayer::new(plan, account).ietf();

    let exporter = metrics()?;
    let app = Router::new()
        .route("/login", post(log_in).layer(guesses))
        .route("/reports", get(|| async { "a report" }).layer(reports))
        .route(
            "/users/{id}",
            get(show_user).put(update_user).delete(delete_user),
        )
        .route("/teams/{id}/members", get(show_members))
        .route("/images", post(draw))
        .route("/queries", get(queries))
        .layer(RateLimitHeadersLayer::new())
        // Everything together: two hundred a minute for each address.
        .layer(RateLimitLayer::new(limit::PUBLIC, client))
        // Not under the limits. A real service has these on a port that strangers do not reach.
        .route("/metrics", get(move || ready(show_metrics(&exporter))))
        .route("/ready", get(readiness))
        .route_service("/cache", millpond::dashboard::service())
        .with_state(db);

    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await?;
    Ok(())
}
