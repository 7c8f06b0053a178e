//! What `explain` finds out about a key, on every engine: whatever it holds, and never the content.

mod support;

use millpond::{ErrorKind, Explanation, Key, Millpond, TimeLeft, ValueKind, cached, ttl};
use std::time::Duration;
use support::source::{Source, source};
use support::{on_every_engine, settle};

const MINUTE: Duration = Duration::from_secs(60);
const GUARD: Duration = Duration::from_secs(5 * 60);

on_every_engine! {
    a_key_that_was_never_there_says_so
    a_value_that_was_stored_is_there_with_its_size_its_time_and_its_guard
    a_value_that_was_invalidated_says_so
    a_value_that_a_function_loaded_has_no_guard
    each_kind_of_value_is_told_apart
    a_long_value_is_known_by_its_beginning
    each_type_of_redis_is_counted_in_its_own_way
    what_other_software_stored_for_ever_is_noticed
    nothing_of_the_content_is_told
    a_load_under_way_is_known
    a_key_that_cannot_be_used_is_an_error
}

#[cached(prefix = "why", key = "<id>")]
async fn name(id: u32) -> Option<String> {
    (id > 0).then(|| format!("user {id}"))
}

#[cached(prefix = "slow", key = "<id>", skip(source))]
async fn slow(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

async fn explain(pond: &Millpond, key: &str) -> Explanation {
    pond.explain(key).await.unwrap()
}

async fn command(pond: &Millpond, line: &str) {
    let words = line.split(' ').map(str::to_owned);
    pond.command(words).await.unwrap();
}

/// What it says to a person, on one line.
fn told(why: &Explanation) -> String {
    why.to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[track_caller]
fn assert_about(left: TimeLeft, whole: Duration) {
    let range = whole / 2..=whole;
    assert!(
        left.duration().is_some_and(|left| range.contains(&left)),
        "{left:?}"
    );
}

async fn a_key_that_was_never_there_says_so(pond: &Millpond) {
    let why = explain(pond, "why:nobody").await;
    assert_eq!(why.key(), "why:nobody");
    assert!(!why.exists() && !why.is_loading() && !why.has_undelivered_invalidation());
    assert_eq!(
        (why.ttl(), why.guard()),
        (TimeLeft::Missing, TimeLeft::Missing)
    );
    assert_eq!((why.redis_type(), why.value()), (None, None));
    assert_eq!((why.bytes(), why.members()), (None, None));
    let told = told(&why);
    assert!(
        told.starts_with("why:nobody is not there. It was not invalidated"),
        "{told}"
    );
    assert!(
        told.contains(
            "within the last 5 min: there is no guard. If it was stored: its time was up"
        ),
        "{told}"
    );
}

async fn a_value_that_was_stored_is_there_with_its_size_its_time_and_its_guard(pond: &Millpond) {
    pond.set("why:1", &[1, 2, 3], ttl::LONG).await.unwrap();
    let why = explain(pond, "why:1").await;
    assert!(why.exists());
    assert_eq!(
        (why.redis_type(), why.value()),
        (Some("string"), Some(ValueKind::Json))
    );
    assert_eq!((why.bytes(), why.members()), (Some(7), None));
    assert_about(why.ttl(), ttl::LONG);
    assert_about(why.guard(), GUARD);
    let told = told(&why);
    assert!(
        told.starts_with("why:1 holds 7 bytes, JSON; it has "),
        "{told}"
    );
    assert!(
        told.contains("invalidated or written within the last 5 min"),
        "{told}"
    );
}

async fn a_value_that_was_invalidated_says_so(pond: &Millpond) {
    pond.set("why:2", "Ada", ttl::LONG).await.unwrap();
    pond.delete("why:2").await.unwrap();
    let why = explain(pond, "why:2").await;
    assert!(!why.exists());
    assert_about(why.guard(), GUARD);
    let told = told(&why);
    assert!(
        told.starts_with("why:2 is not there. It was invalidated or written within the last 5 min"),
        "{told}"
    );
}

async fn a_value_that_a_function_loaded_has_no_guard(pond: &Millpond) {
    let why = pond.scope(async {
        name(3).await;
        name::entry(3).explain().await
    });
    let why = why.await.unwrap();
    assert_eq!((why.key(), why.bytes()), ("why:3", Some(8)));
    assert_eq!(why.guard(), TimeLeft::Missing);
    assert_about(why.ttl(), ttl::MEDIUM);
    pond.scope(async { name(0).await }).await;
    let why = explain(pond, "why:0").await;
    assert_eq!(why.value(), Some(ValueKind::Null));
    assert!(told(&why).contains("return `None` without a load"), "{why}");
}

async fn each_kind_of_value_is_told_apart(pond: &Millpond) {
    use ValueKind::{Envelope, Json, Null, Text, Unknown};
    let kinds = [
        ("{\"a\":[1,2.5]}", Json, "JSON"),
        ("\"text\"", Json, "JSON"),
        ("17", Json, "JSON"),
        ("__NULL__", Null, "a cached `None`"),
        ("null", Null, "a cached `None`"),
        ("hello-world", Text, "plain text"),
        (
            "{\"millpond\":{\"z\":1}}\n\u{1}",
            Envelope,
            "compressed or encrypted",
        ),
        ("{cut", Unknown, "nothing that millpond knows"),
        ("[1,2", Unknown, "nothing that millpond knows"),
    ];
    for (value, kind, words) in kinds {
        pond.command(["SET", "why:kind", value]).await.unwrap();
        let why = explain(pond, "why:kind").await;
        assert_eq!(why.value(), Some(kind), "{value}");
        assert_eq!(why.bytes(), Some(value.len() as u64));
        let told = told(&why);
        assert!(told.contains(&format!("bytes, {words};")), "{told}");
    }
}

async fn a_long_value_is_known_by_its_beginning(pond: &Millpond) {
    let json = serde_json::to_string(&vec!["é"; 50_000]).unwrap();
    let kinds = [
        (json.clone(), ValueKind::Json),
        (format!("{{\"millpond\":1}}\n{json}"), ValueKind::Envelope),
        ("é".repeat(100_000), ValueKind::Text),
        // One byte further, so that a character is cut in two.
        (format!("x{}", "é".repeat(100_000)), ValueKind::Text),
        (format!("{{{}", "é".repeat(100_000)), ValueKind::Unknown),
    ];
    for (value, kind) in kinds {
        let received = pond.stats().bytes_received;
        let size = value.len() as u64;
        let set = ["SET".to_owned(), "why:long".to_owned(), value];
        pond.command(set).await.unwrap();
        let why = explain(pond, "why:long").await;
        assert_eq!((why.value(), why.bytes()), (Some(kind), Some(size)));
        let received = pond.stats().bytes_received - received;
        assert!(received < 4_096, "{received} bytes to look at {size}");
    }
}

async fn each_type_of_redis_is_counted_in_its_own_way(pond: &Millpond) {
    let types = [
        ("HSET k a 1 b 2", "hash", 2),
        ("RPUSH k a b c", "list", 3),
        ("SADD k a b c d", "set", 4),
        ("ZADD k 1 a", "zset", 1),
    ];
    for (line, redis_type, members) in types {
        command(pond, "DEL k").await;
        command(pond, line).await;
        let why = explain(pond, "k").await;
        assert_eq!(why.redis_type(), Some(redis_type));
        assert_eq!(
            (why.members(), why.bytes()),
            (Some(members), None),
            "{line}"
        );
        assert_eq!((why.value(), why.ttl()), (None, TimeLeft::Forever));
        let told = told(&why);
        let begins = format!("k is a {redis_type} of {members}; it does not expire");
        assert!(told.starts_with(&begins), "{told}");
        assert!(told.contains("fail with WrongType"), "{told}");
    }
}

async fn what_other_software_stored_for_ever_is_noticed(pond: &Millpond) {
    command(pond, "SET why:forever 1").await;
    command(pond, "SET {why:forever}:guard word").await;
    let why = explain(pond, "why:forever").await;
    assert_eq!(
        (why.ttl(), why.guard()),
        (TimeLeft::Forever, TimeLeft::Forever)
    );
    let told = told(&why);
    assert!(told.contains("something else wrote it"), "{told}");
    assert!(told.contains("should give it 5 min"), "{told}");
}

async fn nothing_of_the_content_is_told(pond: &Millpond) {
    pond.set("why:secret", "hunter2", MINUTE).await.unwrap();
    command(pond, "HSET why:secrets hunter2 hunter2").await;
    for key in ["why:secret", "why:secrets"] {
        let why = explain(pond, key).await;
        let shown = format!("{why} {why:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

async fn a_load_under_way_is_known(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = pond.spawn(async move { slow(1, &source).await });
    let body = bodies.next().await;
    let why = explain(pond, "slow:1").await;
    assert!(why.is_loading() && !why.exists());
    assert!(
        told(&why).contains("is looking it up or loading it right now"),
        "{why}"
    );
    body.answer(7);
    assert_eq!(call.await.unwrap(), 7);
    settle().await;
    let why = explain(pond, "slow:1").await;
    assert!(!why.is_loading() && why.exists());
}

async fn a_key_that_cannot_be_used_is_an_error(pond: &Millpond) {
    for key in [String::new(), "k".repeat(40_000)] {
        let error = pond.explain(Key::from(key)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
    }
}

#[tokio::test]
async fn the_key_is_the_one_that_the_server_knows() {
    let pond = Millpond::builder().namespace("a:b").build().unwrap();
    pond.set("why:1", &1, MINUTE).await.unwrap();
    let why = explain(&pond, "why:1").await;
    assert_eq!(why.key(), "a%3Ab:why:1");
    assert_about(why.guard(), GUARD);
}

#[cfg(feature = "upstash")]
mod over_http {
    use super::support::LONG;
    use super::{MINUTE, explain, told};
    use crate::support::{builder, gateway, within_a_minute};
    use millpond::{ErrorKind, Millpond};
    use millpond_gateway::{Fault, Matcher, needs_redis};

    #[tokio::test]
    async fn an_invalidation_that_waits_is_known_and_is_left_waiting() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).retries(0).build().unwrap();
        within_a_minute(async {
            pond.set("why:1", &1, MINUTE).await.unwrap();
            // The first is the caller's, those after it come from the background.
            let courier = gateway.hold_before(Matcher::command("EVALSHA").always());
            gateway.inject("DEL", Fault::ResetBefore);
            pond.delete("why:1").await.unwrap_err();
            courier.arrived().await;
            let why = explain(&pond, "why:1").await;
            assert!(why.exists() && why.has_undelivered_invalidation());
            assert!(
                told(&why).contains("Millpond::flush tries at once"),
                "{why}"
            );
            assert_eq!(pond.stats().pending_invalidations, 1);
            courier.release();
            pond.flush().await.unwrap();
            let why = explain(&pond, "why:1").await;
            assert!(!why.exists() && !why.has_undelivered_invalidation());
        })
        .await;
    }

    #[tokio::test]
    async fn it_is_one_request_that_changes_nothing() {
        let gateway = gateway(needs_redis!()).await;
        let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
        let pond = pond.budget(LONG).build().unwrap();
        explain(&pond, "why:1").await;
        assert_eq!(gateway.requests().len(), 1);
        let names: Vec<_> = gateway
            .commands()
            .into_iter()
            .map(|it| it[0].clone())
            .collect();
        let reads = [
            "TYPE", "PTTL", "PTTL", "STRLEN", "GETRANGE", "HLEN", "LLEN", "SCARD", "ZCARD",
        ];
        assert_eq!(names, reads);
        let left = gateway.database().command(["DBSIZE"]).await.unwrap();
        assert_eq!(left, millpond_gateway::Reply::Int(0));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_an_error() {
        let gateway = gateway(needs_redis!()).await;
        let pond = builder(&gateway).retries(0).build().unwrap();
        gateway.refuse().await;
        let error = pond.explain("why:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(pond.stats().prefix("why").errors, 1);
    }
}
