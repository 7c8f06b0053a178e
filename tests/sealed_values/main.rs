//! `compress` and `encrypt`: what stands in the database, what opens it, and what does not. In memory
//! and over HTTP.

#![cfg(all(feature = "upstash", feature = "compress", feature = "encrypt"))]

mod keys;
#[path = "../support/mod.rs"]
mod support;
mod tampering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millpond::{Builder, Error, ErrorKind, Lookup, Millpond, Reply, cached, ttl, updates};
use millpond_gateway::{Gateway, RedisServer, needs_redis};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use support::source::{Source, source};
use support::{gateway, needs_npm, node, settle, within_a_minute};

const ID: &str = "2026-11";
const KEY: &str = "Oss2m0vkyHGUHDt8wy8JPmgVNCYIyJFUhyNmKSUoRcA=";
const OLD_ID: &str = "2026-01";
const OLD_KEY: &str = "KLlDgh8lXGy9E8TNzCoGV5f1HCrGpTDZ1D6YjEYSC5o=";
const CONTENT: &str = "c0ntent-that-nobody-may-see";

/// The first line of what is compressed, encrypted, both.
const GZIP: &str = "{\"millpond\":1,\"gzip\":true}\n";
const AES: &str = "{\"millpond\":1,\"aes256gcm\":\"2026-11\"}\n";
const GZIP_AES: &str = "{\"millpond\":1,\"gzip\":true,\"aes256gcm\":\"2026-11\"}\n";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    title: String,
    lines: Vec<String>,
}

/// A page of so many lines; 40 bytes of JSON each.
fn page(lines: usize) -> Page {
    let line = |number| format!("{number:07} {CONTENT}, ä");
    Page {
        title: "\u{2028}\"".to_owned(),
        lines: (0..lines).map(line).collect(),
    }
}

#[cached(prefix = "packed", key = "<lines>", compress, skip(bodies))]
async fn packed(lines: usize, bodies: &AtomicU32) -> Page {
    bodies.fetch_add(1, Ordering::SeqCst);
    page(lines)
}

/// There is no page without lines.
#[cached(prefix = "secret", key = "<lines>", encrypt, skip(bodies))]
async fn secret(lines: usize, bodies: &AtomicU32) -> Option<Page> {
    bodies.fetch_add(1, Ordering::SeqCst);
    (lines > 0).then(|| page(lines))
}

#[cached(prefix = "both", key = "<lines>", encrypt, compress, skip(bodies))]
async fn both(lines: usize, bodies: &AtomicU32) -> Result<String, Infallible> {
    bodies.fetch_add(1, Ordering::SeqCst);
    Ok(CONTENT.repeat(lines))
}

#[updates(secret(page.lines.len()))]
async fn publish(page: Page) -> Option<Page> {
    Some(page)
}

struct Shelf(Millpond);

impl Shelf {
    #[cached(prefix = "shelf", on = self.0, skip(self), encrypt, flight = "off", null = false)]
    async fn find(&self, lines: usize) -> Result<Option<Page>, Infallible> {
        Ok((lines > 0).then(|| page(lines)))
    }
}

fn with_key(builder: Builder) -> Millpond {
    builder.encryption_key(ID, KEY).build().unwrap()
}

/// A gateway that lives as long as the test binary.
async fn leaked(redis: &RedisServer) -> &'static Gateway {
    Box::leak(Box::new(gateway(redis).await))
}

/// Over HTTP, and in memory.
async fn builders(redis: &RedisServer) -> [Builder; 2] {
    [
        support::builder(leaked(redis).await),
        Millpond::builder().memory(),
    ]
}

async fn ponds(redis: &RedisServer) -> [Millpond; 2] {
    builders(redis).await.map(with_key)
}

/// What is stored under a key, as it stands there.
async fn stored(pond: &Millpond, key: &str) -> Option<String> {
    match pond.command(["GET", key].map(str::to_owned)).await.unwrap() {
        Reply::Nil => None,
        Reply::Bulk(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Stores a text as other software would.
async fn plant(pond: &Millpond, key: &str, text: &str) {
    let command = ["SET", key, text].map(str::to_owned);
    pond.command(command).await.unwrap();
}

fn count(bodies: &AtomicU32) -> u32 {
    bodies.load(Ordering::SeqCst)
}

fn keeps_secrets(text: &str) {
    for secret in [CONTENT, KEY, OLD_KEY] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[track_caller]
fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = format!("{error} {error:?}");
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    keeps_secrets(&text);
}

#[tokio::test]
async fn a_large_value_is_stored_compressed_and_a_small_one_as_json() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            for _ in 0..2 {
                assert_eq!(packed(2, &bodies).await, page(2));
                assert_eq!(packed(500, &bodies).await, page(500));
            }
            assert_eq!(count(&bodies), 2);
            let small = stored(&pond, "packed:2").await.unwrap();
            assert_eq!(small, serde_json::to_string(&page(2)).unwrap());
            let large = stored(&pond, "packed:500").await.unwrap();
            assert!(large.starts_with(GZIP), "{large}");
            assert!(large.len() < 10_000, "{}", large.len());
            // Whoever reads it need not ask for it.
            let read = pond.get("packed:500").await.unwrap();
            assert_eq!(read, Some(page(500)));
            let read = packed::entry(500).get().await.unwrap();
            assert_eq!(read, Lookup::Hit(page(500)));
        })
        .await;
    }
}

#[tokio::test]
async fn everything_of_a_function_is_encrypted() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            for _ in 0..2 {
                assert_eq!(secret(0, &bodies).await, None);
                assert_eq!(secret(1, &bodies).await, Some(page(1)));
                assert_eq!(both(1, &bodies).await.unwrap(), CONTENT);
                assert_eq!(both(900, &bodies).await.unwrap(), CONTENT.repeat(900));
            }
            assert_eq!(count(&bodies), 4);
            for (key, header) in [
                ("secret:0", AES),
                ("secret:1", AES),
                ("both:1", AES),
                ("both:900", GZIP_AES),
            ] {
                let text = stored(&pond, key).await.unwrap();
                assert!(text.starts_with(header), "{text}");
                let payload = STANDARD.decode(&text[header.len()..]).unwrap();
                let payload = String::from_utf8_lossy(&payload);
                assert!(!payload.contains(CONTENT) && !payload.contains("NULL"));
            }
            assert_eq!(secret::entry(0).get().await.unwrap(), Lookup::Null);
            assert_eq!(pond.get::<Page>("secret:0").await.unwrap(), None);
            assert_eq!(pond.get("secret:1").await.unwrap(), Some(page(1)));
        })
        .await;
        let stats = pond.stats().cache;
        assert_eq!((stats.decode_failures, stats.errors), (0, 0));
        assert_eq!(pond.stats().prefix("secret").null_hits, 3);
    }
}

#[tokio::test]
async fn what_is_put_and_what_is_updated_is_encrypted_too() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        pond.scope(async {
            let bodies = AtomicU32::new(0);
            secret::entry(3).put(&page(3)).await.unwrap();
            secret::entry(4).put(&None::<Page>).await.unwrap();
            publish(page(5)).await;
            for (key, value) in [(3, Some(page(3))), (4, None), (5, Some(page(5)))] {
                let text = stored(&pond, &format!("secret:{key}")).await.unwrap();
                assert!(text.starts_with(AES), "{text}");
                assert_eq!(secret(key, &bodies).await, value);
            }
            assert_eq!(count(&bodies), 0);
        })
        .await;
    }
}

#[tokio::test]
async fn a_method_encrypts_beside_its_other_options() {
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        let shelf = Shelf(pond.clone());
        assert_eq!(shelf.find(0).await, Ok(None));
        assert_eq!(shelf.find(2).await, Ok(Some(page(2))));
        assert_eq!(shelf.find(2).await, Ok(Some(page(2))));
        assert_eq!(stored(&pond, "shelf:0").await, None);
        assert!(stored(&pond, "shelf:2").await.unwrap().starts_with(AES));
        shelf.find_entry(2).put(&None::<Page>).await.unwrap();
        assert_eq!(stored(&pond, "shelf:2").await, None);
        assert_eq!(pond.stats().cache.hits, 1);
    }
}

#[tokio::test]
async fn callers_who_wait_get_the_opened_value_of_one_load() {
    #[cached(prefix = "shared", key = "<id>", encrypt, skip(source))]
    async fn slow(id: u32, source: &Source<String>) -> String {
        source.answer().await
    }
    let pond = with_key(Millpond::builder());
    within_a_minute(async {
        let (source, mut bodies) = source();
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let source = source.clone();
                pond.spawn(async move { slow(1, &source).await })
            })
            .collect();
        let body = bodies.next().await;
        settle().await;
        body.answer(CONTENT.to_owned());
        for call in calls {
            assert_eq!(call.await.unwrap(), CONTENT);
        }
        assert_eq!(bodies.count(), 0);
    })
    .await;
    assert_eq!(pond.stats().cache.shared, 2);
}

#[tokio::test]
async fn a_value_that_compresses_well_may_be_eight_times_as_large() {
    let builder = Millpond::builder().max_value_bytes(4_000);
    let pond = with_key(builder);
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        // 4,000 bytes of JSON are 100 lines.
        for _ in 0..2 {
            assert_eq!(packed(700, &bodies).await, page(700));
        }
        assert_eq!(count(&bodies), 1);
        for _ in 0..2 {
            assert_eq!(packed(900, &bodies).await, page(900));
        }
        assert_eq!(count(&bodies), 3);
        let error = packed::entry(900).put(&page(900)).await.unwrap_err();
        let words = ["before it is compressed", "8 times the limit of 4000"];
        says(&error, ErrorKind::TooLarge, &words);
        // Encrypted it is a third larger.
        let error = secret::entry(80).put(&page(80)).await.unwrap_err();
        says(
            &error,
            ErrorKind::TooLarge,
            &["limit of 4000", "raise max_value_bytes"],
        );
        assert_eq!(secret(80, &bodies).await, Some(page(80)));
        assert!(!secret::entry(80).exists().await.unwrap());
    })
    .await;
    assert_eq!(pond.stats().prefix("packed").encode_failures, 2);
    assert_eq!(pond.stats().prefix("secret").encode_failures, 1);
}

#[tokio::test]
async fn a_value_that_looks_like_an_envelope_is_a_value() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Looks {
        millpond: u32,
        gzip: bool,
    }
    let redis = needs_redis!();
    for pond in ponds(redis).await {
        let looks = Looks {
            millpond: 1,
            gzip: true,
        };
        pond.set("a:1", &looks, ttl::SHORT).await.unwrap();
        assert_eq!(pond.get("a:1").await.unwrap(), Some(looks));
    }
}

#[tokio::test]
async fn another_language_opens_what_is_documented_and_writes_it() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = with_key(support::builder(&gateway));
    let keys = format!("{{\"{ID}\":\"{KEY}\"}}");
    let bodies = AtomicU32::new(0);
    pond.scope(async {
        packed(1, &bodies).await;
        packed(100, &bodies).await;
        secret(0, &bodies).await;
        secret(1, &bodies).await;
        both(100, &bodies).await.unwrap();
    })
    .await;
    let arguments = [
        &keys,
        "open",
        "packed:1",
        "packed:100",
        "secret:0",
        "secret:1",
        "both:100",
    ];
    let said = node("open.mjs", &arguments, &gateway).await;
    let opened: Vec<String> = serde_json::from_str(&said).unwrap();
    let json = |page| serde_json::to_string(&page).unwrap();
    let expected = [
        json(page(1)),
        json(page(100)),
        "__NULL__".to_owned(),
        json(page(1)),
        format!("\"{}\"", CONTENT.repeat(100)),
    ];
    assert_eq!(opened, expected);

    let page = json(page(3));
    let arguments = [&keys, "seal", "secret:3", ID, &page];
    node("open.mjs", &arguments, &gateway).await;
    let before = count(&bodies);
    let read = pond.scope(secret(3, &bodies)).await;
    assert_eq!(read, Some(self::page(3)));
    assert_eq!(count(&bodies), before);
}

/// Used for an hour after a lifetime of five minutes.
#[cached(
    prefix = "aging",
    key = "<lines>",
    ttl = "5m",
    stale_while_revalidate = "1h",
    compress
)]
async fn aging(lines: usize) -> Page {
    page(lines)
}

#[tokio::test]
async fn another_language_sees_how_long_a_value_is_fresh() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let pond = with_key(support::builder(&gateway));
    pond.scope(async {
        aging(1).await;
        aging(100).await;
    })
    .await;
    let old = "{\"millpond\":1,\"until\":1000,\"from\":1,\"took\":2}\n[]";
    pond.command(["SET", "aging:old", old]).await.unwrap();
    let keys = ["aging:1", "aging:100", "aging:old"];
    let said = node("open.mjs", &[&["{}", "open"], &keys[..]].concat(), &gateway).await;
    let opened: Vec<Option<String>> = serde_json::from_str(&said).unwrap();
    let json = |page| serde_json::to_string(&page).unwrap();
    assert_eq!(opened, [Some(json(page(1))), Some(json(page(100))), None]);
}

#[test]
fn the_documented_opening_is_the_tested_one() {
    let script = include_str!("../interop/open.mjs");
    let documented = include_str!("../../runtime/docs/interop.md");
    let (_, code) = documented.split_once("```js\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    assert!(code.lines().count() > 10);
    let imports = code.lines().filter(|line| line.starts_with("import"));
    let (_, body) = code.split_once("\n\n").unwrap();
    assert!(script.contains(body), "{body}");
    for import in imports {
        let (names, module) = import.split_once(" from ").unwrap();
        let names = names.trim_start_matches("import {").trim_end_matches('}');
        let line = script.lines().find(|line| line.ends_with(module)).unwrap();
        assert!(line.contains(names.trim()), "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_value_comes_back_as_it_was(title: String, lines in prop::collection::vec(any::<String>(), 0..40)) {
        let pond = with_key(Millpond::builder());
        let page = Page { title, lines };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(pond.scope(async {
            packed::entry(1).put(&page).await.unwrap();
            secret::entry(1).put(&page).await.unwrap();
            let read = packed::entry(1).get().await.unwrap().into_value();
            (read, secret::entry(1).get().await.unwrap())
        }));
        prop_assert_eq!(read, (Some(page.clone()), Lookup::Hit(Some(page))));
    }
}

/// Many MiB of JSON, which take their time to pack and to unpack.
#[cached(prefix = "large", key = "<lines>", compress, encrypt)]
async fn large(lines: usize) -> Page {
    page(lines)
}

#[tokio::test]
async fn a_value_of_some_mib_does_not_keep_other_tasks_from_running() {
    let builder = Millpond::builder().encryption_key(ID, KEY);
    let pond = builder.build().unwrap();
    let turns = std::sync::Arc::new(AtomicU32::new(0));
    let others = tokio::spawn({
        let turns = std::sync::Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    });
    for step in ["packed", "unpacked"] {
        let before = turns.load(Ordering::SeqCst);
        let read = pond.scope(large(100_000)).await;
        assert_eq!(read.lines.len(), 100_000);
        let during = turns.load(Ordering::SeqCst) - before;
        // On the same thread they get a turn or two between the steps of a call.
        assert!(during > 100, "{during} turns while the value was {step}");
    }
    assert_eq!(pond.stats().cache.hits, 1);
    others.abort();
}
