//! The layers of limits, over whatever requests and responses carry.

use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use millpond::limit::{
    self, ClientAddress, ClientIp, Limit, OnOutage, RateLimitLayer, Unidentified,
};
use millpond::{ManualClock, Millpond, ScopeLayer, rate_limited};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

const MINUTE: Duration = Duration::from_secs(60);
const HUNDRED: Limit = Limit::sliding_window("HUNDRED", 100, MINUTE);
const THREE: Limit = Limit::fixed_window("THREE", 3, MINUTE);
const TWO: Limit = Limit::fixed_window("TWO", 2, Duration::from_secs(3_600));

/// 2026-01-01T00:00:15Z, a quarter into a minute.
fn pond() -> Millpond {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(15));
    Millpond::builder().clock(clock).build().unwrap()
}

fn user(request: &Parts) -> Option<String> {
    let user = request.headers.get("x-user")?;
    user.to_str().ok().map(str::to_owned)
}

async fn ask(
    app: &mut Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.call(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

async fn as_ada(app: &mut Router, path: &str) -> Response<Body> {
    ask(app, Method::GET, path, &[("x-user", "ada")]).await
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> Option<&'a str> {
    header_of(response.headers(), name)
}

fn header_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn of_nested_layers_the_strictest_budget_is_told_whichever_is_inside() {
    let wide = RateLimitLayer::new(HUNDRED, user).ietf();
    let narrow = RateLimitLayer::new(THREE, user).ietf();
    for (inner, outer) in [(wide.clone(), narrow.clone()), (narrow, wide)] {
        let mut app = Router::new()
            .route("/", get(|| async { "ok" }))
            .layer(inner)
            .layer(outer)
            .layer(ScopeLayer::new(pond()));
        let response = as_ada(&mut app, "/").await;
        assert_eq!(header(&response, "x-ratelimit-limit"), Some("3"));
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("2"));
        assert_eq!(header(&response, "ratelimit"), Some(r#""THREE";r=2;t=45"#));
        for _ in 0..2 {
            as_ada(&mut app, "/").await;
        }
        let refused = as_ada(&mut app, "/").await;
        assert_eq!(refused.status(), 429);
        assert_eq!(header(&refused, "x-ratelimit-limit"), Some("3"));
        assert_eq!(header(&refused, "retry-after"), Some("45"));
    }
}

#[rate_limited(kind = THREE, id = "ada".to_owned())]
async fn handler() -> impl IntoResponse {
    "ok"
}

#[tokio::test]
async fn an_attribute_below_a_layer_is_told_if_it_is_stricter() {
    let mut app = Router::new()
        .route("/", get(handler))
        .layer(RateLimitLayer::new(HUNDRED, user))
        .layer(ScopeLayer::new(pond()));
    for left in ["2", "1", "0"] {
        let response = as_ada(&mut app, "/").await;
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some(left));
    }
    let refused = as_ada(&mut app, "/").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "x-ratelimit-limit"), Some("3"));
}

#[tokio::test]
async fn several_limits_of_a_layer_are_one_decision_and_all_are_listed() {
    let pond = pond();
    let layer = RateLimitLayer::new(THREE, user).and_for(TWO, |_: &Parts| Some("team".to_owned()));
    let mut app = Router::new()
        .route("/", get(|| async { "ok" }))
        .layer(layer.ietf().problem_json().on(&pond));
    let response = as_ada(&mut app, "/").await;
    assert_eq!(header(&response, "x-ratelimit-remaining"), Some("1"));
    let policies = r#""THREE";q=3;w=60, "TWO";q=2;w=3600"#;
    assert_eq!(header(&response, "ratelimit-policy"), Some(policies));
    let left = r#""THREE";r=2;t=45, "TWO";r=1;t=3585"#;
    assert_eq!(header(&response, "ratelimit"), Some(left));
    as_ada(&mut app, "/").await;
    let refused = as_ada(&mut app, "/").await;
    assert_eq!(refused.status(), 429);
    let left = r#""THREE";r=1, "TWO";r=0;t=3585"#;
    assert_eq!(header(&refused, "ratelimit"), Some(left));
    assert_eq!(header(&refused, "retry-after"), Some("3585"));
    assert_eq!(
        header(&refused, "content-type"),
        Some("application/problem+json")
    );
    let problem: serde_json::Value = serde_json::from_str(&text(refused).await).unwrap();
    let kind = "https://iana.org/assignments/http-problem-types#quota-exceeded";
    assert_eq!(problem["type"], kind);
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["violated-policies"], serde_json::json!(["TWO"]));
    let of_ada = pond.limiter(&THREE).peek("ada").await.unwrap();
    assert_eq!(of_ada.remaining(), Some(1), "the refused call took nothing");
}

#[tokio::test]
async fn an_outage_under_deny_is_reduced_capacity() {
    let pond = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    let pond = pond.retries(0).build().unwrap();
    let deny = THREE.on_outage(OnOutage::Deny);
    let mut app = Router::new().route("/", get(|| async { "ok" })).layer(
        RateLimitLayer::new(deny, user)
            .problem_json()
            .ietf()
            .on(&pond),
    );
    let response = as_ada(&mut app, "/").await;
    assert_eq!(response.status(), 503);
    assert_eq!(header(&response, "retry-after"), Some("1"));
    assert_eq!(header(&response, "ratelimit-policy"), None);
    let problem = text(response).await;
    assert!(problem.contains("#temporary-reduced-capacity"), "{problem}");
    assert!(
        problem.contains(r#""violated-policies":["THREE"]"#),
        "{problem}"
    );
}

#[tokio::test]
async fn preflights_count_unless_they_are_skipped() {
    let preflight = [
        ("x-user", "ada"),
        ("origin", "https://a.example"),
        ("access-control-request-method", "POST"),
    ];
    let counting = RateLimitLayer::new(THREE, user);
    for (layer, left) in [
        (counting.clone(), "1"),
        (counting.skip(limit::is_preflight), "2"),
    ] {
        let mut app = Router::new()
            .route("/", any(|| async { "ok" }))
            .layer(layer.on(&pond()));
        ask(&mut app, Method::OPTIONS, "/", &preflight).await;
        let response = as_ada(&mut app, "/").await;
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some(left));
        // Without its headers it is no preflight.
        ask(&mut app, Method::OPTIONS, "/", &[("x-user", "ada")]).await;
        let response = ask(&mut app, Method::HEAD, "/", &[("x-user", "ada")]).await;
        assert_ne!(
            header(&response, "x-ratelimit-remaining"),
            Some(left),
            "HEAD counts as GET"
        );
    }
    assert!(limit::EXPOSED.iter().any(|name| name == "retry-after"));
    assert!(limit::EXPOSED.iter().any(|name| name == "ratelimit-policy"));
}

#[tokio::test]
async fn a_service_says_what_is_skipped_what_is_answered_and_which_plan_counts() {
    fn plan(request: &Parts) -> Limit {
        if request.headers.contains_key("x-paying") {
            HUNDRED
        } else {
            TWO
        }
    }
    let layer = RateLimitLayer::new(plan, user)
        .skip(|request| request.uri.path() == "/health")
        .on_refusal(|refusal, request| {
            let path = request.uri.path().to_owned();
            (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{path}: {}", refusal.decision().kind()),
            )
                .into_response()
        });
    let mut app = Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/health", get(|| async { "ok" }))
        .layer(layer.on(&pond()));
    for _ in 0..5 {
        let healthy = as_ada(&mut app, "/health").await;
        assert_eq!(header(&healthy, "x-ratelimit-limit"), None);
    }
    let response = as_ada(&mut app, "/").await;
    assert_eq!(header(&response, "x-ratelimit-remaining"), Some("1"));
    let paying = [("x-user", "ada"), ("x-paying", "1")];
    let response = ask(&mut app, Method::GET, "/", &paying).await;
    assert_eq!(header(&response, "x-ratelimit-remaining"), Some("99"));
    as_ada(&mut app, "/").await;
    let refused = as_ada(&mut app, "/").await;
    assert_eq!(refused.status(), 503);
    assert!(header(&refused, "retry-after").is_some());
    assert_eq!(text(refused).await, "/: TWO");
}

#[tokio::test]
async fn only_failed_logins_count_and_parallel_ones_cannot_all_pass() {
    async fn log_in(request: Request<Body>) -> StatusCode {
        tokio::task::yield_now().await;
        if request.headers().contains_key("x-password") {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        }
    }
    let layer =
        RateLimitLayer::new(THREE, user).count_when(|response| response.status().is_client_error());
    let app = Router::new()
        .route("/", post(log_in))
        .layer(layer.ietf().on(&pond()));
    let right = [("x-user", "ada"), ("x-password", "secret")];
    let mut one = app.clone();
    for _ in 0..10 {
        let response = ask(&mut one, Method::POST, "/", &right).await;
        assert_eq!(response.status(), 200);
        assert_eq!(header(&response, "x-ratelimit-remaining"), Some("3"));
        assert_eq!(header(&response, "ratelimit"), Some(r#""THREE";r=3;t=45"#));
    }
    let wrong = [("x-user", "ada")];
    let attempts = (0..10).map(|_| {
        let mut app = app.clone();
        async move { ask(&mut app, Method::POST, "/", &wrong).await.status() }
    });
    let statuses = futures_util::future::join_all(attempts).await;
    let guessed = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(guessed, 3, "{statuses:?}");
}

#[tokio::test]
async fn a_request_by_nobody_is_refused_shares_or_goes_through() {
    let layer = RateLimitLayer::new(TWO, user);
    for (unidentified, statuses) in [
        (Unidentified::Refuse, [400, 400, 400]),
        (Unidentified::Share, [200, 200, 429]),
        (Unidentified::Allow, [200, 200, 200]),
    ] {
        let mut app = Router::new()
            .route("/", get(|| async { "ok" }))
            .layer(layer.clone().unidentified(unidentified).on(&pond()));
        for status in statuses {
            let response = ask(&mut app, Method::GET, "/", &[]).await;
            assert_eq!(response.status(), status, "{unidentified:?}");
        }
    }
}

#[tokio::test]
async fn a_mocked_connection_and_the_extractor_know_the_client() {
    async fn whoami(ClientIp(address): ClientIp) -> String {
        address.to_string()
    }
    let mut app = Router::new()
        .route("/", get(whoami))
        .layer(RateLimitLayer::new(TWO, ClientAddress::behind(1)).on(&pond()))
        .layer(Extension(ClientAddress::behind(1)))
        .layer(MockConnectInfo(SocketAddr::from(([10, 0, 0, 7], 1))));
    let response = ask(
        &mut app,
        Method::GET,
        "/",
        &[("x-forwarded-for", "203.0.113.9")],
    )
    .await;
    assert_eq!(text(response).await, "203.0.113.9");
    let response = ask(&mut app, Method::GET, "/", &[]).await;
    assert_eq!(header(&response, "x-ratelimit-remaining"), Some("1"));
    assert_eq!(text(response).await, "10.0.0.7");
}

#[tokio::test]
async fn a_redirection_says_no_time_to_wait_for() {
    let mut app = Router::new()
        .route(
            "/",
            get(|| async { axum::response::Redirect::to("/there") }),
        )
        .layer(RateLimitLayer::new(TWO, user).ietf().on(&pond()));
    let response = as_ada(&mut app, "/").await;
    assert_eq!(header(&response, "ratelimit"), None);
    assert!(header(&response, "ratelimit-policy").is_some());
    assert_eq!(header(&response, "x-ratelimit-remaining"), Some("1"));
}

/// A service that is none of axum's, with bodies of its own.
#[derive(Clone)]
struct Plain;

/// As the body of tonic, it cannot be made of a text.
#[derive(Debug, Default)]
struct Frames(Vec<u8>);

impl Service<Request<Frames>> for Plain {
    type Response = Response<Frames>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Frames>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Frames>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_body())))
    }
}

#[tokio::test]
async fn a_service_of_grpc_is_refused_as_it_expects() {
    let unreachable = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    let unreachable = unreachable.retries(0).build().unwrap();
    let deny = TWO.on_outage(OnOutage::Deny);
    for (pond, statuses) in [
        (pond(), [None, None, Some("8")]),
        (unreachable, [Some("14"); 3]),
    ] {
        let layer = RateLimitLayer::new(deny, |_: &Parts| Some("peer".to_owned()));
        let mut service = layer.grpc().on(&pond).layer(Plain);
        for status in statuses {
            let response = service.call(Request::new(Frames(vec![1]))).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(header_of(response.headers(), "grpc-status"), status);
            assert_eq!(response.body().0.is_empty(), status.is_some());
        }
    }
    // Beside other routes, by the kind of the request.
    let mut app = Router::new()
        .route("/", post(|| async { "ok" }))
        .layer(RateLimitLayer::new(TWO, user).on(&pond()));
    let headers = [
        ("x-user", "ada"),
        ("content-type", "application/grpc+proto"),
    ];
    for _ in 0..2 {
        ask(&mut app, Method::POST, "/", &headers).await;
    }
    let refused = ask(&mut app, Method::POST, "/", &headers).await;
    assert_eq!(refused.status(), 200);
    assert_eq!(header(&refused, "grpc-status"), Some("8"));
    assert_eq!(text(refused).await, "");
}

#[tokio::test]
async fn a_partition_key_is_a_hash_and_never_the_identifier() {
    let mut app = Router::new()
        .route("/", get(|| async { "ok" }))
        .layer(RateLimitLayer::new(TWO, user).partition_key().on(&pond()));
    let ada = as_ada(&mut app, "/").await;
    let policy = header(&ada, "ratelimit-policy").unwrap().to_owned();
    assert!(
        policy.contains(";pk=:") && !policy.contains("ada"),
        "{policy}"
    );
    let grace = ask(&mut app, Method::GET, "/", &[("x-user", "grace")]).await;
    assert_ne!(header(&grace, "ratelimit-policy"), Some(&*policy));
}
