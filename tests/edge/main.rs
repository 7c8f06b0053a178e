//! The Worker of examples/worker, in the Workers runtime, under Node and under Deno, against the gateway: what a user of it would
//! notice, and what a deployment costs.

#![cfg(feature = "upstash")]

mod host;
mod origin;
#[path = "../support/mod.rs"]
mod support;

use futures_util::future::join_all;
use host::{Build, Host, Worker, bindings, built};
use millpond::limit::Limit;
use millpond::{cached, invalidates, ttl};
use millpond_gateway::{Gateway, Hold, Matcher, Request, needs_redis};
use origin::Origin;
use reqwest::Method;
use serde_json::json;
use std::process::Command;
use std::time::Duration;
use support::source::{Source, source};
use support::{gateway, pond};

/// Leaves the test out where the Worker cannot be built or run.
macro_rules! needs_worker {
    () => {
        if !$crate::host::is_ready() {
            return;
        }
    };
}

/// A Worker with all that it needs, for one test.
struct Stage {
    worker: Worker,
    gateway: Gateway,
    origin: Origin,
}

impl Stage {
    async fn set(host: Host, redis: &millpond_gateway::RedisServer) -> Self {
        Self::set_built(Build::Plain, host, redis).await
    }

    async fn set_built(build: Build, host: Host, redis: &millpond_gateway::RedisServer) -> Self {
        let gateway = gateway(redis).await;
        let (origin, address) = Origin::start().await;
        let bindings = bindings(&gateway, &address);
        let worker = Worker::start_built(build, host, &bindings, &[]).await;
        Self {
            worker,
            gateway,
            origin,
        }
    }
}

macro_rules! on_every_host {
    ($($behaviour:ident)*) => {
        on_every_host!(@workerd Workerd $($behaviour)*);
        on_every_host!(@node Node $($behaviour)*);
        on_every_host!(@deno Deno $($behaviour)*);
    };
    (@$module:ident $host:ident $($behaviour:ident)*) => {
        mod $module {
            $(#[tokio::test]
            async fn $behaviour() {
                needs_worker!();
                let redis = millpond_gateway::needs_redis!();
                super::$behaviour(super::Stage::set(super::Host::$host, redis).await).await;
            })*
        }
    };
}

on_every_host! {
    a_miss_asks_the_origin_and_a_hit_does_not
    that_there_is_no_such_user_is_remembered
    a_write_in_the_worker_invalidates_everywhere
    a_write_elsewhere_invalidates_in_the_worker
    a_budget_is_shared_with_a_process_elsewhere
    users_have_budgets_of_their_own
    without_redis_the_worker_answers_as_it_would_without_a_cache
    what_the_body_throws_reaches_the_caller_and_is_not_stored
    a_hundred_requests_at_once_are_all_answered
    what_is_pending_leaves_with_the_request
    the_patterns_of_the_guide_run
    a_value_that_is_too_large_is_refused_and_said_so
}

/// The same function as in the Worker, in another process.
#[cached(prefix = "user", ttl = "medium", key = "<id>")]
async fn find_user(id: u64) -> Option<String> {
    let _ = id;
    panic!("the value is there")
}

#[invalidates(find_user(id))]
async fn rename_elsewhere(id: u64) {}

async fn a_miss_asks_the_origin_and_a_hit_does_not(stage: Stage) {
    let Stage {
        worker,
        gateway,
        origin,
    } = stage;
    for _ in 0..3 {
        assert_eq!(worker.get("/users/1").await.said(), (200, "Ada"));
    }
    assert_eq!(origin.asked("/users/1"), 1);
    // Any process reads it.
    let pond = pond(&gateway);
    assert_eq!(pond.scope(find_user(1)).await.as_deref(), Some("Ada"));
    gateway.clear();
    worker.get("/users/1").await;
    let commands = gateway.commands();
    assert_eq!(commands.len(), 1, "a hit is one command: {commands:?}");
}

async fn that_there_is_no_such_user_is_remembered(stage: Stage) {
    for _ in 0..2 {
        assert_eq!(stage.worker.get("/users/7").await.status, 404);
    }
    assert_eq!(stage.origin.asked("/users/7"), 1);
    let elsewhere = pond(&stage.gateway);
    assert_eq!(elsewhere.scope(find_user(7)).await, None);
}

async fn a_write_in_the_worker_invalidates_everywhere(stage: Stage) {
    let worker = &stage.worker;
    worker.get("/users/1").await;
    assert_eq!(worker.put("/users/1", "Grace").await.status, 204);
    let elsewhere = pond(&stage.gateway);
    assert!(!elsewhere.exists("user:1").await.unwrap());
    assert_eq!(worker.get("/users/1").await.said(), (200, "Grace"));
}

async fn a_write_elsewhere_invalidates_in_the_worker(stage: Stage) {
    let worker = &stage.worker;
    worker.get("/users/1").await;
    stage.origin.set(1, "Grace");
    assert_eq!(worker.get("/users/1").await.said(), (200, "Ada"));
    pond(&stage.gateway).scope(rename_elsewhere(1)).await;
    assert_eq!(worker.get("/users/1").await.said(), (200, "Grace"));
    assert_eq!(stage.origin.asked("/users/1"), 2);
}

async fn a_budget_is_shared_with_a_process_elsewhere(stage: Stage) {
    const SEARCH: Limit = Limit::sliding_window("SEARCH", 5, Duration::from_secs(60));
    let from = |address| [("cf-connecting-ip", address)];
    let search = async |address| {
        let headers = from(address);
        stage
            .worker
            .send(Method::GET, "/search", &headers, "")
            .await
    };
    let elsewhere = pond(&stage.gateway).limiter(&SEARCH);
    for _ in 0..2 {
        assert!(elsewhere.check("203.0.113.9").await.unwrap().is_allowed());
    }
    for left in ["2", "1", "0"] {
        let answer = search("203.0.113.9").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("x-ratelimit-limit"), "5");
        assert_eq!(answer.header("x-ratelimit-remaining"), left);
    }
    let refused = search("203.0.113.9").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() <= 60);
    assert_eq!(refused.header("x-ratelimit-remaining"), "0");
    assert!(
        refused
            .text
            .starts_with(r#"{"error":"Rate limit exceeded""#)
    );
    assert!(!elsewhere.check("203.0.113.9").await.unwrap().is_allowed());
    assert_eq!(search("203.0.113.10").await.status, 200);
}

async fn users_have_budgets_of_their_own(stage: Stage) {
    let worker = &stage.worker;
    assert_eq!(
        worker.send(Method::POST, "/pictures", &[], "").await.status,
        401
    );
    let log_in = async |name| {
        let answer = worker.post("/login", name).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        cookie.to_owned()
    };
    let (ada, grace) = (log_in("ada").await, log_in("grace").await);
    let draw = async |cookie: &str| {
        let headers = [("cookie", cookie)];
        worker.send(Method::POST, "/pictures", &headers, "").await
    };
    for _ in 0..10 {
        assert_eq!(draw(&ada).await.said(), (200, "a picture of a pond"));
    }
    let refused = draw(&ada).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.header("x-ratelimit-limit"), "10");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(draw(&grace).await.status, 200);
}

async fn without_redis_the_worker_answers_as_it_would_without_a_cache(stage: Stage) {
    let worker = &stage.worker;
    stage.gateway.refuse().await;
    for asked in 1..=2 {
        assert_eq!(worker.get("/users/1").await.said(), (200, "Ada"));
        assert_eq!(stage.origin.asked("/users/1"), asked);
    }
    // Each isolate has a budget of its own meanwhile.
    assert_eq!(worker.get("/search").await.status, 200);
    let counter = worker.get("/views/home").await;
    assert_eq!(counter.status, 503, "{counter:?}");
    stage.gateway.accept().await;
    // The circuit breaker looks again within five seconds.
    let back = async { while worker.get("/views/home").await.status != 200 {} };
    let back = tokio::time::timeout(Duration::from_secs(60), back).await;
    back.expect("it is used again once it is back");
}

async fn what_the_body_throws_reaches_the_caller_and_is_not_stored(stage: Stage) {
    let worker = &stage.worker;
    stage.origin.breaks(true);
    assert_eq!(worker.get("/users/1").await.status, 502);
    stage.origin.breaks(false);
    assert_eq!(worker.get("/users/1").await.said(), (200, "Ada"));
    // An exception of JavaScript: nobody listens there.
    let nowhere = bindings(&stage.gateway, "http://127.0.0.1:9");
    let worker = Worker::start(Host::Workerd, &nowhere, &[]).await;
    let thrown = worker.get("/users/2").await;
    assert_eq!(thrown.status, 502, "{thrown:?}");
    assert!(!pond(&stage.gateway).exists("user:2").await.unwrap());
    assert_eq!(worker.get("/views/home").await.status, 200);
}

async fn a_hundred_requests_at_once_are_all_answered(stage: Stage) {
    let worker = &stage.worker;
    // While the first of them wait for Redis, and while the first of them wait for the origin, the others arrive.
    let hold = stage.gateway.hold(Matcher::command("MGET"));
    let asked = join_all((0..100).map(async |n| match n % 4 {
        0 | 1 => assert_eq!(worker.get("/users/1").await.said(), (200, "Ada")),
        2 => assert_eq!(worker.post("/views/home", "").await.status, 200),
        _ => assert_eq!(worker.get(&format!("/users/{n}")).await.status, 404),
    }));
    let release = async {
        hold.arrived().await;
        hold.release();
    };
    futures_util::join!(asked, release);
    assert_eq!(worker.get("/views/home").await.said(), (200, "25"));
    let origin = &stage.origin;
    assert!(origin.asked("/users/1") <= 50);
    assert_eq!(worker.get("/users/1").await.said(), (200, "Ada"));
}

async fn what_is_pending_leaves_with_the_request(stage: Stage) {
    let Stage {
        worker, gateway, ..
    } = &stage;
    // The sums of a limit, which nobody waits for.
    assert_eq!(worker.get("/search").await.status, 200);
    let analytics = |requests: &[millpond_gateway::Request]| {
        let text = format!("{requests:?}");
        text.contains(":events:")
    };
    gateway.wait_for(analytics).await;
    // An invalidation that the server did not take while the request lasted.
    worker.get("/users/1").await;
    gateway.refuse().await;
    assert_eq!(worker.put("/users/1", "Grace").await.status, 204);
    gateway.accept().await;
    let elsewhere = pond(gateway);
    let delivered = async {
        while elsewhere.exists("user:1").await.unwrap() {
            // Any request takes along what is owed.
            worker.get("/").await;
        }
    };
    let delivered = tokio::time::timeout(Duration::from_secs(60), delivered).await;
    delivered.expect("the invalidation is delivered");
}

async fn the_patterns_of_the_guide_run(stage: Stage) {
    let worker = &stage.worker;
    // cachedAICall
    let first = worker.post("/ask", "why is the sky blue?").await;
    let again = worker.post("/ask", "why is the sky blue?").await;
    assert!(first.text.starts_with("a long answer to why"), "{first:?}");
    assert_eq!(first.text, again.text);
    assert_eq!(stage.origin.asked("/model"), 1);
    let elsewhere = pond(&stage.gateway);
    let keys = elsewhere.command(["KEYS", "ai:*"]).await.unwrap();
    assert!(!format!("{keys:?}").contains("sky"), "{keys:?}");
    // createSession, getSession
    let welcome = worker.post("/login", "ada").await;
    let cookie = welcome.header("set-cookie").split(';').next().unwrap();
    let me = worker
        .send(Method::GET, "/me", &[("cookie", cookie)], "")
        .await;
    assert_eq!(me.said(), (200, "ada"));
    assert_eq!(worker.get("/me").await.status, 401);
    // incrementPageView, getPageViews
    assert_eq!(worker.get("/views/home").await.said(), (200, "0"));
    assert_eq!(worker.post("/views/home", "").await.said(), (200, "1"));
    assert_eq!(
        elsewhere
            .increment("views:home", 1, ttl::WEEK)
            .await
            .unwrap(),
        2
    );
    assert_eq!(worker.get("/views/home").await.said(), (200, "2"));
}

async fn a_value_that_is_too_large_is_refused_and_said_so(stage: Stage) {
    let large = "x".repeat(5 << 20);
    let refused = stage.worker.post("/login", &large).await;
    assert_eq!(refused.status, 413, "{refused:?}");
    assert_eq!(stage.worker.post("/login", "ada").await.status, 200);
}

#[tokio::test]
async fn a_wrong_binding_is_named() {
    needs_worker!();
    let gateway = gateway(needs_redis!()).await;
    let right = bindings(&gateway, "http://127.0.0.1:9");
    let (url, token) = ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN");
    let without = |names: &[&str]| {
        let mut bindings = right.clone();
        for name in names {
            bindings.as_object_mut().unwrap().remove(*name);
        }
        bindings
    };
    let cases = [
        (without(&[url, token]), vec![], url),
        (without(&[token]), vec![], token),
        // Somebody has bound a namespace of Workers KV in place of the URL.
        (without(&[url]), vec![url], url),
    ];
    for (bindings, namespaces, named) in cases {
        let worker = Worker::start(Host::Workerd, &bindings, &namespaces).await;
        let answer = worker.get("/users/1").await;
        assert_eq!(answer.status, 500, "{answer:?}");
        assert!(answer.text.contains(named), "{answer:?}");
        assert!(!answer.text.contains(gateway.token()), "{answer:?}");
    }
    // The token is wrong, which only the server knows.
    let mut wrong = right.clone();
    wrong[token] = json!("hunter2");
    let worker = Worker::start(Host::Workerd, &wrong, &[]).await;
    let answer = worker.get("/views/home").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text.contains(token), "{answer:?}");
    assert!(!answer.text.contains("hunter2"), "{answer:?}");
}

#[tokio::test]
async fn a_redirect_does_not_take_the_token_along() {
    use axum::http::{HeaderMap, StatusCode, header};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    needs_worker!();
    let followed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&followed);
    let app = axum::Router::new()
        .route(
            "/elsewhere",
            axum::routing::any(move |_: HeaderMap| async move {
                count.fetch_add(1, Ordering::SeqCst);
            }),
        )
        .fallback(|| async {
            (
                StatusCode::TEMPORARY_REDIRECT,
                [(header::LOCATION, "/elsewhere")],
            )
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let bindings = json!({
        "UPSTASH_REDIS_REST_URL": address,
        "UPSTASH_REDIS_REST_TOKEN": "hunter2",
        "ORIGIN": "http://127.0.0.1:9",
    });
    for host in [Host::Workerd, Host::Node, Host::Deno] {
        let worker = Worker::start(host, &bindings, &[]).await;
        let answer = worker.get("/views/home").await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.text.contains("redirect"), "{host:?}: {answer:?}");
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

/// The most that the module may weigh, in bytes: half of it is what a bare program with an HTTP client weighs.
const LARGEST: u64 = 704 * 1024;

/// The same function as in the Worker with the feature `one-load`, in another process.
#[cached(
    prefix = "ai",
    ttl = "1h",
    key = "<prompt:sha256>",
    skip(source),
    compress,
    flight = "cluster"
)]
async fn ask_elsewhere(prompt: &str, source: &Source<String>) -> String {
    source.answer().await
}

/// Withholds what so many requests learn of the lease of another one.
fn looks(gateway: &Gateway, number: usize) -> Vec<Hold> {
    let look = |request: &Request| {
        let looks = |it: &Vec<String>| it[0] == "GET" && it[1].ends_with(":lease");
        request.commands.iter().any(looks)
    };
    let looks = (0..number).map(|_| gateway.hold(Matcher::when(look)));
    looks.collect()
}

async fn arrived(looks: Vec<Hold>) {
    join_all(looks.iter().map(Hold::arrived)).await;
    looks.into_iter().for_each(Hold::release);
}

#[tokio::test]
async fn one_load_serves_all_requests_and_processes_and_a_request_that_loads_keeps_its_lease() {
    needs_worker!();
    let stage = Stage::set_built(Build::OneLoad, Host::Workerd, needs_redis!()).await;
    let (worker, gateway) = (&stage.worker, &stage.gateway);
    // A server loads, and ten requests, which share nothing, wait for it.
    let (source, mut bodies) = source();
    let server = pond(gateway);
    let load = server.spawn(async move { ask_elsewhere("why?", &source).await });
    let body = bodies.next().await;
    let waiting = looks(gateway, 10);
    let asked = join_all((0..10).map(|_| worker.post("/ask", "why?")));
    let answer = async {
        arrived(waiting).await;
        body.answer("because".to_owned());
    };
    let (asked, ()) = futures_util::join!(asked, answer);
    for answer in asked {
        assert_eq!(answer.said(), (200, "because"));
    }
    assert_eq!(load.await.unwrap(), "because");
    assert_eq!(stage.origin.asked("/model"), 0);

    // Ten of them load one answer; while it takes long, its lease is renewed.
    let model = stage.origin.thinks();
    let renewals: Vec<Hold> = (0..4)
        .map(|_| gateway.hold(Matcher::when(renews)))
        .collect();
    let waiting = looks(gateway, 9);
    let asked = join_all((0..10).map(|_| worker.post("/ask", "what?")));
    let answer = async {
        arrived(waiting).await;
        for renewal in renewals {
            renewal.arrived().await;
            renewal.release();
        }
        model.send(()).unwrap();
    };
    let (asked, ()) = futures_util::join!(asked, answer);
    for answer in asked {
        assert!(
            answer.text.starts_with("a long answer to what"),
            "{answer:?}"
        );
    }
    assert_eq!(stage.origin.asked("/model"), 1);

    // One that fails lets the others go, each with a body of its own.
    stage.origin.breaks(true);
    for answer in join_all((0..3).map(|_| worker.post("/ask", "no?"))).await {
        assert_eq!(answer.status, 502);
    }
}

fn renews(request: &Request) -> bool {
    let renews =
        |it: &Vec<String>| it.len() == 6 && it[0] == "EVALSHA" && it[3].ends_with(":lease");
    request.commands.iter().any(renews)
}

#[tokio::test]
async fn the_module_is_small_and_starts_quickly() {
    needs_worker!();
    let stage = Stage::set(Host::Workerd, needs_redis!()).await;
    let module = built(Build::Plain).join("app_bg.wasm");
    let size = module.metadata().unwrap().len();
    let packed = Command::new("gzip").arg("-9c").arg(&module).output();
    let packed = packed.map_or(0, |packed| packed.stdout.len());
    let began = std::time::Instant::now();
    stage.worker.get("/").await;
    let warm = began.elapsed();
    println!(
        "the Worker: {} KB ({} KB packed), first request {:?}, later ones {warm:?}",
        size / 1024,
        packed / 1024,
        stage.worker.cold,
    );
    assert!(size <= LARGEST, "the module has {size} bytes");
    // Folders of this machine weigh several KB, and are nobody's business.
    let module = std::fs::read(module).unwrap();
    let built_in = [env!("CARGO_MANIFEST_DIR"), "edge/toolchain", "registry/src"];
    for folder in built_in {
        let found = module
            .windows(folder.len())
            .position(|text| text == folder.as_bytes());
        assert_eq!(found, None, "the module names {folder}");
    }
    assert!(stage.worker.cold < Duration::from_secs(10));
}
