//! A server that answers nonsense, or nothing: functions return what their bodies return, the direct
//! interface says what came, and when the server is well again so is the cache.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ErrorKind, Lookup, cached, ttl};
use millpond_gateway::{Fault, Gateway, Matcher, Options, needs_redis};
use std::sync::atomic::{AtomicU32, Ordering};
use support::log::Log;
use support::{builder, gateway, within_a_minute};

const TOKEN: &str = "t0ken-that-nobody-may-see";
const VALUE: &str = "v4lue-that-nobody-may-see";

#[cached(prefix = "bad", key = "<id>", skip(bodies))]
async fn read(id: u32, bodies: &AtomicU32) -> Result<u32, std::fmt::Error> {
    Ok(bodies.fetch_add(1, Ordering::SeqCst))
}

#[cached(prefix = "bad-text", key = "<id>", skip(text))]
async fn read_text(id: u32, text: &str) -> String {
    text.to_owned()
}

/// Each way of answering wrongly, the kind of the error, and what its text must say.
fn wrong_answers() -> Vec<(Fault, ErrorKind, &'static [&'static str])> {
    use ErrorKind::{Auth, Protocol, Server, TooLarge, Unavailable};
    let address: &[&str] = &["check UPSTASH_REDIS_REST_URL"];
    let text = |status: u16, text: &str| Fault::error(status, text);
    vec![
        (
            Fault::html(),
            Protocol,
            &["not JSON", "check UPSTASH_REDIS_REST_URL"],
        ),
        (Fault::json(""), Protocol, &["the answer is empty"]),
        (Fault::json("[{\"result\":"), Protocol, &["cut short"]),
        (
            Fault::json("[]"),
            Protocol,
            &["0 answers came for 1 commands"],
        ),
        (
            Fault::json("[{},{},{},{}]"),
            Protocol,
            &["4 answers came for"],
        ),
        (
            Fault::json("[{}]"),
            Protocol,
            &["neither a result nor an error"],
        ),
        (Fault::json("42"), Protocol, &["unknown shape"]),
        (
            Fault::json("[{\"result\":{\"a\":1}}]"),
            Protocol,
            &["unknown shape"],
        ),
        (
            Fault::json("[{\"result\":\"~not base64~\"}]"),
            Protocol,
            &["not base64"],
        ),
        (
            Fault::json("[{\"result\":1.5}]"),
            Protocol,
            &["unknown shape"],
        ),
        (
            text(200, "ERR something broke"),
            Server,
            &["ERR something broke"],
        ),
        (
            text(400, "ERR something broke"),
            Server,
            &["ERR something broke"],
        ),
        (
            text(401, "bad token t0ken-that-nobody-may-see"),
            Auth,
            &["check UPSTASH_REDIS_REST_TOKEN"],
        ),
        (
            text(403, "NOPERM no"),
            Auth,
            &["check UPSTASH_REDIS_REST_TOKEN"],
        ),
        (Fault::status(404), Protocol, address),
        (
            Fault::status(301),
            Protocol,
            &["redirect", "check UPSTASH_REDIS_REST_URL"],
        ),
        (Fault::status(413), TooLarge, &["too large for the server"]),
        (Fault::status(429), Unavailable, &["slow down", "429"]),
        (
            Fault::status(502),
            Unavailable,
            &["server or a proxy", "502"],
        ),
        (Fault::Truncated, Protocol, &["cut short"]),
        (
            Fault::ResetBefore,
            Unavailable,
            &["broke before the answer came"],
        ),
        (
            Fault::ResetAfter,
            Unavailable,
            &["broke before the answer came"],
        ),
    ]
}

#[tokio::test]
async fn whatever_comes_back_functions_return_what_their_bodies_return() {
    let redis = needs_redis!();
    let options = Options {
        token: TOKEN.to_owned(),
        ..Options::default()
    };
    let gateway = Gateway::start_with(&redis.database(), options)
        .await
        .unwrap();
    let (log, _guard) = Log::of_this_thread();
    within_a_minute(async {
        for (id, (fault, kind, words)) in (0..).zip(wrong_answers()) {
            // One of its own each, so that the trouble of one does not tell on the next.
            let pond = builder(&gateway).retries(0).build().unwrap();
            let bodies = AtomicU32::new(10);
            gateway.inject(Matcher::any().always(), fault.clone());
            let error = pond.get::<u32>(format!("bad:{id}")).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{fault:?}: {error}");
            for word in words {
                assert!(error.to_string().contains(word), "{fault:?}: {error}");
            }
            assert!(!format!("{error} {error:?}").contains(TOKEN), "{error:?}");
            pond.scope(async {
                assert_eq!(read(id, &bodies).await, Ok(10), "{fault:?}");
                assert_eq!(read(id, &bodies).await, Ok(11), "{fault:?}");
                gateway.heal();
                pond.delete(format!("bad:{id}")).await.unwrap();
                assert_eq!(read(id, &bodies).await, Ok(12), "{fault:?}");
                assert_eq!(read(id, &bodies).await, Ok(12), "{fault:?}");
            })
            .await;
        }
    })
    .await;
    assert!(!log.text().contains(TOKEN), "{}", log.text());
}

#[tokio::test]
async fn an_answer_that_is_lost_once_is_asked_for_again() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let faults = [
        Fault::status(502),
        Fault::status(429),
        Fault::Truncated,
        Fault::ResetBefore,
        Fault::ResetAfter,
    ];
    within_a_minute(async {
        for (id, fault) in (0..).zip(faults) {
            let pond = support::pond(&gateway);
            let bodies = AtomicU32::new(0);
            gateway.inject(Matcher::command("MGET"), fault.clone());
            pond.scope(async {
                assert_eq!(read(id, &bodies).await, Ok(0));
                assert_eq!(read(id, &bodies).await, Ok(0), "{fault:?}");
            })
            .await;
            assert_eq!(pond.stats().retries, 1, "{fault:?}");
            assert_eq!(pond.stats().cache.errors, 0, "{fault:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_of_another_kind_is_left_alone_and_named_as_such() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    for pond in [support::pond(&gateway), millpond::Millpond::memory()] {
        let bodies = AtomicU32::new(0);
        pond.command(["RPUSH", "bad:1", "a", "b"]).await.unwrap();
        pond.scope(async {
            assert_eq!(read(1, &bodies).await, Ok(0));
            assert_eq!(read(1, &bodies).await, Ok(1));
            let error = read::entry(1).get().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongType);
            let text = error.to_string();
            assert!(
                text.contains("WRONGTYPE") && text.contains("another key"),
                "{text}"
            );
        })
        .await;
        let error = pond.get::<u32>("bad:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
        let length = pond.command(["LLEN", "bad:1"]).await.unwrap();
        assert_eq!(length, millpond::Reply::Int(2));
        assert!(pond.stats().cache.errors > 0);
    }
}

#[tokio::test]
async fn a_value_of_another_shape_is_a_miss_and_is_overwritten() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let (log, _guard) = Log::of_this_thread();
    let shapes = [
        "\"v4lue-that-nobody-may-see\"",
        "{\"v4lue-that-nobody-may-see\":1}",
        "{\"v4lue-that-nobody-may-see",
        "[1,2",
        "-1",
        "4294967296",
        "1.5",
        "",
        "__NULL__",
    ];
    for pond in [support::pond(&gateway), millpond::Millpond::memory()] {
        for shape in shapes {
            let bodies = AtomicU32::new(7);
            pond.command(["SET", "bad:1", shape]).await.unwrap();
            if shape != "__NULL__" {
                let error = pond.get::<u32>("bad:1").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Decode, "{shape}: {error}");
                let text = error.to_string();
                assert!(text.contains("bad:1") && text.contains("u32"), "{text}");
                assert!(text.contains("delete the key"), "{text}");
                assert!(!format!("{error:?}").contains(VALUE), "{error:?}");
            }
            pond.scope(async {
                assert_eq!(read(1, &bodies).await, Ok(7), "{shape}");
                assert_eq!(read(1, &bodies).await, Ok(7), "{shape}");
                assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Hit(7));
            })
            .await;
        }
        let failures = u64::try_from(shapes.len() * 2 - 1).unwrap();
        assert_eq!(pond.stats().cache.decode_failures, failures);
    }
    assert!(log.text().contains("cannot be read"), "{}", log.text());
    assert!(!log.text().contains(VALUE), "{}", log.text());
}

#[tokio::test]
async fn a_value_over_the_limit_of_the_server_is_returned_and_not_stored() {
    let redis = needs_redis!();
    let options = Options {
        max_request_bytes: 2_000,
        ..Options::default()
    };
    let gateway = Gateway::start_with(&redis.database(), options)
        .await
        .unwrap();
    let pond = support::pond(&gateway);
    let large = "x".repeat(3_000);
    within_a_minute(pond.scope(async {
        assert_eq!(read_text(1, &large).await, large);
        assert!(!read_text::entry(1).exists().await.unwrap());
        assert_eq!(read_text(1, "small").await, "small");
        let error = pond
            .set("bad-text:1", &large, ttl::SHORT)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        assert!(error.to_string().contains("2000"), "{error}");
        assert_eq!(read_text(1, &large).await, "small");
    }))
    .await;
}
