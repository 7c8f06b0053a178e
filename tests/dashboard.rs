//! The service of the live page: where it can be mounted, what its answers hold, and what they never hold.
//! `tests/dashboard_page.rs` opens the page in a browser.
#![cfg(feature = "dashboard")]

mod support;

use millpond::dashboard::{self, Dashboard};
use millpond::limit::Limit;
use millpond::{ManualClock, Millpond, RateLimited, cached, invalidates, rate_limited};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

#[allow(
    non_camel_case_types,
    reason = "the name of a type may be what is written to harm a page"
)]
#[derive(serde::Serialize, serde::Deserialize)]
struct script(u32);

#[cached(prefix = "</script><script>alert(1)", ttl = "5m", key = "<id>")]
async fn harmful(id: u32) -> Vec<script> {
    vec![script(id)]
}

#[cached(prefix = "page_user", ttl = "5m", key = "<id>")]
async fn get_user(id: &str) -> Result<Option<String>, std::fmt::Error> {
    Ok(Some(format!("value of {id}")))
}

#[cached(prefix = "page_local", ttl = "5m", local = "only", key = "<id>")]
async fn kept(id: u32) -> u32 {
    id
}

#[invalidates(get_user(id))]
async fn rename_user(id: &str) {}

const DRAW: Limit = Limit::fixed_window("PAGE_DRAW", 2, Duration::from_secs(60));

#[rate_limited(kind = DRAW, id = user)]
async fn draw(user: &str) -> Result<(), RateLimited> {
    Ok(())
}

async fn answer(service: Dashboard, method: &str, uri: &str) -> http::Response<Vec<u8>> {
    let request = http::Request::builder().method(method).uri(uri);
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX);
    http::Response::from_parts(parts, body.await.unwrap().to_vec())
}

async fn text(pond: &Millpond, query: &str) -> String {
    let service = dashboard::service().of(pond.clone());
    let answer = answer(service, "GET", &format!("/?{query}")).await;
    String::from_utf8(answer.into_body()).unwrap()
}

async fn data(pond: &Millpond) -> Value {
    serde_json::from_str(&text(pond, "data").await).unwrap()
}

mod mounted {
    use super::*;
    use axum::Router;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;
    use tower_service::Service;

    async fn serve(app: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    /// The page at this path, and its data at what the page makes of it.
    async fn is_at(url: &str) {
        let page = reqwest::get(url).await.unwrap();
        assert_eq!(page.status(), 200, "{url}");
        let url = page.url().join("?data").unwrap();
        let html = page.text().await.unwrap();
        assert!(html.starts_with("<!doctype html>"), "{html}");
        let data = reqwest::get(url).await.unwrap();
        assert_eq!(data.headers()["content-type"], "application/json");
        let data: Value = serde_json::from_str(&data.text().await.unwrap()).unwrap();
        assert_eq!(data["engine"], "embedded in this process");
    }

    #[tokio::test]
    async fn a_route_a_nest_and_a_plain_server_answer_alike() {
        let service = dashboard::service().of(Millpond::memory());
        let app = Router::new()
            .route_service("/cache", service.clone())
            .nest_service("/nested", service.clone())
            .nest_service("/slash/", service.clone())
            .route("/", axum::routing::get(|| async { "the service" }));
        let url = serve(app).await;
        for path in [
            "/cache",
            "/cache?x=1",
            "/nested",
            "/nested/",
            "/nested/deep/er",
            "/slash/",
        ] {
            is_at(&format!("{url}{path}")).await;
        }
        assert_eq!(
            reqwest::get(url).await.unwrap().text().await.unwrap(),
            "the service"
        );

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                let each = service_fn(move |request| service.clone().call(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), each));
            }
        });
        is_at(&format!("http://{address}/anywhere")).await;
    }

    #[tokio::test]
    async fn two_pages_on_two_caches_and_one_on_the_current_one_show_their_own() {
        let (first, second) = (Millpond::memory(), Millpond::memory());
        first.scope(get_user("ada")).await.unwrap();
        let commands = |data: &Value| data["windows"][0]["commands"].as_u64();
        assert!(commands(&data(&first).await) > Some(0));
        assert_eq!(commands(&data(&second).await), None);
        let current = answer(dashboard::service(), "GET", "/?data");
        let current = first.scope(current).await.into_body();
        assert!(commands(&serde_json::from_slice(&current).unwrap()) > Some(0));
    }
}

#[tokio::test]
async fn every_answer_is_guarded_and_nothing_but_reading_is_answered() {
    for (method, uri, status, length) in [
        ("GET", "/", 200, true),
        ("HEAD", "/", 200, false),
        ("GET", "/?data", 200, true),
        ("GET", "/?data&since=nonsense", 200, true),
        ("POST", "/", 405, false),
        ("DELETE", "/?data", 405, false),
    ] {
        let answer = answer(dashboard::service(), method, uri).await;
        assert_eq!(
            (answer.status().as_u16(), !answer.body().is_empty()),
            (status, length)
        );
        if status == 405 {
            assert_eq!(answer.headers()["allow"], "GET, HEAD");
            continue;
        }
        let header = |name: &str| answer.headers()[name].to_str().unwrap();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'; script-src 'sha256-",
            "; style-src 'sha256-",
            "; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn the_windows_of_functions_and_limits_are_in_the_data() {
    let clock = ManualClock::new();
    let pond = Millpond::builder()
        .memory()
        .clock(clock.clone())
        .build()
        .unwrap();
    let load = async || {
        for _ in 0..3 {
            get_user("ada").await.unwrap();
            kept(7).await;
        }
        for _ in 0..3 {
            let _ = draw("ada").await;
        }
    };
    pond.scope(load()).await;
    clock.advance(Duration::from_secs(15));
    pond.scope(load()).await;
    let data = data(&pond).await;
    let windows = data["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2, "{windows:#?}");
    let [first, second] = [&windows[0], &windows[1]];
    assert_eq!(
        first["number"].as_u64().unwrap() + 1,
        second["number"].as_u64().unwrap()
    );
    let number = |window: &Value, prefix: &str, name: &str| {
        window["prefixes"][prefix][name].as_u64().unwrap_or(0)
    };
    for (name, numbers) in [("misses", [1, 0]), ("loads", [1, 0]), ("hits", [2, 3])] {
        assert_eq!(
            [first, second].map(|it| number(it, "page_user", name)),
            numbers,
            "{name}"
        );
    }
    for (name, numbers) in [("misses", [1, 0]), ("loads", [1, 0]), ("local", [2, 3])] {
        assert_eq!(
            [first, second].map(|it| number(it, "page_local", name)),
            numbers,
            "{name}"
        );
    }
    assert_eq!(first["prefixes"]["page_local"]["took"][0][1], 1);
    let checks = |it: &Value| it["kinds"]["PAGE_DRAW"].clone();
    assert_eq!(checks(first), json!({ "allowed": 2, "refused": 1 }));
    assert_eq!(checks(second), json!({ "refused": 3 }));

    let slot = second["number"].as_u64().unwrap();
    let later: Value =
        serde_json::from_str(&text(&pond, &format!("data&since={slot}")).await).unwrap();
    assert_eq!(later["windows"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&later["catalogue"], &later["catalogue_id"]),
        (&Value::Null, &data["catalogue_id"])
    );
    let functions = data["catalogue"]["functions"].as_array().unwrap();
    let user = functions
        .iter()
        .find(|it| it["prefix"] == "page_user")
        .unwrap();
    assert!(
        user["invalidated_by"][0]["mutation"]
            .as_str()
            .unwrap()
            .ends_with("::rename_user")
    );
    assert!(
        user["place"]["file"]
            .as_str()
            .unwrap()
            .ends_with("dashboard.rs")
    );
}

#[tokio::test]
async fn no_key_no_value_and_no_identifier_is_in_the_data_and_markup_is_escaped() {
    let pond = Millpond::memory();
    let secret = "hunter2";
    pond.scope(async {
        harmful(1).await;
        get_user(secret).await.unwrap();
        rename_user(secret).await;
        for _ in 0..9 {
            let _ = draw(secret).await;
        }
        // Whoever makes keys by hand may put anything before the colon.
        let key = format!("{secret}:1");
        let _ = pond.get::<String>(key.as_str()).await;
    })
    .await;
    let text = text(&pond, "data").await;
    assert!(!text.contains(secret), "{text}");
    assert!(!text.contains("value of"), "{text}");
    assert!(!text.contains('<'), "{text}");
    let data: Value = serde_json::from_str(&text).unwrap();
    let window = &data["windows"][0]["prefixes"];
    assert_eq!(window["</script><script>alert(1)"]["misses"], 1);
    assert_eq!(window[""]["misses"], 1, "keys by hand are together");
    assert!(text.contains("Vec\\u003c"), "a type is shown");
}

mod sentences {
    use super::*;

    async fn sentence(pond: &Millpond) -> (String, String) {
        let data = data(pond).await;
        let part = |name: &str| data[name].as_str().unwrap().to_owned();
        (part("state"), part("sentence"))
    }

    #[cached(prefix = "page_rate", ttl = "5m", key = "<id>")]
    async fn rated(id: u32) -> Result<u32, std::fmt::Error> {
        if id == u32::MAX {
            Err(std::fmt::Error)
        } else {
            Ok(id)
        }
    }

    #[tokio::test]
    async fn a_quiet_cache_a_working_one_and_a_fallen_hit_rate_have_their_sentence() {
        let clock = ManualClock::new();
        let pond = Millpond::builder()
            .memory()
            .clock(clock.clone())
            .build()
            .unwrap();
        let (state, text) = sentence(&pond).await;
        assert_eq!(state, "good");
        assert_eq!(
            text,
            "Nothing was asked of the cache in the last five minutes."
        );

        pond.scope(async {
            for _ in 0..6 {
                for n in 0..60 {
                    rated(n % 6).await.unwrap();
                }
                clock.advance(Duration::from_secs(15));
            }
        })
        .await;
        let good = (
            "good".to_owned(),
            "The cache answers. Nothing needs a look.".to_owned(),
        );
        assert_eq!(sentence(&pond).await, good);

        pond.scope(async {
            for slot in 0..5 {
                for n in 0..60 {
                    rated(1_000 + slot * 60 + n).await.unwrap();
                }
                clock.advance(Duration::from_secs(15));
            }
        })
        .await;
        let (state, text) = sentence(&pond).await;
        assert_eq!(state, "look");
        let fell = "the hit rate of sentences::rated fell from ";
        assert!(text.contains(fell) && text.ends_with(" to 0 %."), "{text}");
        let data = data(&pond).await;
        assert_eq!(data["pinned"], json!(["page_rate"]));
    }

    #[tokio::test]
    async fn bodies_that_fail_and_limits_that_refuse_are_named() {
        let pond = Millpond::memory();
        pond.scope(async {
            for _ in 0..20 {
                rated(u32::MAX).await.unwrap_err();
                let _ = draw("ada").await;
            }
        })
        .await;
        let (state, text) = sentence(&pond).await;
        assert_eq!(state, "look");
        assert_eq!(
            text,
            "The cache answers. Two things need a look: 100 % of the bodies of sentences::rated fail; the limit \
             PAGE_DRAW refuses 90 % of its checks."
        );
    }

    #[cfg(feature = "upstash")]
    #[tokio::test]
    async fn an_outage_is_down_and_over_again_with_its_line_in_the_list() {
        use millpond_gateway::needs_redis;
        let gateway = support::gateway(needs_redis!()).await;
        let clock = ManualClock::new();
        let builder = support::builder(&gateway).retries(0).clock(clock.clone());
        let pond = builder.build().unwrap();
        pond.scope(get_user("ada")).await.unwrap();
        assert_eq!(sentence(&pond).await.0, "good");
        gateway.refuse().await;
        for _ in 0..8 {
            pond.scope(get_user("ada")).await.unwrap();
        }
        let (state, text) = sentence(&pond).await;
        assert_eq!(state, "down");
        assert!(text.starts_with("The cache does not answer. "), "{text}");
        let shown = data(&pond).await;
        assert_eq!(shown["health"][0]["state"], "down");
        let trouble = &shown["degradations"][0];
        assert_eq!(trouble["text"], "the cache did not answer");
        assert_eq!(
            (&trouble["over"], &trouble["failures"]),
            (&json!(false), &json!(8))
        );

        gateway.accept().await;
        clock.advance(Duration::from_secs(30));
        pond.scope(get_user("ada")).await.unwrap();
        assert_eq!(sentence(&pond).await.0, "good");
        let shown = data(&pond).await;
        assert_eq!(shown["degradations"][0]["over"], true);
        let began = shown["degradations"][0]["began"].as_u64().unwrap();
        assert_eq!(began, shown["now"].as_u64().unwrap() - 30_000);
    }

    #[cfg(feature = "redis")]
    #[tokio::test]
    async fn invalidations_that_are_not_heard_need_a_look() {
        #[cached(prefix = "page_near", ttl = "5m", local = "1m", key = "<id>")]
        async fn near(id: u32) -> u32 {
            id
        }

        let _ = millpond_gateway::needs_redis!();
        let redis = millpond_gateway::RedisServer::start().expect("a server");
        let database = redis.database();
        let weak = "ACL SETUSER weak on >secret ~* +@all resetchannels";
        let weak: Vec<&str> = weak.split(' ').collect();
        database.command(weak).await.expect("a user");
        let url = database.url().replace("redis://", "redis://weak:secret@");
        let pond = Millpond::builder().redis(&url).build().unwrap();
        pond.scope(near(1)).await;
        support::within_a_minute(async {
            while !pond.health().backplane().sentence().contains("NOPERM") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let (state, text) = sentence(&pond).await;
        assert_eq!(state, "look");
        assert!(
            text.contains("invalidations of other processes are not heard"),
            "{text}"
        );
        let shown = data(&pond).await;
        let backplane = &shown["health"][2];
        assert_eq!(
            (&backplane["name"], &backplane["state"]),
            (&json!("Backplane"), &json!("degraded"))
        );
        assert!(!shown.to_string().contains("secret"), "{shown}");
    }
}
