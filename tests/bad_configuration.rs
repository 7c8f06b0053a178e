//! A wrong address, a wrong token, half a configuration: functions return what their bodies return,
//! and the direct interface says what is wrong, never with the token.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Error, ErrorKind, Millpond, cached, invalidates, ttl};
use millpond_gateway::{Gateway, Options, needs_redis};
use std::sync::atomic::{AtomicU32, Ordering};
use support::log::Log;
use support::process::{Process, orders, say};
use support::within_a_minute;

const TOKEN: &str = "t0ken-that-nobody-may-see";

#[cached(prefix = "count", key = "<id>", skip(bodies))]
async fn count(id: u32, bodies: &AtomicU32) -> Result<u32, std::fmt::Error> {
    Ok(id + bodies.fetch_add(1, Ordering::SeqCst))
}

#[invalidates(count(id))]
async fn reset(id: u32) -> Result<&'static str, std::fmt::Error> {
    if id == 0 {
        Err(std::fmt::Error)
    } else {
        Ok("reset")
    }
}

/// Uncached, each call runs its body; functions that change data return what they return.
async fn functions_run_without_the_cache() {
    let bodies = AtomicU32::new(0);
    assert_eq!(reset(100).await, Ok("reset"));
    for expected in 100..103 {
        assert_eq!(count(100, &bodies).await, Ok(expected));
    }
    assert_eq!(reset(0).await, Err(std::fmt::Error));
}

/// What every face of an error tells.
fn everything_about(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[track_caller]
fn says(error: &Error, kind: ErrorKind, words: &[&str]) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    let everything = everything_about(error);
    assert!(!everything.contains(TOKEN), "{everything}");
}

#[test]
fn an_address_that_cannot_work_is_refused_before_anything_is_sent() {
    let words: [(&str, &[&str]); 8] = [
        ("", &["URL is empty"]),
        ("db.upstash.io", &["not a URL", "https://<name>.upstash.io"]),
        ("http://db.upstash.io", &["plain http", "write https"]),
        ("https://db.upstash.io ", &["white space", "remove it"]),
        ("\"https://db.upstash.io\"", &["quotes", "remove them"]),
        ("rediss://db.upstash.io:6379", &["REST URL"]),
        ("https://db.upstash.io?_token=x", &["`?`", "leave out"]),
        (
            "https://default:t0ken-that-nobody-may-see@db.upstash.io",
            &["password", "leave them out"],
        ),
    ];
    for (url, words) in words {
        let built = Millpond::builder().upstash(url, TOKEN).build();
        says(&built.unwrap_err(), ErrorKind::Config, words);
    }
}

#[test]
fn a_token_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let words: [(String, &[&str]); 5] = [
        (String::new(), &["token is empty"]),
        (format!("{TOKEN}\n"), &["white space", "remove it"]),
        (format!("'{TOKEN}'"), &["quotes", "remove them"]),
        (
            format!("Bearer {TOKEN}"),
            &["`Bearer`", "leave that word out"],
        ),
        (format!("{TOKEN}\0"), &["copy it anew"]),
    ];
    for (token, words) in words {
        let built = Millpond::builder()
            .upstash("https://db.upstash.io", token)
            .build();
        says(&built.unwrap_err(), ErrorKind::Config, words);
    }
}

#[tokio::test]
async fn where_nobody_listens_functions_run_and_errors_say_where_to_look() {
    let nobody = millpond_gateway::ports::nobody().unwrap();
    let address = nobody.local_addr().unwrap();
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::builder()
        .upstash(format!("http://{address}"), TOKEN)
        .retries(0)
        .build()
        .unwrap();
    within_a_minute(pond.scope(async {
        let words = [
            "could not connect",
            &address.to_string(),
            "check UPSTASH_REDIS_REST_URL",
        ];
        let error = pond.get::<u32>("count:1").await.unwrap_err();
        says(&error, ErrorKind::Unavailable, &words);
        let error = pond.set("count:1", &1, ttl::SHORT).await.unwrap_err();
        says(&error, ErrorKind::Unavailable, &words);
        functions_run_without_the_cache().await;
    }))
    .await;
    assert!(
        log.text().contains("the cache did not answer"),
        "{}",
        log.text()
    );
    assert!(!log.text().contains(TOKEN), "{}", log.text());
    assert!(!format!("{pond:?}").contains(TOKEN));
}

#[tokio::test]
async fn with_a_wrong_token_functions_run_and_errors_name_the_variable() {
    let redis = needs_redis!();
    let gateway = Gateway::start(&redis.database()).await.unwrap();
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::builder()
        .upstash(gateway.url(), TOKEN)
        .build()
        .unwrap();
    within_a_minute(pond.scope(async {
        functions_run_without_the_cache().await;
        let words = [
            "the token was refused",
            "WRONGPASS",
            "check UPSTASH_REDIS_REST_TOKEN",
        ];
        says(
            &pond.get::<u32>("count:1").await.unwrap_err(),
            ErrorKind::Auth,
            &words,
        );
        says(
            &pond.delete("count:1").await.unwrap_err(),
            ErrorKind::Auth,
            &words,
        );
        says(
            &count::entry(1).get().await.unwrap_err(),
            ErrorKind::Auth,
            &words,
        );
        says(
            &pond.command(["PING"]).await.unwrap_err(),
            ErrorKind::Auth,
            &words,
        );
    }))
    .await;
    // Trying the same token again brings nothing.
    assert_eq!(pond.stats().retries, 0);
    assert!(log.text().contains("WRONGPASS"), "{}", log.text());
    assert!(!log.text().contains(TOKEN), "{}", log.text());
}

#[tokio::test]
async fn the_token_is_sent_and_shown_nowhere_when_all_is_well() {
    let redis = needs_redis!();
    let options = Options {
        token: TOKEN.to_owned(),
        ..Options::default()
    };
    let gateway = Gateway::start_with(&redis.database(), options)
        .await
        .unwrap();
    let (log, _guard) = Log::of_this_thread();
    let builder = Millpond::builder().upstash(gateway.url(), TOKEN);
    assert!(!format!("{builder:?}").contains(TOKEN));
    let pond = builder.build().unwrap();
    within_a_minute(async {
        pond.set("count:1", "v4lue-that-nobody-may-see", ttl::SHORT)
            .await
            .unwrap();
        let value: Option<String> = pond.get("count:1").await.unwrap();
        assert_eq!(value.as_deref(), Some("v4lue-that-nobody-may-see"));
    })
    .await;
    let sent = gateway.requests();
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(sent[0].header("authorization"), Some(bearer.as_str()));
    let shown = format!("{}{pond:?}{:?}", log.text(), pond.stats());
    for secret in [TOKEN, "v4lue-that-nobody-may-see"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A service that was started with the environment that it finds.
#[tokio::test]
#[ignore = "the other tests run it in a process of its own"]
async fn a_service() {
    let (log, guard) = Log::of_this_thread();
    // Started by hand there is nobody to answer to.
    let Some(_) = orders().recv().await else {
        return;
    };
    let current = millpond::current();
    let bodies = AtomicU32::new(0);
    let returned = [
        count(1, &bodies).await.unwrap(),
        count(1, &bodies).await.unwrap(),
    ];
    let outcome = match current.get::<u32>("count:1").await {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            assert!(!everything_about(&error).contains(TOKEN));
            format!("{:?} {error}", error.kind())
        }
    };
    assert!(reset(1).await.is_ok());
    drop(guard);
    assert!(!log.text().contains(TOKEN));
    let warnings: Vec<_> = ["ERROR", "WARN"]
        .iter()
        .map(|level| log.text().matches(level).count())
        .collect();
    let log = log.text();
    let warned = log.lines().find(|line| line.contains("WARN"));
    let warned = warned.and_then(|line| line.split_once(": "));
    let warned = warned.map_or_else(String::new, |(_, message)| format!("; {message}"));
    say(&format!("{returned:?} {warnings:?} {outcome}{warned}"));
}

async fn a_service_with(environment: &[(&str, &str)]) -> String {
    let mut service = Process::start("a_service", environment);
    let said = within_a_minute(async {
        service.tell("go").await;
        service.says().await
    });
    let said = said.await;
    service.end().await;
    said
}

#[tokio::test]
async fn with_one_variable_missing_functions_run_and_the_missing_one_is_named() {
    let pairs = [
        ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
        ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
        ("UPSTASH_REDIS_URL", "UPSTASH_REDIS_TOKEN"),
    ];
    for (url, token) in pairs {
        let said = a_service_with(&[(url, "https://db.upstash.io")]).await;
        let expected = format!(
            "[1, 2] [1, 0] Config Missing Upstash Redis credentials: {url} is set but {token} is not"
        );
        assert!(said.starts_with(&expected), "{said}");
        let said = a_service_with(&[(token, TOKEN)]).await;
        let expected = format!(
            "[1, 2] [1, 0] Config Missing Upstash Redis credentials: {token} is set but {url} is not"
        );
        assert!(said.starts_with(&expected), "{said}");
    }
}

#[tokio::test]
async fn with_a_wrong_address_in_the_environment_functions_run_and_one_error_is_logged() {
    let said = a_service_with(&[
        ("UPSTASH_REDIS_REST_URL", "db.upstash.io"),
        ("UPSTASH_REDIS_REST_TOKEN", TOKEN),
    ])
    .await;
    assert!(
        said.starts_with("[1, 2] [1, 0] Config the Upstash URL is not a URL"),
        "{said}"
    );
    assert!(said.contains("change UPSTASH_REDIS_REST_URL"), "{said}");
}

#[tokio::test]
async fn with_nothing_configured_the_embedded_engine_serves_and_one_warning_says_so() {
    let said = a_service_with(&[]).await;
    let (served, warned) = said.split_once("; ").unwrap();
    assert_eq!(served, "[1, 1] [0, 1] Some(1)");
    let begins = "Missing Upstash Redis credentials: neither UPSTASH_REDIS_REST_URL nor \
                  UPSTASH_REDIS_REST_TOKEN is set";
    assert!(warned.starts_with(begins), "{warned}");
}

#[tokio::test]
async fn with_both_variables_the_database_serves() {
    let redis = needs_redis!();
    let gateway = Gateway::start(&redis.database()).await.unwrap();
    let said = a_service_with(&[
        ("UPSTASH_REDIS_REST_URL", &gateway.url()),
        ("UPSTASH_REDIS_REST_TOKEN", gateway.token()),
    ])
    .await;
    assert_eq!(said, "[1, 1] [0, 0] Some(1)");
    assert!(!gateway.requests().is_empty());
}

#[tokio::test]
async fn plain_http_to_another_machine_needs_a_yes_and_is_warned_about() {
    let (log, _guard) = Log::of_this_thread();
    let builder = || Millpond::builder().upstash("http://srh:80", TOKEN);
    let error = builder().build().unwrap_err();
    let both = [
        "write https",
        "allow_plain_http",
        "MILLPOND_ALLOW_PLAIN_HTTP",
    ];
    says(&error, ErrorKind::Config, &both);
    assert!(log.text().is_empty(), "{}", log.text());

    builder().allow_plain_http(true).build().unwrap();
    assert!(log.text().contains("plain http"), "{}", log.text());
    assert!(!log.text().contains(TOKEN), "{}", log.text());
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_password_in_plain_text_to_another_machine_is_warned_about_once() {
    let (log, _guard) = Log::of_this_thread();
    for quiet in [
        format!("redis://:{TOKEN}@127.0.0.1:6379"),
        format!("redis://:{TOKEN}@localhost:6379"),
        "redis://db.internal:6379".to_owned(),
    ] {
        Millpond::builder().redis(quiet).build().unwrap();
    }
    assert!(!log.text().contains("plain text"), "{}", log.text());
    let nodes = ["a", "b"].map(|node| format!("redis://:{TOKEN}@{node}.internal:6379"));
    Millpond::builder().redis_cluster(nodes).build().unwrap();
    assert_eq!(
        log.text().matches("plain text").count(),
        1,
        "{}",
        log.text()
    );
    assert!(!log.text().contains(TOKEN), "{}", log.text());
}

#[tokio::test]
async fn the_first_command_says_once_which_engine_is_in_use() {
    let gateway = Gateway::start(&needs_redis!().database()).await.unwrap();
    let (log, _guard) = Log::of_this_thread();
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = builder.namespace("staging").build().unwrap();
    let line = "millpond is in use";
    assert!(!log.text().contains(line), "{}", log.text());
    for _ in 0..3 {
        pond.exists("k").await.unwrap();
    }
    let text = log.text();
    assert_eq!(text.matches(line).count(), 1, "{text}");
    let said = text.lines().find(|text| text.contains(line)).unwrap();
    assert!(said.contains("Upstash at 127.0.0.1"), "{said}");
    assert!(said.contains("staging"), "{said}");
    assert!(!said.contains(gateway.token()), "{said}");
}
