//! `guard = false`: plain commands, and what is given up for them. On every engine.

mod support;

use millpond::{Lookup, Millpond, TimeLeft, cached, invalidates, updates};
use std::time::Duration;
use support::source::{Source, source};
use support::{on_every_engine, settle, within_a_minute};

#[cached(
    prefix = "answer",
    key = "<prompt>",
    ttl = "1h",
    guard = false,
    skip(source)
)]
async fn answer(prompt: &str, source: &Source<u32>) -> Option<u32> {
    Some(source.answer().await)
}

#[cached(prefix = "record", key = "<id>", guard = false)]
async fn record(id: u32) -> Result<u32, std::fmt::Error> {
    if id == 0 {
        Err(std::fmt::Error)
    } else {
        Ok(id)
    }
}

#[invalidates(record(id))]
async fn forget(id: u32) {}

#[updates(record(id))]
async fn replace(id: u32, by: u32) -> u32 {
    by
}

async fn a_value_is_loaded_once_and_removed_by_name(pond: &Millpond) {
    pond.scope(async {
        assert_eq!(record(7).await, Ok(7));
        assert_eq!(record(7).await, Ok(7));
        assert_eq!(record(0).await, Err(std::fmt::Error));
        let entry = record::entry(7);
        assert_eq!(entry.get().await.unwrap(), Lookup::Hit(7));
        assert!(matches!(entry.ttl().await.unwrap(), TimeLeft::Left(_)));
        record::invalidate(7).await.unwrap();
        assert_eq!(entry.get().await.unwrap(), Lookup::Miss);
        entry.put(&8).await.unwrap();
        assert_eq!(record(7).await, Ok(8));
        replace(7, 9).await;
        assert_eq!(record(7).await, Ok(9));
        forget(7).await;
        assert_eq!(record(7).await, Ok(7));
    })
    .await;
    let stats = pond.stats().prefix("record");
    assert_eq!((stats.loads, stats.load_errors), (3, 1));
    assert!(!pond.exists("{record:7}:guard").await.unwrap());
}

async fn a_load_that_an_invalidation_overtook_is_stored(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = {
        let source = source.clone();
        pond.spawn(async move { answer("why", &source).await })
    };
    let body = within_a_minute(bodies.next()).await;
    // As another process does it: this process knows that its own load is out of date.
    pond.command(["DEL", "answer:why"]).await.unwrap();
    body.answer(1);
    assert_eq!(call.await.unwrap(), Some(1));
    let entry = async { answer::entry("why").get().await };
    assert_eq!(pond.scope(entry).await.unwrap(), Lookup::Hit(Some(1)));
}

async fn callers_share_one_body(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { answer("how", &source).await })
    };
    let calls: Vec<_> = (0..20).map(|_| call()).collect();
    let body = within_a_minute(bodies.next()).await;
    settle().await;
    body.answer(3);
    for call in calls {
        assert_eq!(within_a_minute(call).await.unwrap(), Some(3));
    }
    assert_eq!(pond.stats().prefix("answer").loads, 1);
}

on_every_engine! {
    a_value_is_loaded_once_and_removed_by_name
    a_load_that_an_invalidation_overtook_is_stored
    callers_share_one_body
}

/// A body may take longer than guards live.
#[tokio::test]
async fn a_slow_load_is_stored() {
    let clock = millpond::ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let (source, mut bodies) = source();
    let call = {
        let source = source.clone();
        pond.spawn(async move { answer("slow", &source).await })
    };
    let body = bodies.next().await;
    clock.advance(Duration::from_secs(1_200));
    body.answer(1);
    call.await.unwrap();
    assert!(pond.exists("answer:slow").await.unwrap());
}
