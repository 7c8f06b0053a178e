//! The live page in a real browser: what it shows, under load, in an outage, to the keyboard, in the dark, on a phone, with a
//! hundred functions and fifty limits.
#![cfg(all(feature = "dashboard", feature = "axum", feature = "upstash"))]

#[path = "support/browser.rs"]
mod browser;
mod support;

use browser::Browser;
use millpond::limit::Limit;
use millpond::{ManualClock, Millpond, RateLimited, cached, dashboard, invalidates, rate_limited};
use millpond_gateway::needs_redis;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinHandle;

/// What may be written to harm a page.
#[allow(
    non_camel_case_types,
    reason = "the name of a type may be what is written to harm a page"
)]
#[derive(serde::Serialize, serde::Deserialize)]
struct script(u32);

#[cached(
    prefix = "</script><script>document.title='harmed'",
    ttl = "5m",
    key = "<id>"
)]
async fn harmful(id: u32) -> Vec<script> {
    vec![script(id)]
}

#[invalidates(harmful(id))]
async fn harm(id: u32) {}

/// Fifty modules of two functions, a mutation and a limit each.
macro_rules! modules {
    ($($module:ident $get:literal $list:literal;)*) => {
        $(mod $module {
            use super::*;

            #[cached(prefix = $get, ttl = "5m", key = "<id>")]
            pub(super) async fn get(id: u32) -> u32 {
                id
            }

            #[cached(prefix = $list, ttl = "1m", key = "<id>")]
            pub(super) async fn list(id: u32) -> u32 {
                id
            }

            #[expect(dead_code, reason = "the catalogue shows it")]
            #[invalidates(get(id), list(id))]
            pub(super) async fn change(id: u32) {}

            #[rate_limited(limit = 3, per = "1m", id = id)]
            pub(super) async fn act(id: u32) -> Result<(), RateLimited> {
                Ok(())
            }
        })*

        async fn call_all(id: u32) {
            $(
                $module::get(id).await;
                $module::list(id).await;
                let _ = $module::act(1).await;
            )*
        }
    };
}

modules! {
    m00 "get_m00" "list_m00"; m01 "get_m01" "list_m01"; m02 "get_m02" "list_m02";
    m03 "get_m03" "list_m03"; m04 "get_m04" "list_m04"; m05 "get_m05" "list_m05";
    m06 "get_m06" "list_m06"; m07 "get_m07" "list_m07"; m08 "get_m08" "list_m08";
    m09 "get_m09" "list_m09"; m10 "get_m10" "list_m10"; m11 "get_m11" "list_m11";
    m12 "get_m12" "list_m12"; m13 "get_m13" "list_m13"; m14 "get_m14" "list_m14";
    m15 "get_m15" "list_m15"; m16 "get_m16" "list_m16"; m17 "get_m17" "list_m17";
    m18 "get_m18" "list_m18"; m19 "get_m19" "list_m19"; m20 "get_m20" "list_m20";
    m21 "get_m21" "list_m21"; m22 "get_m22" "list_m22"; m23 "get_m23" "list_m23";
    m24 "get_m24" "list_m24"; m25 "get_m25" "list_m25"; m26 "get_m26" "list_m26";
    m27 "get_m27" "list_m27"; m28 "get_m28" "list_m28"; m29 "get_m29" "list_m29";
    m30 "get_m30" "list_m30"; m31 "get_m31" "list_m31"; m32 "get_m32" "list_m32";
    m33 "get_m33" "list_m33"; m34 "get_m34" "list_m34"; m35 "get_m35" "list_m35";
    m36 "get_m36" "list_m36"; m37 "get_m37" "list_m37"; m38 "get_m38" "list_m38";
    m39 "get_m39" "list_m39"; m40 "get_m40" "list_m40"; m41 "get_m41" "list_m41";
    m42 "get_m42" "list_m42"; m43 "get_m43" "list_m43"; m44 "get_m44" "list_m44";
    m45 "get_m45" "list_m45"; m46 "get_m46" "list_m46"; m47 "get_m47" "list_m47";
    m48 "get_m48" "list_m48"; m49 "get_m49" "list_m49";
}

const DRAW: Limit = Limit::fixed_window("DRAW", 1_000, Duration::from_secs(60));

/// A service on a port that stays its own.
struct Served {
    url: String,
    address: std::net::SocketAddr,
    task: JoinHandle<()>,
}

impl Served {
    async fn start(pond: &Millpond, address: &str) -> Self {
        let page = dashboard::service().of(pond.clone());
        let app = axum::Router::new().route_service("/cache", page);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, app).await;
            served.unwrap();
        });
        let url = format!("http://{address}/cache");
        Self { url, address, task }
    }

    /// The service goes away, with its connections refused from now on.
    async fn stop(self) -> String {
        self.task.abort();
        let _ = self.task.await;
        self.address.to_string()
    }
}

const TITLE: &str = "document.title";
const SENTENCE: &str = "document.querySelector('#sentence').textContent";

fn text_of(row: &str, at: u32) -> String {
    format!(
        "[...document.querySelectorAll('#functions tbody tr')].find((it) => it.textContent.includes('{row}'))\
         .cells[{at}].textContent"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_move_under_load_and_an_outage_turns_the_sentence_red_and_back() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let gateway = support::gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let builder = support::builder(&gateway).retries(0).clock(clock.clone());
    let pond = builder.build().unwrap();
    pond.scope(m00::get(1)).await;
    let served = Served::start(&pond, "127.0.0.1:0").await;
    browser.open(&served.url, json!({})).await;
    browser
        .wait(&format!("{TITLE} === 'Good · millpond'"))
        .await;
    let bars = "document.querySelectorAll('#functions tbody tr:first-child rect').length";
    assert_eq!(browser.evaluate(bars).await, 1);
    assert_eq!(browser.evaluate(&text_of("get_m00", 3)).await, "0 %");

    // Under load: more bars, and the miss is one of many.
    clock.advance(Duration::from_secs(15));
    pond.scope(async {
        for _ in 0..99 {
            m00::get(1).await;
        }
    })
    .await;
    browser.wait(&format!("{bars} === 2")).await;
    browser
        .wait(&format!("{} === '99 %'", text_of("get_m00", 3)))
        .await;

    gateway.refuse().await;
    for id in 0..9 {
        pond.scope(m00::get(100 + id)).await;
    }
    browser
        .wait(&format!(
            "{SENTENCE}.startsWith('The cache does not answer.')"
        ))
        .await;
    assert_eq!(browser.evaluate(TITLE).await, "Down · millpond");
    let badge = "getComputedStyle(document.querySelector('#badge')).backgroundColor";
    assert_eq!(browser.evaluate(badge).await, "rgb(168, 31, 20)", "red");
    let troubles = "document.querySelector('.troubles .lasts')?.textContent";
    let lasting = browser.wait(troubles).await;
    assert!(
        lasting
            .as_str()
            .unwrap()
            .contains("the cache did not answer"),
        "{lasting}"
    );

    gateway.accept().await;
    clock.advance(Duration::from_secs(30));
    pond.scope(m00::get(1)).await;
    browser
        .wait(&format!("{TITLE} === 'Good · millpond'"))
        .await;
    browser
        .wait("document.querySelector('.troubles').textContent.includes('ended after')")
        .await;

    // The service is restarted: first the numbers are old, then the page goes on by itself.
    let address = served.stop().await;
    browser
        .wait("document.querySelector('#old').textContent.includes('the service does not answer')")
        .await;
    assert_eq!(browser.evaluate(TITLE).await, "Old · millpond");
    let served = Served::start(&pond, &address).await;
    browser
        .wait(&format!(
            "{TITLE} === 'Good · millpond' && document.querySelector('#old').hidden"
        ))
        .await;
    browser.complains_of_nothing().await;
    served.stop().await;
}

/// How many functions the page shows.
const SHOWN: &str = "document.querySelectorAll('#functions tbody tr').length";
/// What the row of details says.
const DETAILS: &str = "document.querySelector('#functions tr.details')?.textContent";

/// The page of a hundred functions and fifty limits, some with names that would harm as HTML.
async fn a_hundred_functions() -> Option<(Browser, Served)> {
    let mut browser = Browser::start()?;
    let pond = Millpond::builder()
        .memory()
        .clock(ManualClock::new())
        .build()
        .unwrap();
    pond.scope(async {
        harmful(1).await;
        harm(1).await;
        for id in 0..5 {
            call_all(id).await;
        }
        let _ = pond.limiter(&DRAW).check("ada").await;
    })
    .await;
    let served = Served::start(&pond, "127.0.0.1:0").await;
    browser.open(&served.url, json!({})).await;
    Some((browser, served))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_functions_and_fifty_limits_are_usable_with_the_keyboard() {
    let Some((mut browser, served)) = a_hundred_functions().await else {
        return;
    };
    let limits = "document.querySelectorAll('#limits tbody tr').length";
    assert_eq!(browser.evaluate(SHOWN).await, 12);
    assert_eq!(browser.evaluate(limits).await, 12);
    browser.click("[data-every=functions]").await;
    assert_eq!(browser.evaluate(SHOWN).await, 101);
    browser.click("[data-every=limits]").await;
    assert_eq!(browser.evaluate(limits).await, 51);
    browser.click("[data-every=functions]").await;

    // From the filter to the details of a function, and back, without a mouse.
    browser.press("/").await;
    browser.type_text("m07::list").await;
    browser.wait(&format!("{SHOWN} === 1")).await;
    for _ in 0..2 {
        browser.press("Tab").await;
    }
    browser.press("Enter").await;
    let text = browser.wait(DETAILS).await;
    for part in [
        "dashboard_page::m07::list",
        "tests/dashboard_page.rs:",
        "list_m07:<id>",
        "m07::change",
    ] {
        assert!(text.as_str().unwrap().contains(part), "{part}: {text}");
    }
    let focused = "document.activeElement.dataset.open";
    assert_eq!(browser.evaluate(focused).await, "list_m07");
    assert_eq!(
        browser
            .evaluate("document.activeElement.getAttribute('aria-expanded')")
            .await,
        "true"
    );
    // The page is drawn anew every two seconds, and the focus stays.
    browser.evaluate("window.kept = document.activeElement; window.asked = performance.getEntriesByType('resource').length").await;
    browser
        .wait("performance.getEntriesByType('resource').length >= window.asked + 2")
        .await;
    assert_eq!(
        browser
            .evaluate("document.activeElement === window.kept")
            .await,
        true
    );
    browser.press("Enter").await;
    browser
        .wait("!document.querySelector('#functions tr.details')")
        .await;
    browser.press("/").await;
    browser.press("Escape").await;
    browser.wait(&format!("{SHOWN} === 12")).await;

    // The map begins with modules; a choice leaves its neighbours, and Escape leads back.
    let nodes = "document.querySelectorAll('#map li').length";
    assert_eq!(browser.evaluate(nodes).await, 102);
    browser
        .evaluate("document.querySelector('#map [data-name$=m09]').focus()")
        .await;
    browser.press("Enter").await;
    browser.wait(&format!("{nodes} === 3")).await;
    browser.press("Escape").await;
    browser.wait(&format!("{nodes} === 102")).await;
    browser.complains_of_nothing().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_a_script_is_text_and_what_can_be_pressed_has_a_name() {
    let Some((mut browser, served)) = a_hundred_functions().await else {
        return;
    };
    browser.press("/").await;
    browser.type_text("harmful").await;
    browser.wait(&format!("{SHOWN} === 1")).await;
    browser.click("#functions tbody button").await;
    let text = browser.wait(DETAILS).await;
    assert!(text.as_str().unwrap().contains("Vec<"), "{text}");
    let row = browser
        .evaluate("document.querySelector('#functions tbody tr').textContent")
        .await;
    assert!(
        row.as_str()
            .unwrap()
            .contains("</script><script>document.title"),
        "{row}"
    );
    assert_eq!(
        browser
            .evaluate("document.querySelectorAll('script').length")
            .await,
        1
    );
    assert_ne!(browser.evaluate(TITLE).await, "harmed");

    // Everything that can be pressed has a name, and every picture too.
    let nameless = "[...document.querySelectorAll('button, [role=img], input, table, section')].filter((it) => \
                    !(it.textContent.trim() || it.ariaLabel || it.labels?.length)).length";
    assert_eq!(browser.evaluate(nameless).await, 0);
    browser.complains_of_nothing().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_dark_in_the_dark_fits_a_phone_and_asks_nobody_while_hidden() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let pond = Millpond::memory();
    pond.scope(call_all(1)).await;
    let served = Served::start(&pond, "127.0.0.1:0").await;
    let ground = "getComputedStyle(document.body).backgroundColor";
    browser.open(&served.url, json!({})).await;
    assert_eq!(browser.evaluate(ground).await, "rgb(250, 250, 247)");
    browser.open(&served.url, json!({ "dark": true })).await;
    assert_eq!(browser.evaluate(ground).await, "rgb(20, 24, 26)");
    browser
        .open(&served.url, json!({ "width": 360, "height": 740 }))
        .await;
    let width = "document.documentElement.scrollWidth";
    assert_eq!(
        browser.evaluate(width).await,
        360,
        "nothing hangs out at the side"
    );
    browser.click("#functions tbody button").await;
    assert_eq!(browser.evaluate(width).await, 360);

    // As a browser does where another tab is in front.
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ configurable: true, value: {hidden} }}); \
             document.dispatchEvent(new Event('visibilitychange')); performance.clearResourceTimings()"
        )
    };
    browser
        .wait("performance.getEntriesByType('resource').length >= 2")
        .await;
    browser.evaluate(&hide(true)).await;
    browser
        .evaluate("window.later = false; setTimeout(() => { window.later = true; }, 4500)")
        .await;
    browser.wait("window.later").await;
    // One that was under way may have ended.
    let asked = browser
        .evaluate("performance.getEntriesByType('resource').length")
        .await;
    assert!(asked.as_u64().unwrap() <= 1, "{asked}");
    browser.evaluate(&hide(false)).await;
    browser
        .wait("performance.getEntriesByType('resource').length >= 2")
        .await;
    browser.complains_of_nothing().await;
    served.stop().await;
}

/// Behind a balancer each answer may be of another process.
#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_several_processes_are_added_up() {
    use axum::extract::Request;
    use axum::response::IntoResponse;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::ServiceExt;

    let Some(mut browser) = Browser::start() else {
        return;
    };
    let pond = Millpond::memory();
    pond.scope(async {
        for _ in 0..30 {
            m01::get(1).await;
        }
    })
    .await;
    let page = dashboard::service().of(pond);
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    // The second of two processes did the same as the first.
    let balanced = move |request: Request| {
        let (page, asked) = (page.clone(), asked.clone());
        async move {
            let is_data = request.uri().query().is_some();
            let (parts, body) = page.oneshot(request).await.unwrap().into_parts();
            let body = axum::body::to_bytes(axum::body::Body::new(body), usize::MAX);
            let mut text = String::from_utf8(body.await.unwrap().to_vec()).unwrap();
            if is_data && asked.fetch_add(1, Ordering::SeqCst) % 2 == 1 {
                let end = text.find(',').unwrap();
                text.replace_range(..end, r#"{"process":"another1""#);
            }
            (parts.headers, text).into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = axum::Router::new().fallback(balanced);
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, app).await;
        served.unwrap();
    });
    browser.open(&url, json!({})).await;
    let row = "document.querySelector('[data-open=get_m01]')";
    browser.click("[data-open=get_m01]").await;
    let counts = format!("{row}.closest('tbody').querySelector('.counts').textContent");
    let text = browser.wait(&counts).await;
    assert!(text.as_str().unwrap().contains("29 hits"), "{text}");
    browser.wait(&format!("{counts}.includes('58 hits')")).await;
    let facts = browser
        .evaluate("document.querySelector('.facts').textContent")
        .await;
    let both = "2 seen in the last minute; numbers are their sum";
    assert!(facts.as_str().unwrap().contains(both), "{facts}");
    browser.complains_of_nothing().await;
    task.abort();
}

/// The page of the example service, as a reader of the documentation sees it. `UPDATE_EXPECT=1` takes the pictures of docs/.
#[cfg(feature = "metrics")]
#[tokio::test(flavor = "multi_thread")]
async fn the_example_service_shows_its_own_cache() {
    use std::path::Path;
    use std::process::Stdio;
    use tokio::io::{AsyncBufReadExt, BufReader};

    let Some(mut browser) = Browser::start() else {
        return;
    };
    let mut command = tokio::process::Command::new(support::example::executable("axum_api"));
    for name in support::process::CONFIGURATION {
        command.env_remove(name);
    }
    let command = command.env("ADDRESS", "127.0.0.1:0").stdout(Stdio::piped());
    let mut process = command.kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("where it listens");
    let url = line.strip_prefix("listening on ").expect(&line).to_owned();
    let client = reqwest::Client::new();
    for n in 0..40 {
        for path in ["users/1", "teams/1/members", "teams/1/members?name=a"] {
            let answer = client.get(format!("{url}/{path}")).send().await.unwrap();
            assert!(answer.status().is_success(), "{path}");
        }
        let draw = client.post(format!("{url}/images")).header("x-user", "ada");
        draw.send().await.unwrap();
        if n % 10 == 9 {
            let rename = client.put(format!("{url}/users/1"));
            let rename = rename
                .header("content-type", "application/json")
                .body(json!({ "name": format!("Ada {n}") }).to_string());
            assert!(rename.send().await.unwrap().status().is_success());
        }
    }
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, with) in [
        ("live-page.png", json!({ "height": 1080 })),
        (
            "live-page-dark.png",
            json!({ "height": 1080, "dark": true }),
        ),
        (
            "live-page-phone.png",
            json!({ "width": 390, "height": 1100 }),
        ),
    ] {
        browser.open(&format!("{url}/cache"), with).await;
        let text = browser.evaluate("document.body.innerText").await;
        for part in [
            "axum_api::find_user",
            "user:<id>",
            "GENERATION",
            "rename_user",
            "The cache answers.",
        ] {
            assert!(text.as_str().unwrap().contains(part), "{part}: {text}");
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            browser.screenshot(&pictures.join(name)).await;
        }
    }
    browser.complains_of_nothing().await;
}
