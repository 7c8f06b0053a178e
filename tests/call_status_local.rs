//! `with_status` of functions whose values stay in the process, and of calls that the cache cannot serve.

mod support;

#[cfg(feature = "redis")]
use futures_util::FutureExt;
use futures_util::future::{join, join3};
use millpond::{BypassReason, CallStatus, ManualClock, Millpond, Tier, cached, with_status};
use millpond::{refresh, uncached};
use std::time::Duration;
use support::source::{Source, source};
use support::within_a_minute;

#[cached(local = "only", ttl = "1h", key = "<n>")]
fn square(n: u64) -> Option<u64> {
    (n < 100).then(|| n * n)
}

#[cached(local = "only", ttl = "1h", key = "<n>", when = n > 1)]
async fn cube(n: u64) -> Option<u64> {
    (n < 100).then(|| n * n * n)
}

#[cached(local = "only", ttl = "1h", key = "<n>", skip(source))]
async fn slow(n: u64, source: &Source<Result<u64, String>>) -> Result<u64, String> {
    source.answer().await.map(|by| n * by)
}

const AGE: Duration = Duration::from_secs(30);

fn aged(status: CallStatus) -> (&'static str, Option<Tier>, Option<Duration>) {
    (status.as_str(), status.tier(), status.age())
}

#[tokio::test]
async fn what_is_kept_in_the_process_has_an_age() {
    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let kept = |word| (word, Some(Tier::Local), Some(AGE));
    pond.scope(async {
        let sync = |n| with_status(async move { square(n) });
        for n in [7, 100] {
            assert_eq!(sync(n).await.1, CallStatus::Loaded);
            assert_eq!(with_status(cube(n)).await.1, CallStatus::Loaded);
        }
        clock.advance(AGE);
        assert_eq!(aged(sync(7).await.1), kept("hit"));
        assert_eq!(aged(sync(100).await.1), kept("null"));
        assert_eq!(aged(with_status(cube(7)).await.1), kept("hit"));
        assert_eq!(aged(with_status(cube(100)).await.1), kept("null"));
        // Of the first call only, and no longer than the future.
        let (_, status) = with_status(async { (square(7), square(8)) }).await;
        assert_eq!(aged(status), kept("hit"));
        let (_, status) = with_status(async { (square(9), square(7)) }).await;
        assert_eq!(status, CallStatus::Loaded);
        square(7);
        assert_eq!(with_status(async {}).await.1, CallStatus::NoCall);

        let loaded = with_status(refresh(cube(7))).await;
        assert_eq!(loaded, (Some(343), CallStatus::Loaded));
        let uncached = with_status(uncached(async { square(7) })).await.1;
        assert_eq!(uncached, CallStatus::Bypassed(BypassReason::Uncached));
        let status = with_status(cube(1)).await.1;
        assert_eq!(status, CallStatus::Bypassed(BypassReason::When));
    })
    .await;
    pond.bypass(async {
        let scope = CallStatus::Bypassed(BypassReason::Scope);
        assert_eq!(with_status(cube(7)).await.1, scope);
        assert_eq!(with_status(async { square(7) }).await.1, scope);
    })
    .await;
}

#[tokio::test]
async fn who_waits_for_another_callers_value_is_told_so() {
    for (n, by) in [(1, Ok(3)), (2, Err("down".to_owned()))] {
        let (source, bodies) = source();
        bodies.answer_all(by.clone());
        let calls = join3(
            with_status(slow(n, &source)),
            with_status(slow(n, &source)),
            with_status(slow(n, &source)),
        );
        let calls = within_a_minute(Millpond::memory().scope(calls)).await;
        let (first, second, third) = calls;
        // An error of a body that ran when they came is not theirs: one of them runs the next.
        let told = [first.1, second.1, third.1];
        let shared = |told: &&CallStatus| **told == CallStatus::Shared;
        let expected = if by.is_ok() { 2 } else { 1 };
        assert_eq!(told.iter().filter(shared).count(), expected, "{told:?}");
        assert_eq!(told[0], CallStatus::Loaded);
        assert_eq!(third.0, by.map(|by| n * by));
    }
}

#[cached(prefix = "user", key = "<id>")]
async fn user(id: u32) -> u32 {
    id
}

#[cfg(feature = "upstash")]
#[tokio::test]
async fn a_cache_that_does_not_answer_is_told_apart_from_a_miss() {
    let gateway = support::gateway(millpond_gateway::needs_redis!()).await;
    let pond = support::pond(&gateway);
    let no_answer = CallStatus::Bypassed(BypassReason::NoAnswer);
    pond.scope(async {
        assert_eq!(with_status(user(7)).await, (7, CallStatus::Loaded));
        gateway.refuse().await;
        assert_eq!(with_status(user(7)).await, (7, no_answer));
        assert_eq!(with_status(refresh(user(7))).await, (7, no_answer));
        let (_, status) = with_status(users(&[7, 8])).await;
        let CallStatus::Batch(items) = status else {
            panic!("{status:?}")
        };
        assert_eq!((items.loaded, items.bypassed), (0, 2));
    })
    .await;
}

#[cfg(feature = "upstash")]
#[cached(batch = ids, of = user(*ids))]
async fn users(ids: &[u32]) -> std::collections::HashMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cfg(feature = "encrypt")]
#[cached(prefix = "sealed", key = "<id>", encrypt)]
async fn sealed(id: u32) -> u32 {
    id
}

#[cfg(feature = "encrypt")]
#[cached(batch = ids, of = sealed(*ids))]
async fn all_sealed(ids: &[u32]) -> std::collections::HashMap<u32, u32> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cfg(feature = "encrypt")]
#[tokio::test]
async fn without_a_key_for_encryption_the_reason_is_told() {
    Millpond::memory()
        .scope(async {
            let no_key = CallStatus::Bypassed(BypassReason::NoEncryptionKey);
            assert_eq!(with_status(sealed(7)).await, (7, no_key));
            assert_eq!(with_status(all_sealed(&[7])).await.1, no_key);
        })
        .await;
}

#[cfg(feature = "redis")]
#[test]
fn outside_a_runtime_the_reason_is_told() {
    let pond = Millpond::builder().redis("redis://127.0.0.1:9").build();
    let status = pond.unwrap().scope(with_status(user(7)));
    let no_runtime = CallStatus::Bypassed(BypassReason::NoRuntime);
    assert_eq!(status.now_or_never(), Some((7, no_runtime)));
}

/// Two functions whose values differ, under one key.
#[cached(prefix = "both", key = "<id>", skip(source))]
async fn number(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

#[cached(prefix = "both", key = "<id>", shares = number, skip(_source))]
async fn word(id: u32, _source: &Source<u32>) -> u32 {
    id
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_ends_without_a_value_is_told() {
    let (source, mut bodies) = source();
    let pond = Millpond::builder().memory();
    let pond = pond.flight_wait(Duration::from_secs(1)).build().unwrap();
    pond.scope(async {
        let calls = join(number(1, &source), async {
            let told = with_status(word(1, &source)).await;
            bodies.next().await.answer(7);
            told
        });
        let (first, second) = calls.await;
        assert_eq!(first, 7);
        let waited = CallStatus::Bypassed(BypassReason::Waited);
        assert_eq!(second, (1, waited));
    })
    .await;
}
