//! Old values: returned while one load runs in the background, or because the body fails, never after an invalidation
//! and never beyond their window. On every engine.

mod support;

use millpond::{Lookup, Millpond, Reply, cached, invalidates, refresh, updates};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::aged::age;
use support::source::{Source, source};
use support::{on_every_engine, within_a_minute};

/// What the bodies of a test return, and how many have run.
#[derive(Clone, Default)]
struct Bodies(Arc<AtomicU32>);

impl Bodies {
    fn run(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Down;

type Answer = Result<u32, Down>;

#[cached(
    prefix = "item",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "1h"
)]
async fn item(id: u32) -> u32 {
    id
}

#[cached(batch = ids, of = item(*ids))]
async fn items(ids: &[u32]) -> HashMap<u32, u32> {
    ids.iter().map(|id| (*id, id + 100)).collect()
}

/// Borrowed, optional and owned arguments: the background has its own.
#[cached(
    prefix = "soon",
    key = "<name>:<part?>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "1h",
    skip(source, list)
)]
async fn soon(name: &str, part: Option<&str>, list: Vec<u8>, source: &Source<u32>) -> u32 {
    assert_eq!((name, part, &list[..]), ("a", Some("b"), &[7][..]));
    source.answer().await
}

#[cached(
    prefix = "read",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_if_error = "1h",
    skip(source)
)]
async fn read(id: u32, source: &Source<Answer>) -> Answer {
    source.answer().await
}

/// With tags, compressed, and with both windows.
#[cached(
    prefix = "page",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "10m",
    stale_if_error = "1h",
    tags("pages", "page:<id>"),
    all,
    compress,
    skip(bodies)
)]
async fn page(id: u32, bodies: &Bodies) -> Option<String> {
    Some(format!("{} {}", bodies.run(), "x".repeat(2_000)))
}

/// Without a guard.
#[cached(
    prefix = "plain",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    guard = false,
    stale_while_revalidate = "1h",
    skip(bodies)
)]
async fn plain(id: u32, bodies: &Bodies) -> u32 {
    bodies.run()
}

/// Neither `None` nor an even number is stored.
#[cached(
    prefix = "odd",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    null = false,
    stale_while_revalidate = "1h",
    unless = is_even,
    skip(source)
)]
async fn odd(id: u32, source: &Source<Option<u32>>) -> Option<u32> {
    source.answer().await
}

#[allow(
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    reason = "what `unless` takes"
)]
fn is_even(value: &Option<u32>) -> bool {
    value.is_some_and(|value| value.is_multiple_of(2))
}

/// An old value is returned where the body takes longer.
#[cached(
    prefix = "slow",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_if_error = "1h",
    soft_timeout = "20ms",
    skip(source)
)]
async fn slow(id: u32, source: &Source<Answer>) -> Answer {
    source.answer().await
}

/// Loaded again when four fifths of its lifetime are over.
#[cached(
    prefix = "early",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    refresh_ahead = 0.8,
    skip(source)
)]
async fn early(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

/// Loaded again at random, near the end.
#[cached(
    prefix = "chance",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    refresh_ahead = "xfetch",
    skip(bodies)
)]
async fn chance(id: u32, bodies: &Bodies) -> u32 {
    bodies.run()
}

#[invalidates(read(id))]
async fn change(id: u32) {}

#[updates(read(id))]
async fn replace(id: u32, by: u32) -> Answer {
    Ok(by)
}

#[derive(Clone)]
struct Repo {
    pond: Millpond,
    bodies: Bodies,
}

impl Repo {
    #[cached(
        prefix = "user",
        key = "<id>",
        ttl = "1m",
        jitter = 0,
        stale_while_revalidate = "1h",
        on = self.pond,
        skip(self)
    )]
    async fn user(&self, id: u32) -> u32 {
        self.bodies.run() + 100 * id
    }
}

const MINUTES: Duration = Duration::from_secs(5 * 60);
const HOURS: Duration = Duration::from_secs(2 * 60 * 60);

async fn an_old_value_is_returned_at_once_while_one_load_runs(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || soon("a", Some("b"), vec![7], &source);
    pond.scope(async {
        let first = async { bodies.next().await.answer(1) };
        assert_eq!(tokio::join!(call(), first).0, 1);
        age(pond, "soon:a:b", MINUTES).await;
        // Nobody answers the body, and nobody waits for it.
        for _ in 0..5 {
            assert_eq!(within_a_minute(call()).await, 1);
        }
        assert_eq!(
            soon::entry("a", Some("b")).get().await.unwrap(),
            Lookup::Stale(1)
        );
        let body = bodies.next().await;
        assert_eq!(bodies.count(), 0, "one load at a time");
        body.answer(2);
        within_a_minute(pond.flush()).await.unwrap();
        assert_eq!(call().await, 2);
        assert_eq!(bodies.count(), 0);
    })
    .await;
    let stats = pond.stats().prefix("soon");
    assert_eq!(
        (stats.loads, stats.stores, stats.stale, stats.misses),
        (2, 2, 6, 1)
    );
}

async fn an_old_value_stands_in_for_an_error_within_its_window(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let mut call = async |id, answer| {
            let body = async { bodies.next().await.answer(answer) };
            tokio::join!(read(id, &source), body).0
        };
        assert_eq!(call(7, Ok(1)).await, Ok(1));
        age(pond, "read:7", MINUTES).await;
        assert_eq!(call(7, Err(Down)).await, Ok(1), "the old value");
        // The next try comes after a pause, and until then the source is left alone.
        assert_eq!(within_a_minute(read(7, &source)).await, Ok(1));
        // It is not used beyond its window, however often it was.
        age(pond, "read:7", HOURS).await;
        assert_eq!(read::entry(7).get().await.unwrap(), Lookup::Miss);
        assert_eq!(call(7, Err(Down)).await, Err(Down));
        assert_eq!(call(7, Ok(2)).await, Ok(2));
        assert_eq!(read::entry(7).get().await.unwrap(), Lookup::Hit(2));
        // Without an old value there is nothing to stand in.
        assert_eq!(call(8, Err(Down)).await, Err(Down));
    })
    .await;
    let stats = pond.stats().prefix("read");
    assert_eq!((stats.stale, stats.load_errors), (2, 3));
}

async fn after_an_invalidation_nothing_is_old(pond: &Millpond) {
    let (source, mut bodies) = source();
    let pages = Bodies::default();
    pond.scope(async {
        let mut call = async |answer| {
            let body = async { bodies.next().await.answer(answer) };
            tokio::join!(read(7, &source), body).0
        };
        for invalidated in ["the key", "by a mutation"] {
            call(Ok(1)).await.unwrap();
            age(pond, "read:7", MINUTES).await;
            match invalidated {
                "the key" => read::invalidate(7).await.unwrap(),
                _ => change(7).await,
            }
            assert_eq!(call(Err(Down)).await, Err(Down), "{invalidated}");
        }
        // A tag, which removes nothing.
        page(1, &pages).await.unwrap();
        age(pond, "page:1", MINUTES).await;
        millpond::Tag::new("page:1").invalidate().await.unwrap();
        assert_eq!(page::entry(1).get().await.unwrap(), Lookup::Miss);
        assert!(page(1, &pages).await.unwrap().starts_with("2 "));
        page::invalidate_all().await.unwrap();
        assert!(page(1, &pages).await.unwrap().starts_with("3 "));
    })
    .await;
    assert_eq!(pond.stats().prefix("page").stale, 0);
}

async fn an_invalidation_during_the_load_keeps_its_value_out(pond: &Millpond) {
    let (source, mut bodies) = source();
    let call = || soon("a", Some("b"), vec![7], &source);
    pond.scope(async {
        let first = async { bodies.next().await.answer(1) };
        tokio::join!(call(), first);
        age(pond, "soon:a:b", MINUTES).await;
        assert_eq!(call().await, 1);
        let body = bodies.next().await;
        soon::invalidate("a", Some("b")).await.unwrap();
        body.answer(2);
        within_a_minute(pond.flush()).await.unwrap();
        assert_eq!(
            soon::entry("a", Some("b")).get().await.unwrap(),
            Lookup::Miss
        );
    })
    .await;
    assert_eq!(pond.stats().prefix("soon").stores, 1);
}

enum Fails {
    Returns,
    Panics,
}

async fn a_load_that_fails_changes_nothing(pond: &Millpond, how: Fails) {
    #[cached(
        prefix = "fails",
        ttl = "1m",
        jitter = 0,
        stale_while_revalidate = "1h",
        skip(source)
    )]
    async fn fails(source: &Source<Option<Answer>>) -> Answer {
        source.answer().await.expect("a body that panics")
    }

    let (source, mut bodies) = source();
    pond.scope(async {
        let first = async { bodies.next().await.answer(Some(Ok(1))) };
        assert_eq!(tokio::join!(fails(&source), first).0, Ok(1));
        let left = async || {
            let left = pond.command(["PTTL", "fails"]).await.unwrap();
            left.parse::<i64>().unwrap()
        };
        let before = left().await;
        age(pond, "fails", MINUTES).await;
        assert_eq!(fails(&source).await, Ok(1));
        let body = bodies.next().await;
        match how {
            Fails::Returns => body.answer(Some(Err(Down))),
            Fails::Panics => body.answer(None),
        }
        within_a_minute(pond.flush()).await.unwrap();
        // The old value is there as before, and the next load comes after a pause.
        assert_eq!(fails(&source).await, Ok(1));
        pond.flush().await.unwrap();
        assert_eq!(bodies.count(), 0);
        assert!(left().await <= before, "prolonged");
    })
    .await;
    let stats = pond.stats().prefix("fails");
    assert_eq!((stats.loads, stats.stores), (2, 1));
}

/// The clock stands, so that the pause after a failure lasts however busy the machine is.
mod a_background_load_that_fails_changes_nothing {
    use super::{Fails, a_load_that_fails_changes_nothing, support};
    use millpond::{Builder, ManualClock, Millpond};

    async fn on(builder: impl Fn() -> Builder) {
        for how in [Fails::Returns, Fails::Panics] {
            let pond = builder().clock(ManualClock::new()).build().unwrap();
            a_load_that_fails_changes_nothing(&pond, how).await;
            pond.delete("fails").await.unwrap();
        }
    }

    #[tokio::test]
    async fn embedded() {
        on(|| Millpond::builder().memory()).await;
    }

    #[cfg(feature = "upstash")]
    #[tokio::test]
    async fn upstash() {
        let gateway = support::gateway(millpond_gateway::needs_redis!()).await;
        on(|| support::builder(&gateway)).await;
    }

    #[cfg(feature = "redis")]
    #[tokio::test]
    async fn redis() {
        let database = millpond_gateway::needs_redis!().database();
        on(|| {
            Millpond::builder()
                .redis(database.url())
                .budget(support::LONG)
        })
        .await;
    }
}

async fn another_processs_load_is_seen_before_the_body_runs(pond: &Millpond) {
    // Two functions on one key stand for two processes: the second read finds what the other stored.
    let bodies = Bodies::default();
    pond.scope(async {
        assert_eq!(plain(1, &bodies).await, 1);
        age(pond, "plain:1", MINUTES).await;
        // The task that loads starts when this one waits next.
        let old = pond.command(["GET", "plain:1"]).await.unwrap();
        let _: String = old.parse().unwrap();
        assert_eq!(plain(1, &bodies).await, 1);
        plain::entry(1).put(&50).await.unwrap();
        within_a_minute(pond.flush()).await.unwrap();
        assert_eq!(plain(1, &bodies).await, 50);
    })
    .await;
}

async fn what_is_not_to_be_stored_ends_the_old_value(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        for last in [None, Some(4)] {
            let first = async { bodies.next().await.answer(Some(1)) };
            assert_eq!(tokio::join!(odd(1, &source), first).0, Some(1));
            age(pond, "odd:1", MINUTES).await;
            assert_eq!(odd(1, &source).await, Some(1));
            bodies.next().await.answer(last);
            within_a_minute(pond.flush()).await.unwrap();
            assert_eq!(odd::entry(1).get().await.unwrap(), Lookup::Miss, "{last:?}");
        }
    })
    .await;
}

async fn tags_methods_and_what_is_written_by_hand_work_with_it(pond: &Millpond) {
    let bodies = Bodies::default();
    let repo = Repo {
        pond: pond.clone(),
        bodies: bodies.clone(),
    };
    assert_eq!(repo.user(7).await, 701);
    age(pond, "user:7", MINUTES).await;
    assert_eq!(repo.user(7).await, 701);
    pond.flush().await.unwrap();
    assert_eq!(repo.user(7).await, 702);
    pond.scope(async {
        for number in 3..5 {
            let text = page(1, &bodies).await.unwrap();
            assert!(text.starts_with(&number.to_string()), "{number}");
            age(pond, "page:1", MINUTES).await;
            assert_eq!(page(1, &bodies).await.unwrap(), text, "old");
            pond.flush().await.unwrap();
        }
        assert!(matches!(
            page::entry(1).get().await.unwrap(),
            Lookup::Hit(_)
        ));
        // What is put by hand or by a mutation becomes old, too.
        read::entry(1).put(&5).await.unwrap();
        age(pond, "read:1", MINUTES).await;
        assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Stale(5));
        replace(1, 6).await.unwrap();
        assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Hit(6));
        age(pond, "read:1", MINUTES).await;
        assert_eq!(read::entry(1).get().await.unwrap(), Lookup::Stale(6));
        // By hand, an old value is none.
        assert_eq!(pond.get::<u32>("read:1").await.unwrap(), None);
        assert_eq!(pond.get_many::<u32>(["read:1"]).await.unwrap(), [None]);
    })
    .await;
}

async fn a_refresh_by_hand_goes_before_an_old_value(pond: &Millpond) {
    let bodies = Bodies::default();
    pond.scope(async {
        assert_eq!(plain(1, &bodies).await, 1);
        age(pond, "plain:1", MINUTES).await;
        assert_eq!(refresh(plain(1, &bodies)).await, 2);
        assert_eq!(plain(1, &bodies).await, 2);
    })
    .await;
}

async fn an_old_value_is_returned_where_the_body_takes_longer(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let first = async { bodies.next().await.answer(Ok(1)) };
        assert_eq!(tokio::join!(slow(7, &source), first).0, Ok(1));
        age(pond, "slow:7", MINUTES).await;
        // A body that is quick enough: its value is returned, or the old one where it fails.
        let quick = async { bodies.next().await.answer(Ok(2)) };
        let (got, ()) = tokio::join!(slow(7, &source), quick);
        assert!(matches!(got, Ok(1 | 2)), "{got:?} on a busy machine");
        pond.flush().await.unwrap();
        assert_eq!(slow(7, &source).await, Ok(2));
        age(pond, "slow:7", MINUTES).await;
        // One that takes longer goes on in the background, and nobody waits for it any more.
        assert_eq!(within_a_minute(slow(7, &source)).await, Ok(2));
        assert_eq!(within_a_minute(slow(7, &source)).await, Ok(2));
        let body = bodies.next().await;
        assert_eq!(bodies.count(), 0);
        body.answer(Ok(3));
        within_a_minute(pond.flush()).await.unwrap();
        assert_eq!(slow(7, &source).await, Ok(3));
        // Without an old value the call waits as long as the body takes.
        let late = async {
            let body = bodies.next().await;
            body.answer(Ok(4));
        };
        assert_eq!(tokio::join!(slow(8, &source), late).0, Ok(4));
    })
    .await;
    assert_eq!(pond.stats().prefix("slow").loads, 4);
}

async fn a_failure_that_comes_soon_is_answered_by_the_old_value(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let first = async { bodies.next().await.answer(Ok(1)) };
        assert_eq!(tokio::join!(slow(7, &source), first).0, Ok(1));
        age(pond, "slow:7", MINUTES).await;
        let fails = async { bodies.next().await.answer(Err(Down)) };
        assert_eq!(tokio::join!(slow(7, &source), fails).0, Ok(1));
        pond.flush().await.unwrap();
        // Then comes a pause.
        assert_eq!(slow(7, &source).await, Ok(1));
        assert_eq!(bodies.count(), 0);
    })
    .await;
    let stats = pond.stats().prefix("slow");
    assert_eq!((stats.loads, stats.load_errors, stats.stale), (2, 1, 2));
}

async fn a_value_is_loaded_again_before_its_lifetime_ends(pond: &Millpond) {
    let (source, mut bodies) = source();
    pond.scope(async {
        let first = async { bodies.next().await.answer(1) };
        assert_eq!(tokio::join!(early(7, &source), first).0, 1);
        age(pond, "early:7", Duration::from_secs(40)).await;
        assert_eq!(early(7, &source).await, 1);
        pond.flush().await.unwrap();
        assert_eq!(bodies.count(), 0, "too early");
        age(pond, "early:7", Duration::from_secs(10)).await;
        for _ in 0..3 {
            assert_eq!(early(7, &source).await, 1);
        }
        assert_eq!(early::entry(7).get().await.unwrap(), Lookup::Hit(1));
        bodies.next().await.answer(2);
        pond.flush().await.unwrap();
        assert_eq!(early(7, &source).await, 2);
        assert_eq!(bodies.count(), 0);
        // After its lifetime it is of no use.
        age(pond, "early:7", MINUTES).await;
        let last = async { bodies.next().await.answer(3) };
        assert_eq!(tokio::join!(early(7, &source), last).0, 3);
    })
    .await;
    let stats = pond.stats().prefix("early");
    assert_eq!((stats.loads, stats.stale, stats.hits), (3, 0, 6));
}

async fn a_load_that_outlasts_the_value_that_it_replaces_is_stored(pond: &Millpond) {
    let (source, mut bodies) = source();
    // A connection, so that the server's time is not asked for while one is being made.
    pond.command(["PING"]).await.unwrap();
    let time = async || {
        let time = pond.command(["TIME"]).await.unwrap();
        let Reply::Array(parts) = time else {
            panic!("{time:?}")
        };
        let seconds: String = parts[0].clone().parse().unwrap();
        seconds.parse::<u64>().unwrap()
    };
    pond.scope(async {
        let first = async { bodies.next().await.answer(1) };
        assert_eq!(tokio::join!(early(7, &source), first).0, 1);
        // So that it is over soon after the load has begun; then the server forgets it.
        age(pond, "early:7", Duration::from_millis(59_500)).await;
        assert_eq!(early(7, &source).await, 1);
        let body = bodies.next().await;
        let over = time().await + 2;
        while time().await < over {
            tokio::task::yield_now().await;
        }
        assert_eq!(early::entry(7).get().await.unwrap(), Lookup::Miss);
        pond.command(["DEL", "early:7"]).await.unwrap();
        body.answer(2);
        pond.flush().await.unwrap();
        assert_eq!(early(7, &source).await, 2);
        assert_eq!(bodies.count(), 0);
        // One that had time left, and is gone, was removed by somebody.
        age(pond, "early:7", Duration::from_secs(50)).await;
        assert_eq!(early(7, &source).await, 2);
        let body = bodies.next().await;
        pond.command(["DEL", "early:7"]).await.unwrap();
        body.answer(3);
        pond.flush().await.unwrap();
        assert_eq!(early::entry(7).get().await.unwrap(), Lookup::Miss);
    })
    .await;
    assert_eq!(pond.stats().prefix("early").refused, 1);
}

async fn chance_decides_near_the_end_and_not_before(pond: &Millpond) {
    let bodies = Bodies::default();
    pond.scope(async {
        assert_eq!(chance(7, &bodies).await, 1);
        age(pond, "chance:7", Duration::from_secs(30)).await;
        for _ in 0..20 {
            assert_eq!(chance(7, &bodies).await, 1, "the body took a moment");
        }
        pond.flush().await.unwrap();
        // As if the body had taken half a minute.
        let stored = pond.command(["GET", "chance:7"]).await.unwrap();
        let stored: String = stored.parse().unwrap();
        let (header, payload) = stored.rsplit_once("\"took\":").unwrap();
        let (_, payload) = payload.split_once('}').unwrap();
        let slow = format!("{header}\"took\":30000}}{payload}");
        pond.command(["SET", "chance:7", &slow, "KEEPTTL"])
            .await
            .unwrap();
        for _ in 0..100 {
            chance(7, &bodies).await;
            pond.flush().await.unwrap();
        }
        assert!(chance(7, &bodies).await > 1);
    })
    .await;
}

async fn a_batch_loads_what_is_old_together_with_what_is_missing(pond: &Millpond) {
    pond.scope(async {
        for id in [1, 2] {
            assert_eq!(item(id).await, id);
        }
        age(pond, "item:1", MINUTES).await;
        let all = items(&[1, 2, 3]).await;
        assert_eq!(all, HashMap::from([(1, 101), (2, 2), (3, 103)]));
        // What a batch stored becomes old, too.
        age(pond, "item:3", MINUTES).await;
        assert_eq!(item::entry(3).get().await.unwrap(), Lookup::Stale(103));
        assert_eq!(item(3).await, 103);
        pond.flush().await.unwrap();
        assert_eq!(item(3).await, 3);
        assert_eq!(item(1).await, 101);
    })
    .await;
}

on_every_engine! {
    a_batch_loads_what_is_old_together_with_what_is_missing
    an_old_value_is_returned_where_the_body_takes_longer
    a_failure_that_comes_soon_is_answered_by_the_old_value
    a_value_is_loaded_again_before_its_lifetime_ends
    a_load_that_outlasts_the_value_that_it_replaces_is_stored
    chance_decides_near_the_end_and_not_before
    an_old_value_is_returned_at_once_while_one_load_runs
    an_old_value_stands_in_for_an_error_within_its_window
    after_an_invalidation_nothing_is_old
    an_invalidation_during_the_load_keeps_its_value_out
    another_processs_load_is_seen_before_the_body_runs
    what_is_not_to_be_stored_ends_the_old_value
    tags_methods_and_what_is_written_by_hand_work_with_it
    a_refresh_by_hand_goes_before_an_old_value
}
