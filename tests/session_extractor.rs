//! The session of a request: who is let in, and who is counted.
#![cfg(feature = "axum")]

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::middleware::from_extractor;
use axum::routing::get;
use axum::{Extension, Router};
use millpond::limit::{CallerSession, Limit, RateLimitLayer};
use millpond::{CurrentSession, ManualClock, Millpond, Reply, SessionCookie, SessionId, Sessions};
use std::time::Duration;
use tower::ServiceExt;

const MINUTE: Duration = Duration::from_secs(60);
const TWO: Limit = Limit::fixed_window("TWO", 2, MINUTE);

async fn whoami(CurrentSession { id, value }: CurrentSession<u64>) -> String {
    format!("{value} {}", id.as_str())
}

async fn perhaps(session: Option<CurrentSession<u64>>) -> String {
    session.map_or("nobody".to_owned(), |session| session.value.to_string())
}

fn app(sessions: &Sessions<u64>) -> Router {
    Router::new()
        .route("/", get(whoami))
        .route("/perhaps", get(perhaps))
        .layer(Extension(SessionCookie::new("sid", sessions.clone())))
}

async fn ask(app: &Router, path: &str, cookies: &[&str]) -> (StatusCode, String) {
    let mut request = Request::builder().uri(path);
    for cookie in cookies {
        request = request.header("cookie", *cookie);
    }
    let request = request.body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn the_session_of_the_cookie_is_found_and_nobody_elses() {
    let sessions = Millpond::memory().sessions::<u64>(MINUTE).hashed();
    let (ada, grace) = (
        sessions.create(&7).await.unwrap(),
        sessions.create(&8).await.unwrap(),
    );
    let (ada, grace) = (ada.as_str(), grace.as_str());
    let app = app(&sessions);
    let ours = format!("sid={ada}");
    let theirs = format!("sid={grace}");
    for cookies in [
        &[ours.as_str()][..],
        &[&format!("a=b; {ours};c=\"d\"")],
        &["a=b", &ours],
        &[&format!("xsid={grace}; SID={grace}; {ours}")],
    ] {
        let found = ask(&app, "/", cookies).await;
        assert_eq!(found, (StatusCode::OK, format!("7 {ada}")), "{cookies:?}");
    }
    let unknown = format!("sid={}", "A".repeat(32));
    for cookies in [
        &[][..],
        &["sid="],
        &["sid"],
        &["sid=../../etc/passwd/and/further"],
        &[unknown.as_str()],
        &[&format!("sid={ada}A")],
        // Somebody put one of them there.
        &[&format!("{theirs}; {ours}")],
        &[&theirs, &ours],
    ] {
        let (status, _) = ask(&app, "/", cookies).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{cookies:?}");
        let found = ask(&app, "/perhaps", cookies).await;
        assert_eq!(found, (StatusCode::OK, "nobody".to_owned()), "{cookies:?}");
    }
    let id: SessionId = ada.parse().unwrap();
    sessions.destroy(&id).await.unwrap();
    assert_eq!(ask(&app, "/", &[&ours]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_outage_logs_nobody_out_and_a_mistake_of_the_program_is_one() {
    let nowhere = Millpond::builder()
        .upstash("http://127.0.0.1:1", "token")
        .retries(0)
        .build()
        .unwrap();
    let cookie = format!("sid={}", "A".repeat(32));
    let away = app(&nowhere.sessions(MINUTE));
    let pond = Millpond::memory();
    let texts = pond.sessions::<String>(MINUTE);
    let id = texts.create("not a number").await.unwrap();
    let other = app(&pond.sessions(MINUTE));
    let unset = Router::new().route("/", get(whoami));
    for path in ["/", "/perhaps"] {
        let (status, _) = ask(&away, path, &[&cookie]).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let text = format!("sid={}", id.as_str());
        let (status, body) = ask(&other, path, &[&text]).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.contains("not a number") && !body.contains(id.as_str()));
    }
    let (status, body) = ask(&unset, "/", &[&cookie]).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(body.contains("SessionCookie::new"), "{body}");
}

#[tokio::test]
async fn a_layer_counts_sessions_that_exist_and_no_cookie_that_was_made_up() {
    let clock = ManualClock::new();
    let pond = Millpond::builder().clock(clock).build().unwrap();
    let sessions = pond.sessions::<u64>(MINUTE);
    let limited = |app: Router| app.layer(RateLimitLayer::new(TWO, CallerSession).on(&pond));
    let page = Router::new().route("/", get(|| async { "page" }));
    let app = limited(page.clone())
        .layer(from_extractor::<CurrentSession<u64>>())
        .layer(Extension(SessionCookie::new("sid", sessions.clone())));
    let cookie = async || format!("sid={}", sessions.create(&7).await.unwrap().as_str());
    let (one, two) = (cookie().await, cookie().await);
    for cookie in [&one, &two] {
        for _ in 0..2 {
            assert_eq!(ask(&app, "/", &[cookie]).await.0, StatusCode::OK);
        }
        let (status, _) = ask(&app, "/", &[cookie]).await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    }
    let made_up = format!("sid={}", "A".repeat(32));
    assert_eq!(
        ask(&app, "/", &[&made_up]).await.0,
        StatusCode::UNAUTHORIZED
    );
    // Where nobody looked the session up, the cookie is nobody.
    let unchecked = limited(page);
    assert_eq!(
        ask(&unchecked, "/", &[&one]).await.0,
        StatusCode::BAD_REQUEST
    );
    // A budget is not named by the id, with which whoever reads the database could act as the user.
    let scan = ["SCAN", "0", "MATCH", "*TWO*", "COUNT", "100"];
    let Reply::Array(page) = pond.command(scan).await.unwrap() else {
        panic!("SCAN answers with a page");
    };
    let budgets = page[1].clone().parse::<Vec<String>>().unwrap().join(" ");
    assert!(budgets.contains("TWO:session:"), "{budgets}");
    for cookie in [one, two] {
        assert!(!budgets.contains(&cookie[4..]), "{budgets}");
    }
}
