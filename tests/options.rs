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

#[cached(prefix = "default", key = "<id>", jitter = 0, skip(bodies))]
async fn default_ttl(id: u32, bodies: &AtomicU32) -> Option<u32> {
    (id > 0).then(|| next(bodies))
}

#[cached(
    prefix = "lives",
    ttl = HALF_A_MINUTE,
    null_ttl = "1500ms",
    jitter = 0,
    skip(bodies)
)]
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

#[cached(prefix = "spread", key = "<id>", ttl = "1000s", jitter = 0.5)]
async fn spread(id: u32) -> u32 {
    id
}

#[cached(prefix = "usual", key = "<id>", ttl = "1000s")]
async fn usual(id: u32) -> u32 {
    id
}

#[tokio::test]
async fn entries_that_were_written_together_do_not_expire_together() {
    let clock = ManualClock::new();
    let builder = Millpond::builder().clock(clock.clone());
    let pond = builder.clone().build().unwrap();
    let seconds = |left: TimeLeft| left.duration().unwrap().as_secs();
    let spans = async |pond: &Millpond| {
        let (mut spread_over, mut usual_over) = (Vec::new(), Vec::new());
        for id in 0..100 {
            spread(id).await;
            spread_over.push(seconds(spread::entry(id).ttl().await.unwrap()));
            usual(id).await;
            usual_over.push(seconds(usual::entry(id).ttl().await.unwrap()));
        }
        let _ = pond;
        [spread_over, usual_over].map(|left| {
            let ends = (left.iter().min().copied(), left.iter().max().copied());
            (ends.0.unwrap(), ends.1.unwrap())
        })
    };
    let [(least, most), (usual_least, usual_most)] = pond.scope(spans(&pond)).await;
    assert!(
        (500..600).contains(&least) && (900..=1_000).contains(&most),
        "{least} {most}"
    );
    assert!(
        usual_least >= 949 && usual_least < usual_most,
        "{usual_least} {usual_most}"
    );
    let pond = builder.ttl_jitter(0.0).build().unwrap();
    let [_, exact] = pond.scope(spans(&pond)).await;
    assert_eq!(exact, (1_000, 1_000));
    pond.set("by hand", &1, Duration::from_secs(7))
        .await
        .unwrap();
    assert_eq!(seconds(pond.ttl("by hand").await.unwrap()), 7);
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Token {
    text: String,
    expires_in: u64,
}

impl Token {
    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.expires_in)
    }
}

#[cached(prefix = "token", key = "<seconds>", ttl_of = Token::lifetime, jitter = 0)]
async fn token(seconds: u64) -> Result<Token, String> {
    Ok(Token {
        text: "abc".to_owned(),
        expires_in: seconds,
    })
}

#[cached(prefix = "maybe", key = "<id>", null_ttl = "9s", jitter = 0,
    ttl_of = |text: &Option<String>| Duration::from_secs(text.as_ref().map_or(0, String::len) as u64))]
async fn maybe(id: u32) -> Option<String> {
    (id > 0).then(|| "x".repeat(id as usize))
}

#[millpond::updates(token(seconds))]
async fn renew(seconds: u64, expires_in: u64) -> Token {
    let _ = seconds;
    Token {
        text: "new".to_owned(),
        expires_in,
    }
}

#[tokio::test]
async fn a_lifetime_can_come_from_the_value() {
    let pond = Millpond::builder()
        .clock(ManualClock::new())
        .build()
        .unwrap();
    pond.scope(async {
        let left = |seconds| TimeLeft::Left(Duration::from_secs(seconds));
        token(90).await.unwrap();
        assert_eq!(token::entry(90).ttl().await.unwrap(), left(90));
        // Zero: it is not to be stored.
        assert_eq!(token(0).await.unwrap().text, "abc");
        assert_eq!(token::entry(0).ttl().await.unwrap(), TimeLeft::Missing);
        let put = Token {
            text: "put".to_owned(),
            expires_in: 5,
        };
        token::entry(90).put(&put).await.unwrap();
        assert_eq!(token::entry(90).ttl().await.unwrap(), left(5));
        renew(90, 11).await;
        assert_eq!(token::entry(90).ttl().await.unwrap(), left(11));
        renew(90, 0).await;
        assert_eq!(token::entry(90).get().await.unwrap(), Lookup::Miss);
        maybe(0).await;
        maybe(4).await;
        assert_eq!(maybe::entry(0).ttl().await.unwrap(), left(9));
        assert_eq!(maybe::entry(4).ttl().await.unwrap(), left(4));
    })
    .await;
}
