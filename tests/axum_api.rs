//! `cargo run --example axum_api`, driven over its socket by an HTTP client.
#![cfg(all(feature = "axum", feature = "metrics"))]

mod support;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use support::service::Service;
use tokio::process::Command;

fn number(response: &Response, header: &str) -> u64 {
    let header = response
        .headers()
        .get(header)
        .unwrap_or_else(|| panic!("no {header}"));
    header.to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_service_caches_reads_invalidates_on_writes_and_limits_each_user() {
    let service = Service::start(&[]).await;

    let ada = json!({"id": 1, "team": 1, "name": "Ada"});
    for _ in 0..3 {
        assert_eq!(
            serde_json::from_str::<Value>(&service.get("/users/1").await).unwrap(),
            ada
        );
    }
    assert_eq!(service.get("/queries").await, "1");

    assert_eq!(service.rename("Grace").await, StatusCode::NO_CONTENT);
    assert!(service.get("/users/1").await.contains("Grace"));
    assert_eq!(service.get("/queries").await, "2");

    let first = service.draw("ada").await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(number(&first, "x-ratelimit-limit"), 10);
    assert_eq!(number(&first, "x-ratelimit-remaining"), 9);

    let mut refused = service.draw("ada").await;
    // The window may turn meanwhile; two windows' worth of calls are refused in any case.
    for _ in 0..20 {
        if refused.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        refused = service.draw("ada").await;
    }
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(number(&refused, "x-ratelimit-remaining"), 0);
    assert!(number(&refused, "x-ratelimit-reset") > 1_700_000_000_000);
    let retry_after = number(&refused, "retry-after");
    assert!((1..=120).contains(&retry_after), "{retry_after}");
    let body: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(body["error"], "Rate limit exceeded");
    assert_eq!(body["retryAfter"], retry_after);
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with("Too many requests. Please try again after 20"),
        "{message}"
    );

    assert_eq!(service.draw("grace").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_service_tells_prometheus_what_happened_and_a_probe_whether_it_works() {
    let service = Service::start(&[]).await;
    let page = service.get("/metrics").await;
    let has = |page: &str, line: &str| page.lines().any(|it| it == line);
    let declared = r#"millpond_cache_calls_total{prefix="user",result="miss"} 0"#;
    assert!(
        !cfg!(feature = "catalogue") || has(&page, declared),
        "{page}"
    );
    for _ in 0..3 {
        service.get("/users/1").await;
    }
    let page = service.get("/metrics").await;
    for line in [
        "# TYPE millpond_cache_calls_total counter",
        r#"millpond_cache_calls_total{prefix="user",result="hit"} 2"#,
        r#"millpond_cache_calls_total{prefix="user",result="miss"} 1"#,
        r#"millpond_limit_checks_total{kind="PUBLIC",outcome="allowed"} 3"#,
        r#"millpond_cache_load_seconds_bucket{prefix="user",le="10"} 1"#,
        "millpond_circuit_open 0",
    ] {
        assert!(has(&page, line), "{line}\n---\n{page}");
    }
    let ready = service.get("/ready").await;
    assert!(
        ready.starts_with("engine up: embedded in this process"),
        "{ready}"
    );
    assert!(
        ready.contains("\ncircuit up: commands are sent\n"),
        "{ready}"
    );
    // Neither counts as a request of the address.
    let page = service.get("/metrics").await;
    assert!(has(
        &page,
        r#"millpond_limit_checks_total{kind="PUBLIC",outcome="allowed"} 3"#
    ));
}

/// What curl prints: the status, and the headers in lower case.
struct Answer {
    status: u16,
    headers: Vec<String>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.headers
            .iter()
            .find_map(|line| line.strip_prefix(&name))
    }
}

impl Service {
    /// As the proxy in front of the service passes it on.
    async fn curl(&self, from: &str, path: &str, args: &[&str]) -> Answer {
        let forwarded = format!("x-forwarded-for: 6.6.6.6, {from}");
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--include",
                "--header",
                &forwarded,
            ])
            .args(args)
            .arg(format!("{}{path}", self.url))
            .output()
            .await
            .expect("curl is installed");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        let (status, headers) = head.split_once("\r\n").unwrap();
        Answer {
            status: status.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.lines().map(str::to_lowercase).collect(),
        }
    }

    async fn log_in(&self, from: &str, password: &str) -> Answer {
        let body = json!({ "password": password }).to_string();
        let json = "content-type: application/json";
        self.curl(from, "/login", &["--header", json, "--data", &body])
            .await
    }
}

#[tokio::test]
async fn behind_its_proxy_the_service_limits_logins_plans_and_addresses() {
    let service = Service::start(&[]).await;

    for _ in 0..10 {
        let answer = service.log_in("203.0.113.9", "correct horse").await;
        assert_eq!(answer.status, 204, "what succeeds does not count");
    }
    let mut guesses = 0;
    let refused = loop {
        let answer = service.log_in("203.0.113.9", "hunter2").await;
        if answer.status != 401 {
            break answer;
        }
        guesses += 1;
        // The window may turn meanwhile.
        assert!(guesses <= 10, "nobody is refused");
    };
    assert!((5..=10).contains(&guesses), "{guesses}");
    assert_eq!(refused.status, 429);
    assert!(
        refused
            .header("retry-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            >= 1
    );
    assert_eq!(
        service.log_in("203.0.113.9", "correct horse").await.status,
        429
    );
    assert_eq!(service.log_in("203.0.113.10", "hunter2").await.status, 401);

    let as_ada = ["--header", "x-user: ada"];
    let as_pro = ["--header", "x-user: ada", "--header", "x-plan: pro"];
    let free = service.curl("203.0.113.11", "/reports", &as_ada).await;
    assert_eq!(free.header("x-ratelimit-limit"), Some("3"));
    assert_eq!(
        free.header("ratelimit-policy"),
        Some("\"reports\";q=3;w=60")
    );
    let paying = service.curl("203.0.113.11", "/reports", &as_pro).await;
    assert_eq!(paying.header("x-ratelimit-limit"), Some("100"));
    assert_eq!(
        service.curl("203.0.113.11", "/reports", &[]).await.status,
        400
    );
    let head = service
        .curl(
            "203.0.113.11",
            "/reports",
            &["--header", "x-user: eve", "--head"],
        )
        .await;
    assert_eq!(
        head.header("x-ratelimit-remaining"),
        Some("2"),
        "HEAD counts as GET"
    );

    let left = |answer: &Answer| {
        answer
            .header("x-ratelimit-remaining")
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let first = service.curl("2001:db8::1", "/users/1", &[]).await;
    assert_eq!(first.header("x-ratelimit-limit"), Some("200"));
    assert_eq!(left(&first), 199);
    let neighbour = service.curl("[2001:db8::2]:4711", "/users/1", &[]).await;
    assert!(left(&neighbour) <= 199, "one network, one budget");
    let other = service.curl("2001:db8:0:1::1", "/users/1", &[]).await;
    assert_eq!(left(&other), 199);
}
