//! Counters are exact over the whole range of a 64-bit integer, on every engine: no reply passes through a number of
//! Lua or JavaScript, which hold 53 bits. A sum out of range is an error, and changes nothing.

mod support;

use millpond::{ErrorKind, Hash, Millpond, TimeLeft, ttl};
use millpond_gateway::{Fault, Matcher, needs_redis};
use std::time::Duration;
use support::on_every_engine;

on_every_engine! {
    a_counter_is_exact
    a_counter_with_a_lifetime_is_exact
    a_field_is_exact
    a_field_of_a_hash_that_expires_is_exact
    a_sum_out_of_range_changes_no_counter
    a_sum_out_of_range_changes_no_field
    the_least_number_cannot_be_taken_away
    a_lifetime_goes_to_a_counter_that_is_new
    what_others_stored_is_counted_on_exactly
}

/// As some servers and proxies do.
#[tokio::test]
async fn an_integer_that_is_sent_as_text_is_a_number() {
    let gateway = support::gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    // "7" in base64, as what the command in the script replied.
    let text = Fault::json(r#"[{"result":["Nw=="]}]"#);
    gateway.inject(Matcher::any().always(), text);
    assert_eq!(pond.increment("visits", 1, None).await.unwrap(), 7);
    assert_eq!(pond.increment("visits", 1, ttl::SHORT).await.unwrap(), 7);
    assert_eq!(pond.hash("visits").increment("ada", 1).await.unwrap(), 7);
}

const HALF: i64 = 1 << 53;

/// From, by, to.
const SUMS: [(i64, i64, i64); 14] = [
    (0, HALF - 1, HALF - 1),
    (HALF - 1, 1, HALF),
    (HALF, 1, HALF + 1),
    (HALF + 1, 1, HALF + 2),
    (HALF + 1, -1, HALF),
    (1 - HALF, -1, -HALF),
    (-HALF, -1, -HALF - 1),
    (-HALF - 1, 1, -HALF),
    (i64::MAX - 1, 1, i64::MAX),
    (i64::MAX, -1, i64::MAX - 1),
    (i64::MIN + 1, -1, i64::MIN),
    (i64::MIN, 1, i64::MIN + 1),
    (i64::MIN, i64::MAX, -1),
    (0, i64::MAX, i64::MAX),
];

const TOO_MUCH: [(i64, i64); 4] = [
    (i64::MAX, 1),
    (i64::MIN, -1),
    (HALF, i64::MAX),
    (-2, i64::MIN),
];

async fn count(pond: &Millpond, ttl: Option<Duration>) {
    for (n, (from, by, to)) in SUMS.into_iter().enumerate() {
        let key = format!("count:{n}");
        pond.increment(&key, from, ttl).await.unwrap();
        assert_eq!(
            pond.increment(&key, by, ttl).await.unwrap(),
            to,
            "{from} + {by}"
        );
        assert_eq!(pond.get(&key).await.unwrap(), Some(to), "{from} + {by}");
        let back = pond.decrement(&key, by, ttl).await.unwrap();
        assert_eq!(back, from, "{to} - {by}");
        let nothing = pond.increment(&key, 0, ttl).await.unwrap();
        assert_eq!(nothing, from, "{from} + 0");
        let left = pond.ttl(&key).await.unwrap();
        assert_eq!(left == TimeLeft::Forever, ttl.is_none(), "{left:?}");
    }
}

async fn a_counter_is_exact(pond: &Millpond) {
    count(pond, None).await;
}

async fn a_counter_with_a_lifetime_is_exact(pond: &Millpond) {
    count(pond, Some(ttl::LONG)).await;
}

async fn count_in(hash: &Hash) {
    for (n, (from, by, to)) in SUMS.into_iter().enumerate() {
        let field = format!("{n}");
        hash.increment(&field, from).await.unwrap();
        assert_eq!(
            hash.increment(&field, by).await.unwrap(),
            to,
            "{from} + {by}"
        );
        assert_eq!(hash.get(&field).await.unwrap(), Some(to), "{from} + {by}");
    }
}

async fn a_field_is_exact(pond: &Millpond) {
    count_in(&pond.hash("counts")).await;
}

async fn a_field_of_a_hash_that_expires_is_exact(pond: &Millpond) {
    count_in(&pond.hash("counts").expires_in(ttl::LONG)).await;
}

async fn a_sum_out_of_range_changes_no_counter(pond: &Millpond) {
    for ttl in [None, Some(ttl::LONG)] {
        for (n, (from, by)) in TOO_MUCH.into_iter().enumerate() {
            let key = format!("much:{n}:{}", ttl.is_some());
            pond.increment(&key, from, ttl).await.unwrap();
            let before = pond.ttl(&key).await.unwrap();
            let error = pond.increment(&key, by, Some(ttl::WEEK)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Overflow, "{from} + {by}: {error}");
            assert!(!error.may_have_run() && !error.is_retryable(), "{error:?}");
            assert_eq!(pond.get(&key).await.unwrap(), Some(from));
            let after = pond.ttl(&key).await.unwrap();
            assert_eq!(after == TimeLeft::Forever, before == TimeLeft::Forever);
            assert!(after.duration() <= Some(ttl::LONG), "{after:?}");
            // It counts on.
            assert_eq!(pond.increment(&key, 0, ttl).await.unwrap(), from);
        }
    }
    assert_eq!(pond.stats().pending_invalidations, 0);
}

async fn a_sum_out_of_range_changes_no_field(pond: &Millpond) {
    for hash in [pond.hash("one"), pond.hash("two").expires_in(ttl::LONG)] {
        for (n, (from, by)) in TOO_MUCH.into_iter().enumerate() {
            let field = format!("{n}");
            hash.increment(&field, from).await.unwrap();
            let error = hash.increment(&field, by).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Overflow, "{from} + {by}: {error}");
            assert!(!error.may_have_run() && !error.is_retryable(), "{error:?}");
            assert_eq!(hash.get(&field).await.unwrap(), Some(from));
        }
    }
    assert_eq!(pond.stats().pending_invalidations, 0);
}

async fn the_least_number_cannot_be_taken_away(pond: &Millpond) {
    pond.increment("least", -1, None).await.unwrap();
    let error = pond.decrement("least", i64::MIN, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overflow, "{error}");
    assert_eq!(pond.get("least").await.unwrap(), Some(-1));
}

async fn a_lifetime_goes_to_a_counter_that_is_new(pond: &Millpond) {
    for by in [0, 1, HALF + 1] {
        let key = format!("new:{by}");
        pond.increment(&key, by, ttl::LONG).await.unwrap();
        let left = pond.ttl(&key).await.unwrap().duration();
        assert!(left > Some(ttl::MEDIUM), "{left:?}");
        pond.increment(&key, by, ttl::SHORT).await.unwrap();
        let left = pond.ttl(&key).await.unwrap().duration();
        assert!(left > Some(ttl::MEDIUM), "{left:?}");
    }
    // One that stays, stays, also where it stands at 0.
    pond.increment("stays", 0, None).await.unwrap();
    pond.increment("stays", 1, ttl::SHORT).await.unwrap();
    assert_eq!(pond.ttl("stays").await.unwrap(), TimeLeft::Forever);
}

async fn what_others_stored_is_counted_on_exactly(pond: &Millpond) {
    let most = i64::MAX.to_string();
    pond.command(["SET", "plain", &most]).await.unwrap();
    assert_eq!(
        pond.decrement("plain", 7, ttl::LONG).await.unwrap(),
        i64::MAX - 7
    );
    let sum = pond.command(["INCRBY", "plain", "7"]).await.unwrap();
    assert_eq!(sum.parse::<i64>().unwrap(), i64::MAX);
    let read: i64 = pond
        .command(["GET", "plain"])
        .await
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(read, i64::MAX);
    let replies = pond
        .pipeline()
        .command(["DECR", "plain"])
        .command(["HINCRBY", "fields", "most", &most])
        .send()
        .await;
    let sums: Vec<i64> = replies
        .into_iter()
        .map(|reply| reply.unwrap().parse().unwrap())
        .collect();
    assert_eq!(sums, [i64::MAX - 1, i64::MAX]);
}
