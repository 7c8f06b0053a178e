//! Arguments and values that cannot be cached: the function returns what its body returns, and the
//! direct interface says why and what to do. In memory and over HTTP.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Error, ErrorKind, Key, Millpond, cached, key, ttl};
use millpond_gateway::needs_redis;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::log::Log;
use support::{gateway, within_a_minute};

const VALUE: &str = "v4lue-that-nobody-may-see";

#[track_caller]
fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert!(!format!("{error:?}").contains(VALUE), "{error:?}");
}

#[cached(prefix = "echo", key = "<text>", skip(bodies))]
async fn echo(text: &str, bodies: &AtomicU32) -> String {
    bodies.fetch_add(1, Ordering::SeqCst);
    text.to_owned()
}

#[cached(prefix = "float", key = "<id>", skip(value))]
async fn float(id: u32, value: f64) -> f64 {
    value
}

#[cached(prefix = "sum", key = "<numbers:sha256>", skip(bodies))]
async fn sum(numbers: &[f64], bodies: &AtomicU32) -> u32 {
    assert!(!numbers.is_empty());
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[cached(prefix = "by-map", key = "<map:sha256>", skip(bodies))]
async fn by_map(map: &BTreeMap<(u8, u8), u8>, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

struct Unprintable;

impl fmt::Display for Unprintable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half of it")?;
        Err(fmt::Error)
    }
}

#[cached(prefix = "unprintable", skip(bodies))]
async fn unprintable(what: &Unprintable, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

/// A value whose `Serialize` fails, and quotes it.
#[derive(Deserialize, Debug, PartialEq)]
struct Unwritable(String);

impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(format!(
            "no way to write {}",
            self.0
        )))
    }
}

#[cached(prefix = "unwritable", skip(value))]
async fn unwritable(value: &str) -> Unwritable {
    Unwritable(value.to_owned())
}

/// A value that comes back as another.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Forgetful {
    #[serde(skip)]
    kept: u32,
    #[serde(rename(serialize = "a", deserialize = "b"), default)]
    lost: u32,
}

#[cached(prefix = "forgetful")]
async fn forgetful() -> Forgetful {
    Forgetful { kept: 1, lost: 2 }
}

async fn ponds() -> Option<Vec<Millpond>> {
    let redis = millpond_gateway::RedisServer::shared()?;
    // The gateway lives as long as the test binary.
    let gateway = Box::leak(Box::new(gateway(redis).await));
    Some(vec![support::pond(gateway), Millpond::memory()])
}

#[tokio::test]
async fn any_text_can_be_an_argument() {
    let _ = needs_redis!();
    let long = "x".repeat(100_000);
    let texts = [
        "\0",
        "a\0b",
        &long,
        "",
        " ",
        "\u{7f}",
        "%",
        "%~",
        "%-",
        ":",
        "{}",
        "*",
        "\n",
        "\u{2028}",
        "ä€😀",
        "\"",
        "\\",
        "__NULL__",
        "null",
    ];
    within_a_minute(async {
        for pond in ponds().await.unwrap() {
            pond.scope(async {
                let bodies = AtomicU32::new(0);
                for text in texts {
                    assert_eq!(echo(text, &bodies).await, text);
                }
                for text in texts {
                    assert_eq!(echo(text, &bodies).await, text);
                    assert!(echo::entry(text).exists().await.unwrap(), "{text:?}");
                }
                assert_eq!(bodies.load(Ordering::SeqCst) as usize, texts.len());
                echo::invalidate(&long).await.unwrap();
                assert!(!echo::entry(&long).exists().await.unwrap());
            })
            .await;
            let stats = pond.stats().cache;
            assert_eq!(
                (stats.errors, stats.bypassed, stats.encode_failures),
                (0, 0, 0)
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_the_server_would_refuse_is_refused_with_advice() {
    let pond = Millpond::memory();
    let long = "x".repeat(100_000);
    let words = ["longer than 31 KiB", "<name:sha256>"];
    says(
        &pond.get::<u8>(long.as_str()).await.unwrap_err(),
        ErrorKind::InvalidKey,
        &words,
    );
    says(
        &pond.set(&long, &1, ttl::SHORT).await.unwrap_err(),
        ErrorKind::InvalidKey,
        &words,
    );
    says(
        &pond.delete(&long).await.unwrap_err(),
        ErrorKind::InvalidKey,
        &words,
    );
    let error = pond.get::<u8>("").await.unwrap_err();
    says(&error, ErrorKind::InvalidKey, &["empty", "give it a name"]);
    let load = async || Ok::<_, fmt::Error>(1);
    assert_eq!(
        pond.get_or_set(long.as_str(), ttl::SHORT, load).await,
        Ok(1)
    );
    assert_eq!(pond.stats().pending_invalidations, 0);
}

#[tokio::test]
async fn a_display_that_fails_means_a_call_without_the_cache() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        assert_eq!(unprintable(&Unprintable, &bodies).await, 0);
        assert_eq!(unprintable(&Unprintable, &bodies).await, 1);
        let error = unprintable::entry(&Unprintable).get().await.unwrap_err();
        says(
            &error,
            ErrorKind::InvalidKey,
            &["Display", "failed", "fix it"],
        );
        let error = unprintable::invalidate(&Unprintable).await.unwrap_err();
        says(&error, ErrorKind::InvalidKey, &["Display"]);
        let what = Unprintable;
        let error = pond
            .get::<u8>(key!("unprintable:<what>"))
            .await
            .unwrap_err();
        says(&error, ErrorKind::InvalidKey, &["Display"]);
    })
    .await;
    assert_eq!(pond.stats().prefix("unprintable").bypassed, 2);
    assert_eq!(pond.stats().prefix("unprintable").stores, 0);
}

#[tokio::test]
async fn a_hashed_argument_without_json_means_a_call_without_the_cache() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        for (expected, number) in (0..).zip([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            assert_eq!(sum(&[1.0, number], &bodies).await, expected);
            let error = sum::entry(&[1.0, number]).get().await.unwrap_err();
            says(
                &error,
                ErrorKind::InvalidKey,
                &["canonical JSON", "skip(...)"],
            );
        }
        let map = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(by_map(&map, &bodies).await, 3);
        assert_eq!(by_map(&map, &bodies).await, 4);
        assert_eq!(sum(&[1.0, 2.0], &bodies).await, 5);
        assert_eq!(sum(&[1.0, 2.0], &bodies).await, 5);
    })
    .await;
    assert_eq!(pond.stats().prefix("sum").bypassed, 3);
    assert_eq!(pond.stats().prefix("by-map").bypassed, 2);
}

#[tokio::test]
async fn a_value_without_json_is_returned_counted_and_not_stored() {
    let _ = needs_redis!();
    let (log, _guard) = Log::of_this_thread();
    within_a_minute(async {
        for pond in ponds().await.unwrap() {
            pond.scope(async {
                assert!(float(1, f64::NAN).await.is_nan());
                assert!(float(1, f64::INFINITY).await.is_infinite());
                assert!(!float::entry(1).exists().await.unwrap());
                assert_eq!(unwritable(VALUE).await, Unwritable(VALUE.to_owned()));
                let error = float::entry(1).put(&f64::NAN).await.unwrap_err();
                says(
                    &error,
                    ErrorKind::InvalidValue,
                    &["cannot be represented as JSON", "NaN", "cannot be stored"],
                );
                let error = pond
                    .set("a:1", &f64::INFINITY, ttl::SHORT)
                    .await
                    .unwrap_err();
                says(
                    &error,
                    ErrorKind::InvalidValue,
                    &["cannot be represented as JSON"],
                );
                let value = Unwritable(VALUE.to_owned());
                let error = pond.set("a:1", &value, ttl::SHORT).await.unwrap_err();
                says(
                    &error,
                    ErrorKind::InvalidValue,
                    &["cannot be represented as JSON"],
                );
                assert_eq!(float(1, 0.1).await.to_bits(), 0.1_f64.to_bits());
                assert_eq!(float(1, 0.2).await.to_bits(), 0.1_f64.to_bits());
            })
            .await;
            assert_eq!(pond.stats().prefix("float").encode_failures, 2);
            assert_eq!(pond.stats().prefix("unwritable").encode_failures, 1);
        }
    })
    .await;
    assert!(log.text().contains("cannot be cached"), "{}", log.text());
    assert!(!log.text().contains(VALUE), "{}", log.text());
}

#[tokio::test]
#[cfg(debug_assertions)]
async fn a_value_that_reads_back_as_another_is_noticed_in_debug_builds() {
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!(forgetful().await, Forgetful { kept: 1, lost: 2 });
        assert!(!forgetful::entry().exists().await.unwrap());
        assert_eq!(forgetful().await, Forgetful { kept: 1, lost: 2 });
    })
    .await;
    assert_eq!(pond.stats().cache.encode_failures, 2);
}

#[tokio::test]
async fn a_value_over_the_limit_is_returned_and_not_stored() {
    let pond = Millpond::builder().max_value_bytes(1_000).build().unwrap();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        let large = "x".repeat(999);
        assert_eq!(echo(&large, &bodies).await, large);
        assert_eq!(echo(&large, &bodies).await, large);
        assert_eq!(bodies.load(Ordering::SeqCst), 2);
        let words = ["1001 bytes", "limit of 1000", "raise max_value_bytes"];
        let error = pond.set("a:1", &large, ttl::SHORT).await.unwrap_err();
        says(&error, ErrorKind::TooLarge, &words);
        let error = echo::entry(&large).put(&large).await.unwrap_err();
        says(&error, ErrorKind::TooLarge, &words);
        let fits = "x".repeat(998);
        assert_eq!(echo(&fits, &bodies).await, fits);
        assert!(echo::entry(&fits).exists().await.unwrap());
    })
    .await;
    assert_eq!(pond.stats().prefix("echo").encode_failures, 2);
}

#[tokio::test]
async fn a_lifetime_of_nothing_is_refused_and_changes_no_result() {
    let pond = Millpond::memory();
    for wrong in [Duration::ZERO, Duration::from_nanos(999_999), Duration::MAX] {
        let words = ["the lifetime is", "give one in between"];
        let error = pond.set("a:1", &1, wrong).await.unwrap_err();
        says(&error, ErrorKind::InvalidValue, &words);
        let error = pond.set_if_absent("a:1", &1, wrong).await.unwrap_err();
        says(&error, ErrorKind::InvalidValue, &words);
        let error = pond.expire("a:1", wrong).await.unwrap_err();
        says(&error, ErrorKind::InvalidValue, &words);
        let load = async || Ok::<_, fmt::Error>(1);
        assert_eq!(pond.get_or_set("a:1", wrong, load).await, Ok(1));
        assert!(!pond.exists("a:1").await.unwrap());
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_over_http() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    let error = pond
        .command([&b"SET"[..], b"a:1", b"\xff\xfe"])
        .await
        .unwrap_err();
    says(
        &error,
        ErrorKind::InvalidValue,
        &["argument 2 is not UTF-8"],
    );
    assert!(gateway.requests().is_empty());
    // What somebody else has stored there is read, and is no value of ours.
    let raw = gateway
        .database()
        .command([&b"SET"[..], b"echo:x", b"\xff\xfe"]);
    raw.await.unwrap();
    let bodies = AtomicU32::new(0);
    assert_eq!(pond.scope(echo("x", &bodies)).await, "x");
    assert_eq!(
        pond.get::<String>("echo:x").await.unwrap().as_deref(),
        Some("x")
    );
}

#[tokio::test]
async fn values_of_every_kind_of_text_come_back_as_they_were() {
    let _ = needs_redis!();
    let long = "\0ä".repeat(100_000);
    within_a_minute(async {
        for pond in ponds().await.unwrap() {
            for value in [
                "",
                "\0",
                &long,
                "__NULL__",
                "null",
                "\"",
                "123",
                "\u{2028}😀",
            ] {
                pond.set(Key::from("a:1"), value, ttl::SHORT).await.unwrap();
                let back: Option<String> = pond.get("a:1").await.unwrap();
                assert_eq!(back.as_deref(), Some(value));
            }
        }
    })
    .await;
}
