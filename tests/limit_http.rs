//! What HTTP clients see of limits, over a socket.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use millpond::limit::{
    self, ClientAddress, Limit, OnOutage, RateLimitHeadersLayer, RateLimitLayer, RateLimited,
};
use millpond::{ManualClock, Millpond};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MINUTE: Duration = Duration::from_secs(60);
const TWO: Limit = Limit::fixed_window("TWO", 2, MINUTE);

/// 2026-01-01T00:00:15Z, a quarter into a window.
fn pond() -> Millpond {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(15));
    Millpond::builder().clock(clock).build().unwrap()
}

/// An Upstash where nobody listens.
fn unreachable() -> Millpond {
    let builder = Millpond::builder().upstash("http://127.0.0.1:9", "token");
    builder.retries(0).build().unwrap()
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn has_budget(&self) -> bool {
        self.headers.keys().any(|name| name.contains("ratelimit"))
    }
}

struct Server(SocketAddr);

impl Server {
    async fn start(app: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self(address)
    }

    async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        let mut stream = TcpStream::connect(self.0).await.unwrap();
        let headers: String = headers.iter().flat_map(|line| [*line, "\r\n"]).collect();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let (status, lines) = head.split_once("\r\n").unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        };
        Answer {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: lines.lines().map(header).collect(),
            body: body.to_owned(),
        }
    }
}

async fn generate(
    State(pond): State<Millpond>,
    Path(user): Path<String>,
) -> Result<String, RateLimited> {
    pond.limiter(&TWO)
        .check(&user)
        .await
        .unwrap()
        .into_result()?;
    Ok(format!("made for {user}"))
}

#[tokio::test]
async fn a_refusal_is_429_with_body_and_headers() {
    let app = Router::new()
        .route("/{user}", get(generate))
        .with_state(pond());
    let server = Server::start(app).await;
    for _ in 0..2 {
        let answer = server.get("/u", &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "made for u"));
    }
    let answer = server.get("/u", &[]).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        answer.body,
        r#"{"error":"Rate limit exceeded","message":"Too many requests. Please try again after 2026-01-01T00:01:00.000Z","retryAfter":45}"#
    );
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-ratelimit-limit", "2"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "1767225660000"),
        ("retry-after", "45"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("ratelimit"), None, "only on request");
    assert_eq!(server.get("/other", &[]).await.status, 200);
}

#[tokio::test]
async fn a_refusal_fits_into_the_errors_of_handlers() {
    async fn refused(pond: &Millpond) -> Result<(), RateLimited> {
        let decision = pond.limiter(&TWO).check_n("u", 3).await.unwrap();
        decision.into_result().map(drop)
    }
    async fn status(State(pond): State<Millpond>) -> Result<(), StatusCode> {
        Ok(refused(&pond).await?)
    }
    async fn pair(State(pond): State<Millpond>) -> Result<(), (StatusCode, String)> {
        Ok(refused(&pond).await?)
    }
    async fn response(State(pond): State<Millpond>) -> Response {
        match refused(&pond).await {
            Ok(()) => "fine".into_response(),
            Err(refusal) => refusal.into(),
        }
    }
    let app = Router::new()
        .route("/status", get(status))
        .route("/pair", get(pair))
        .route("/response", get(response));
    let server = Server::start(app.with_state(pond())).await;
    let body = r#"{"error":"Rate limit exceeded","message":"This request costs more than the rate limit ever allows"}"#;
    for (path, told) in [("/status", ""), ("/pair", body), ("/response", body)] {
        let answer = server.get(path, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (429, told), "{path}");
        assert_eq!(answer.header("retry-after"), None, "waiting does not help");
    }
}

#[tokio::test]
async fn the_layer_refuses_and_tells_every_response_its_budget() {
    let layer = RateLimitLayer::new(TWO, ClientAddress::direct()).on(&pond());
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .layer(layer.ietf());
    let server = Server::start(app).await;
    for left in ["1", "0"] {
        let answer = server.get("/", &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left));
        assert_eq!(answer.header("x-ratelimit-limit"), Some("2"));
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""TWO";q=2;w=60"#));
        assert_eq!(
            answer.header("ratelimit"),
            Some(&*format!(r#""TWO";r={left};t=45"#))
        );
        assert_eq!(answer.header("retry-after"), None);
    }
    let answer = server.get("/", &[]).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("45"))
    );
    assert_eq!(answer.header("ratelimit"), Some(r#""TWO";r=0;t=45"#));
}

#[tokio::test]
async fn a_spoofed_address_does_not_help() {
    let direct = RateLimitLayer::new(TWO, ClientAddress::direct()).on(&pond());
    let behind = RateLimitLayer::new(TWO, ClientAddress::behind(1)).on(&pond());
    let app = Router::new()
        .route("/direct", get(|| async {}).layer(direct))
        .route("/behind", get(|| async {}).layer(behind));
    let server = Server::start(app).await;
    let mut passed = 0;
    for attempt in 0..6 {
        let spoofed = format!("X-Forwarded-For: 6.6.6.{attempt}");
        passed += u32::from(server.get("/direct", &[&spoofed]).await.status == 200);
    }
    assert_eq!(passed, 2, "the header is not believed");
    let mut passed = 0;
    for attempt in 0..6 {
        let spoofed = format!("X-Forwarded-For: 6.6.6.{attempt}");
        let by_proxy = format!("X-Forwarded-For: [2001:db8::1]:{}", 4000 + attempt);
        passed += u32::from(server.get("/behind", &[&spoofed, &by_proxy]).await.status == 200);
    }
    assert_eq!(passed, 2, "what the proxy appended is, whatever the port");
    let other = server
        .get("/behind", &["X-Forwarded-For: 2001:db8:0:1::2"])
        .await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn a_request_by_nobody_is_refused_as_such() {
    fn key(request: &axum::http::request::Parts) -> Option<String> {
        let key = request.headers.get("x-api-key")?.to_str().ok()?;
        Some(key.to_owned())
    }
    let layer = RateLimitLayer::new(TWO, key).on(&pond());
    let server = Server::start(Router::new().route("/", get(|| async {})).layer(layer)).await;
    assert_eq!(server.get("/", &["X-Api-Key: k"]).await.status, 200);
    for nobody in [&[][..], &["X-Api-Key: "]] {
        let answer = server.get("/", nobody).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.body.contains("does not say who makes it"),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn the_headers_layer_tells_of_the_check_inside_the_handler() {
    async fn twice(State(pond): State<Millpond>) -> Result<Json<u32>, RateLimited> {
        pond.limiter(&limit::API)
            .check("u")
            .await
            .unwrap()
            .into_result()?;
        tokio::task::yield_now().await;
        pond.limiter(&TWO).check("u").await.unwrap().into_result()?;
        Ok(Json(7))
    }
    let app = Router::new()
        .route("/", get(twice))
        .route("/none", get(|| async { "unlimited" }))
        .layer(RateLimitHeadersLayer::new().ietf());
    let server = Server::start(app.with_state(pond())).await;
    let answer = server.get("/", &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "7"));
    assert_eq!(
        answer.header("x-ratelimit-remaining"),
        Some("1"),
        "the strictest"
    );
    assert_eq!(answer.header("ratelimit"), Some(r#""TWO";r=1;t=45"#));
    server.get("/", &[]).await;
    let refused = server.get("/", &[]).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, Some("45"))
    );
    assert!(!server.get("/none", &[]).await.has_budget());
}

#[tokio::test]
async fn an_outage_shows_no_budget() {
    let layer = |limit: Limit| {
        RateLimitLayer::new(limit, ClientAddress::direct())
            .on(&unreachable())
            .ietf()
    };
    let app = Router::new()
        .route("/local", get(|| async {}).layer(layer(TWO)))
        .route(
            "/deny",
            get(|| async {}).layer(layer(TWO.on_outage(OnOutage::Deny))),
        )
        .layer(RateLimitHeadersLayer::new().ietf());
    let server = Server::start(app).await;
    for status in [200, 200, 429] {
        let answer = server.get("/local", &[]).await;
        assert_eq!((answer.status, answer.has_budget()), (status, false));
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
    let answer = server.get("/deny", &[]).await;
    assert_eq!((answer.status, answer.has_budget()), (503, false));
    assert_eq!(answer.header("retry-after"), Some("1"));
}
