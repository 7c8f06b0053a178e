//! What each option of `#[cached]` changes, as a caller notices it.

mod support;

use millpond::{Lookup, ManualClock, Millpond, TimeLeft, cached, ttl};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::log::Log;
use support::source::{Source, source};
use support::{settle, within_a_minute};

const HALF_A_MINUTE: Duration = Duration::from_secs(30);

fn next(bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[cached(prefix = "default", key = "<id>", skip(bodies))]
async fn default_ttl(id: u32, bodies: &AtomicU32) -> Option<u32> {
    (id > 0).then(|| next(bodies))
}

#[cached(prefix = "lives", ttl = HALF_A_MINUTE, null_ttl = "1500ms", skip(bodies))]
async fn own_ttl(id: u32, bodies: &AtomicU32) -> Option<u32> {
    let n = next(bodies);
    (id > 0).then_some(n)
}

#[cached(prefix = "no-null", null = false, skip(bodies))]
async fn without_null(id: u32, bodies: &AtomicU32) -> Option<u32> {
    let n = next(bodies);
    (id > 0).then_some(n)
}

#[cached(prefix = "when", key = "<id>", when = *id > 10 && *fresh, skip(fresh, bodies))]
async fn only_when(id: &u32, fresh: &bool, bodies: &AtomicU32) -> u32 {
    let _ = (id, fresh);
    next(bodies)
}

#[cached(prefix = "unless", key = "<id>", unless = |value| value % 2 == 1, skip(bodies))]
async fn unless_odd(id: u32, bodies: &AtomicU32) -> Result<u32, String> {
    let _ = id;
    Ok(next(bodies))
}

mod old {
    #[millpond::cached(prefix = "profile")]
    pub(crate) async fn profile(id: u32) -> u32 {
        id
    }
}

#[cached(prefix = "profile", version = 2)]
async fn profile(id: u32) -> String {
    format!("profile {id}")
}

mod clashing {
    #[millpond::cached(prefix = "profile")]
    pub(crate) async fn profile(user_id: u32) -> Vec<u32> {
        vec![user_id]
    }
}

#[cached(prefix = "alone", key = "<id>", flight = "off", skip(source))]
async fn everyone_loads(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

#[cached(prefix = "on", key = "<id>", on = pond, skip(pond, bodies))]
async fn on_a_pond(id: u32, pond: &Millpond, bodies: &AtomicU32) -> u32 {
    let _ = (id, pond);
    next(bodies)
}

#[cached(
    prefix = "named",
    companion = "accounts",
    invalidate = "forget_account",
    skip(bodies)
)]
async fn named(id: u32, bodies: &AtomicU32) -> u32 {
    let _ = id;
    next(bodies)
}

#[tokio::test]
async fn a_value_lives_for_its_ttl_and_a_nothing_for_its_own() {
    let clock = ManualClock::new();
    let pond = Millpond::builder().clock(clock.clone()).build().unwrap();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        default_ttl(1, &bodies).await;
        default_ttl(0, &bodies).await;
        let left = |left| TimeLeft::Left(left);
        assert_eq!(
            default_ttl::entry(1).ttl().await.unwrap(),
            left(ttl::MEDIUM)
        );
        assert_eq!(default_ttl::entry(0).ttl().await.unwrap(), left(ttl::SHORT));
        assert_eq!(own_ttl(1, &bodies).await, Some(1));
        assert_eq!(own_ttl(0, &bodies).await, None);
        assert_eq!(own_ttl::entry(1).ttl().await.unwrap(), left(HALF_A_MINUTE));
        clock.advance(Duration::from_millis(1_499));
        assert_eq!(own_ttl::entry(0).get().await.unwrap(), Lookup::Null);
        clock.advance(Duration::from_millis(1));
        assert_eq!(own_ttl::entry(0).get().await.unwrap(), Lookup::Miss);
        assert_eq!(own_ttl(1, &bodies).await, Some(1));
        clock.advance(HALF_A_MINUTE);
        assert_eq!(own_ttl(1, &bodies).await, Some(3));
    })
    .await;
}

#[tokio::test]
async fn with_null_off_a_nothing_is_not_cached_and_putting_one_removes_the_value() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        assert_eq!(without_null(0, &bodies).await, None);
        assert_eq!(without_null(0, &bodies).await, None);
        assert_eq!(bodies.load(Ordering::SeqCst), 2);
        assert_eq!(without_null(1, &bodies).await, Some(2));
        without_null::entry(1).put(&None::<u32>).await.unwrap();
        assert_eq!(without_null::entry(1).get().await.unwrap(), Lookup::Miss);
    })
    .await;
}

#[tokio::test]
async fn when_decides_before_the_key_is_looked_up() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        for (id, fresh, expected) in [(1, true, 0), (1, true, 1), (11, false, 2)] {
            assert_eq!(only_when(&id, &fresh, &bodies).await, expected);
        }
        assert_eq!(pond.stats().commands, 0);
        assert_eq!(only_when(&11, &true, &bodies).await, 3);
        assert_eq!(only_when(&11, &true, &bodies).await, 3);
        assert_eq!(only_when(&11, &false, &bodies).await, 4);
    })
    .await;
}

#[tokio::test]
async fn unless_keeps_a_result_out_of_the_cache() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(1);
        assert_eq!(unless_odd(1, &bodies).await, Ok(1));
        assert_eq!(unless_odd(1, &bodies).await, Ok(2));
        assert_eq!(unless_odd(1, &bodies).await, Ok(2));
    })
    .await;
}

#[tokio::test]
async fn a_version_starts_cold_and_leaves_the_old_values_alone() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!(old::profile(1).await, 1);
        assert_eq!(profile(1).await, "profile 1");
        assert_eq!(old::profile(1).await, 1);
    })
    .await;
    assert_eq!(pond.stats().prefix("profile").loads, 2);
    assert_eq!(pond.stats().cache.decode_failures, 0);
    assert!(!log.text().contains("different types"), "{}", log.text());
}

#[tokio::test]
async fn two_functions_with_one_prefix_and_different_types_are_reported_once() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    pond.scope(async {
        assert_eq!(old::profile(1).await, 1);
        for _ in 0..3 {
            assert_eq!(clashing::profile(1).await, [1]);
        }
    })
    .await;
    let text = log.text();
    assert_eq!(text.matches("different types").count(), 1, "{text}");
    for part in [
        "ERROR",
        "profile",
        "u32",
        "Vec<u32>",
        "another prefix or key",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn with_flight_off_everyone_loads() {
    let pond = Millpond::memory();
    within_a_minute(async {
        let (source, mut bodies) = source();
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let source = source.clone();
                pond.spawn(async move { everyone_loads(1, &source).await })
            })
            .collect();
        for n in 0..3 {
            bodies.next().await.answer(n);
        }
        for (n, call) in (0..).zip(calls) {
            assert_eq!(call.await.unwrap(), n);
        }
        // The first was stored; the others found it there.
        assert_eq!(pond.get::<u32>("alone:1").await.unwrap(), Some(0));
        assert_eq!(pond.stats().cache.refused, 2);
    })
    .await;
}

#[tokio::test]
async fn on_names_the_cache_whatever_the_scope_says() {
    let (one, other) = (Millpond::memory(), Millpond::memory());
    other
        .scope(async {
            let bodies = AtomicU32::new(0);
            assert_eq!(on_a_pond(1, &one, &bodies).await, 0);
            assert_eq!(on_a_pond(1, &one, &bodies).await, 0);
            assert_eq!(on_a_pond(1, &other, &bodies).await, 1);
            on_a_pond::invalidate(1, &one).await.unwrap();
            assert_eq!(on_a_pond(1, &one, &bodies).await, 2);
        })
        .await;
    assert_eq!((one.stats().cache.loads, other.stats().cache.loads), (2, 1));
}

#[tokio::test]
async fn companions_can_be_renamed() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        assert_eq!(named(1, &bodies).await, 0);
        assert!(accounts::entry(1).exists().await.unwrap());
        forget_account!(1).await.unwrap();
        assert_eq!(named(1, &bodies).await, 1);
        accounts::invalidate(1).await.unwrap();
        assert_eq!(named(1, &bodies).await, 2);
    })
    .await;
}

#[tokio::test]
async fn refresh_loads_and_stores_anew_and_uncached_does_neither() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        assert_eq!(named(1, &bodies).await, 0);
        assert_eq!(millpond::uncached(named(1, &bodies)).await, 1);
        assert_eq!(named(1, &bodies).await, 0);
        assert_eq!(millpond::refresh(named(1, &bodies)).await, 2);
        assert_eq!(named(1, &bodies).await, 2);
        assert_eq!(accounts::entry(1).get().await.unwrap(), Lookup::Hit(2));
    })
    .await;
}

#[cached(prefix = "outer", skip(bodies))]
async fn outer(id: u32, bodies: &AtomicU32) -> u32 {
    settle().await;
    named(id, bodies).await
}

#[tokio::test]
async fn refresh_and_uncached_concern_one_call_and_not_those_inside_it() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        assert_eq!(outer(1, &bodies).await, 0);
        assert_eq!(millpond::refresh(outer(1, &bodies)).await, 0);
        assert_eq!(millpond::uncached(outer(1, &bodies)).await, 0);
        assert_eq!(bodies.load(Ordering::SeqCst), 1);
    })
    .await;
    assert_eq!(pond.stats().prefix("outer").loads, 2);
}

#[tokio::test]
async fn bypass_neither_reads_nor_writes() {
    let pond = Millpond::memory();
    let bodies = AtomicU32::new(0);
    pond.scope(named(1, &bodies)).await;
    pond.bypass(async {
        assert_eq!(named(1, &bodies).await, 1);
        assert_eq!(outer(1, &bodies).await, 2);
    })
    .await;
    assert_eq!(pond.scope(named(1, &bodies)).await, 0);
    assert_eq!(pond.stats().prefix("outer").stores, 0);
}

#[tokio::test]
async fn counters_are_kept_per_prefix() {
    let pond = Millpond::memory();
    pond.scope(async {
        let bodies = AtomicU32::new(0);
        for _ in 0..3 {
            named(1, &bodies).await;
            default_ttl(0, &bodies).await;
        }
        accounts::invalidate(1).await.unwrap();
    })
    .await;
    let stats = pond.stats();
    let named = stats.prefix("named");
    assert_eq!((named.misses, named.loads, named.stores), (1, 1, 1));
    assert_eq!(
        (named.hits, named.null_hits, named.invalidations),
        (2, 0, 1)
    );
    let nothing = stats.prefix("default");
    assert_eq!((nothing.misses, nothing.hits, nothing.null_hits), (1, 0, 2));
    assert_eq!(stats.cache.loads, 2);
    assert_eq!(stats.prefixes().count(), 2);
    assert_eq!(stats.prefix("unheard-of").loads, 0);
}
