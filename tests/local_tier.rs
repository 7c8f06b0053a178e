//! `local = "5s"`: values that this process keeps in front of the store. A hit sends nothing, and the own process is
//! never stale.

#![cfg(feature = "upstash")]

mod support;

use millpond::{
    Lookup, ManualClock, Millpond, Tag, cached, invalidates, key, refresh, ttl, uncached, updates,
};
use millpond_gateway::{Gateway, Matcher, needs_redis};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::source::source;
use support::{gateway, on_every_engine, settle, within_a_minute};

const SECOND: Duration = Duration::from_secs(1);

/// Where the functions get their values from.
#[derive(Clone, Default)]
struct Database(Arc<AtomicU64>);

impl Database {
    fn set(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[millpond::tag("owner:<owner>")]
fn owner(owner: u64) -> Tag;

#[millpond::tag("~row:<row>")]
fn row(row: u64) -> Tag;

#[cached(
    prefix = "number",
    key = "<id>",
    local = "1m",
    tags(owner(id)),
    all,
    skip(database)
)]
async fn number(id: u64, database: &Database) -> Result<Option<Arc<u64>>, String> {
    match database.get() {
        0 => Ok(None),
        99 => Err("no".to_owned()),
        value => Ok(Some(Arc::new(value))),
    }
}

/// The same without a tag, whose values are plain.
#[cached(prefix = "plain", key = "<id>", local = "1m", skip(database))]
async fn plain(id: u64, database: &Database) -> u64 {
    database.get()
}

/// Its tag comes from the value.
#[cached(
    prefix = "row",
    key = "<id>",
    local = "1m",
    tags_of = |value: &u64| [row(*value % 10)],
    skip(database)
)]
async fn from_row(id: u64, database: &Database) -> u64 {
    database.get()
}

#[invalidates(number(id), plain(id), from_row(id))]
async fn change(id: u64, database: &Database, value: u64) {
    database.set(value);
}

#[updates(plain(id))]
async fn replace(id: u64, database: &Database, value: u64) -> u64 {
    database.set(value);
    value
}

#[updates(number(id), owner(id))]
async fn replace_with_tag(
    id: u64,
    database: &Database,
    value: u64,
) -> Result<Option<Arc<u64>>, String> {
    database.set(value);
    Ok(Some(Arc::new(value)))
}

on_every_engine! {
    a_hit_sends_nothing_and_shares_the_value
    nothing_is_kept_as_nothing
    an_error_is_not_kept
    calls_go_around_what_is_kept
    what_the_own_process_changes_is_seen_at_once
    an_update_moves_its_tag_for_others
    a_tag_of_the_value_removes_it
    another_pond_in_the_process_keeps_values_of_its_own
    a_pattern_removes_what_is_kept
}

#[expect(clippy::unnecessary_wraps, reason = "it is what the function returns")]
fn some(value: u64) -> Result<Option<Arc<u64>>, String> {
    Ok(Some(Arc::new(value)))
}

async fn a_hit_sends_nothing_and_shares_the_value(pond: &Millpond) {
    let database = Database::default();
    database.set(7);
    pond.scope(async {
        assert_eq!(number(1, &database).await, some(7));
        let first = number(1, &database).await.unwrap().unwrap();
        let commands = pond.stats().commands;
        for _ in 0..100 {
            let again = number(1, &database).await.unwrap().unwrap();
            assert!(Arc::ptr_eq(&first, &again));
        }
        assert_eq!(pond.stats().commands, commands);
    })
    .await;
    let stats = pond.stats();
    let numbers = stats.prefix("number");
    assert_eq!(
        (numbers.loads, numbers.local_hits, numbers.hits),
        (1, 101, 0)
    );
    assert_eq!(stats.local_values, 1);
}

async fn nothing_is_kept_as_nothing(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        assert_eq!(number(1, &database).await, Ok(None));
        let commands = pond.stats().commands;
        assert_eq!(number(1, &database).await, Ok(None));
        assert_eq!(pond.stats().commands, commands);
        assert_eq!(number::entry(1).get().await.unwrap(), Lookup::Null);
    })
    .await;
}

async fn an_error_is_not_kept(pond: &Millpond) {
    let database = Database::default();
    database.set(99);
    pond.scope(async {
        assert!(number(1, &database).await.is_err());
        database.set(5);
        assert_eq!(number(1, &database).await, some(5));
    })
    .await;
}

async fn calls_go_around_what_is_kept(pond: &Millpond) {
    let database = Database::default();
    database.set(1);
    pond.scope(plain(1, &database)).await;
    database.set(2);
    pond.scope(async {
        assert_eq!(plain(1, &database).await, 1);
        assert_eq!(uncached(plain(1, &database)).await, 2);
        assert_eq!(plain(1, &database).await, 1);
        assert_eq!(refresh(plain(1, &database)).await, 2);
        assert_eq!(plain(1, &database).await, 2);
    })
    .await;
    database.set(3);
    assert_eq!(pond.bypass(plain(1, &database)).await, 3);
    assert_eq!(pond.scope(plain(1, &database)).await, 2);
}

type Change =
    for<'a> fn(&'a Millpond, &'a Database, u64) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What changes the entry 1 of `plain`.
const CHANGES: [Change; 11] = [
    |_, database, value| Box::pin(change(1, database, value)),
    |_, database, value| {
        Box::pin(async move {
            replace(1, database, value).await;
        })
    },
    |_, database, value| {
        database.set(value);
        Box::pin(async { plain::invalidate(1).await.unwrap() })
    },
    |_, database, value| {
        database.set(value);
        Box::pin(async move { plain::entry(1).put(&value).await.unwrap() })
    },
    |_, database, value| {
        database.set(value);
        Box::pin(async move {
            refresh(plain(1, database)).await;
        })
    },
    |pond, database, value| {
        database.set(value);
        let id = 1;
        let key = key!("plain:<id>");
        Box::pin(async move { pond.set(key, &value, ttl::LONG).await.unwrap() })
    },
    |pond, database, value| {
        database.set(value);
        Box::pin(async {
            let _ = pond.delete("plain:1").await.unwrap();
        })
    },
    |pond, database, value| {
        database.set(value);
        Box::pin(async {
            let _ = pond.delete_many(["plain:1", "plain:2"]).await.unwrap();
        })
    },
    |pond, database, value| {
        database.set(value);
        let entries = [("plain:1", value), ("plain:2", value)];
        Box::pin(async move { pond.set_many(entries, ttl::LONG).await.unwrap() })
    },
    |pond, database, value| {
        database.set(value);
        Box::pin(async {
            let _ = pond.invalidate_pattern("plain:*").await.unwrap();
        })
    },
    |_, database, value| {
        // Dropped after its first poll: the change may have been made.
        Box::pin(async move {
            let mut dropped = Box::pin(change_and_hang(1, database, value));
            assert!(futures_util::poll!(&mut dropped).is_pending());
            drop(dropped);
        })
    },
];

#[invalidates(plain(id))]
async fn change_and_hang(id: u64, database: &Database, value: u64) {
    database.set(value);
    std::future::pending::<()>().await;
}

async fn what_the_own_process_changes_is_seen_at_once(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        for (round, change) in (1..).zip(CHANGES) {
            plain(1, &database).await;
            let before = plain(1, &database).await;
            change(pond, &database, round).await;
            let after = plain(1, &database).await;
            assert_ne!(before, after, "change {round}");
            assert_eq!(after, round, "change {round}");
        }
    })
    .await;
}

async fn an_update_moves_its_tag_for_others(pond: &Millpond) {
    #[cached(
        prefix = "other",
        key = "<id>",
        local = "1m",
        tags(owner(id)),
        skip(database)
    )]
    async fn other(id: u64, database: &Database) -> u64 {
        database.get()
    }

    let database = Database::default();
    database.set(1);
    pond.scope(async {
        assert_eq!(number(1, &database).await, some(1));
        assert_eq!(other(1, &database).await, 1);
        replace_with_tag(1, &database, 2).await.unwrap();
        assert_eq!(number(1, &database).await, some(2));
        assert_eq!(other(1, &database).await, 2);
        database.set(3);
        owner::invalidate(1).await.unwrap();
        assert_eq!(number(1, &database).await, some(3));
        assert_eq!(other(1, &database).await, 3);
        database.set(4);
        number::invalidate_all().await.unwrap();
        assert_eq!(number(1, &database).await, some(4));
        assert_eq!(other(1, &database).await, 3);
    })
    .await;
}

async fn a_tag_of_the_value_removes_it(pond: &Millpond) {
    let database = Database::default();
    database.set(13);
    pond.scope(async {
        assert_eq!(from_row(1, &database).await, 13);
        database.set(14);
        assert_eq!(from_row(1, &database).await, 13);
        row::invalidate(4).await.unwrap();
        assert_eq!(from_row(1, &database).await, 13);
        row::invalidate(3).await.unwrap();
        assert_eq!(from_row(1, &database).await, 14);
    })
    .await;
}

async fn another_pond_in_the_process_keeps_values_of_its_own(pond: &Millpond) {
    let other = Millpond::memory();
    let database = Database::default();
    database.set(1);
    pond.scope(plain(1, &database)).await;
    database.set(2);
    assert_eq!(other.scope(plain(1, &database)).await, 2);
    assert_eq!(pond.scope(plain(1, &database)).await, 1);
    other
        .scope(async { plain::invalidate(1).await })
        .await
        .unwrap();
    assert_eq!(pond.scope(plain(1, &database)).await, 1);
    pond.scope(async { plain::invalidate(1).await })
        .await
        .unwrap();
    assert_eq!(pond.scope(plain(1, &database)).await, 2);
}

async fn a_pattern_removes_what_is_kept(pond: &Millpond) {
    let database = Database::default();
    database.set(1);
    pond.scope(async {
        plain(1, &database).await;
        number(1, &database).await.unwrap();
        // Gone from the store, so that no walk finds it.
        pond.command(["DEL", "plain:1"]).await.unwrap();
        database.set(2);
        pond.invalidate_pattern("plain:*").await.unwrap();
        assert_eq!(plain(1, &database).await, 2);
        assert_eq!(number(1, &database).await, some(1));
    })
    .await;
}

/// Millponds with a clock that the test moves.
fn on_gateway(gateway: &Gateway) -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let pond = support::builder(gateway).clock(clock.clone());
    // Nothing but `local` bounds how old a value is.
    let pond = pond.backplane(false).local_unverified(ttl::LONG);
    (pond.build().unwrap(), clock)
}

#[tokio::test]
async fn what_another_process_writes_is_seen_when_the_time_is_over_by_either_clock() {
    let gateway = gateway(needs_redis!()).await;
    let (pond, clock) = on_gateway(&gateway);
    let database = Database::default();
    pond.scope(async {
        for (round, advance) in (1..).zip([
            ManualClock::advance,
            ManualClock::advance_monotonic,
            ManualClock::advance_wall,
        ]) {
            let before = plain(1, &database).await;
            pond.command(["SET", "plain:1", &round.to_string()])
                .await
                .unwrap();
            advance(&clock, 59 * SECOND);
            assert_eq!(plain(1, &database).await, before);
            advance(&clock, SECOND);
            assert_eq!(plain(1, &database).await, round);
        }
        // Set back, the wall clock prolongs nothing.
        clock.set_unix_ms(0);
        pond.command(["SET", "plain:1", "9"]).await.unwrap();
        clock.advance_monotonic(60 * SECOND);
        assert_eq!(plain(1, &database).await, 9);
    })
    .await;
}

#[tokio::test]
async fn a_value_is_as_old_as_its_read() {
    let gateway = gateway(needs_redis!()).await;
    let (pond, clock) = on_gateway(&gateway);
    let database = Database::default();
    pond.command(["SET", "plain:1", "1"]).await.unwrap();
    let read = gateway.hold("MGET");
    let call = {
        let database = database.clone();
        pond.spawn(async move { plain(1, &database).await })
    };
    read.arrived().await;
    clock.advance(59 * SECOND);
    read.release();
    assert_eq!(within_a_minute(call).await.unwrap(), 1);
    pond.command(["SET", "plain:1", "2"]).await.unwrap();
    pond.scope(async {
        assert_eq!(plain(1, &database).await, 1);
        clock.advance(SECOND);
        assert_eq!(plain(1, &database).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_value_lives_no_longer_than_its_lifetime() {
    #[cached(
        prefix = "short",
        key = "<id>",
        ttl = "1h",
        null_ttl = "5s",
        ttl_of = |value: &Option<u64>| Duration::from_secs(value.unwrap_or(0)),
        jitter = 0,
        local = "1m",
        skip(database)
    )]
    async fn short(id: u64, database: &Database) -> Option<u64> {
        Some(database.get()).filter(|value| *value > 0)
    }

    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let database = Database::default();
    pond.scope(async {
        assert_eq!(short(1, &database).await, None);
        database.set(10);
        clock.advance(4 * SECOND);
        assert_eq!(short(1, &database).await, None);
        clock.advance(SECOND);
        assert_eq!(short(1, &database).await, Some(10));
        database.set(20);
        clock.advance(9 * SECOND);
        assert_eq!(short(1, &database).await, Some(10));
        clock.advance(SECOND);
        assert_eq!(short(1, &database).await, Some(20));
    })
    .await;
}

/// Calls `plain(1)`, with its answer from the store withheld until after the change.
async fn changed_during_a_read(change: Change) {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let database = Database::default();
    pond.command(["SET", "plain:1", "0"]).await.unwrap();
    let read = gateway.hold("MGET");
    let call = {
        let database = database.clone();
        pond.spawn(async move { plain(1, &database).await })
    };
    read.arrived().await;
    pond.scope(change(&pond, &database, 7)).await;
    read.release();
    assert_eq!(within_a_minute(call).await.unwrap(), 0, "it asked before");
    assert_eq!(pond.scope(plain(1, &database)).await, 7);
}

#[tokio::test]
async fn a_change_during_a_read_wins() {
    for change in CHANGES {
        changed_during_a_read(change).await;
    }
}

#[tokio::test]
async fn a_tag_that_moves_during_a_read_wins() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let database = Database::default();
    let call = |value| {
        let (pond, database) = (pond.clone(), database.clone());
        database.set(value);
        pond.clone()
            .spawn(async move { (number(1, &database).await, from_row(1, &database).await) })
    };
    call(5).await.unwrap().0.unwrap();
    // What this process keeps goes, and what is in the store stays.
    pond.expire("number:1", ttl::LONG).await.unwrap();
    pond.expire("row:1", ttl::LONG).await.unwrap();
    let read = gateway.hold(Matcher::argument("number:1"));
    // The value names it, so that it is read by itself.
    let other = gateway.hold(Matcher::argument("@tag:~row:5"));
    let calls = call(6);
    read.arrived().await;
    pond.scope(async { owner::invalidate(1).await })
        .await
        .unwrap();
    read.release();
    other.arrived().await;
    pond.scope(async { row::invalidate(5).await })
        .await
        .unwrap();
    other.release();
    assert_eq!(
        within_a_minute(calls).await.unwrap(),
        (some(5), 5),
        "they asked before"
    );
    assert_eq!(call(6).await.unwrap(), (some(6), 6));
}

#[tokio::test]
async fn a_change_during_a_body_wins() {
    #[cached(prefix = "slow", key = "<id>", local = "1m", skip(source))]
    async fn slow(id: u64, source: &support::source::Source<u64>) -> u64 {
        source.answer().await
    }

    let pond = Millpond::memory();
    let (source, mut bodies) = source();
    let call = || {
        let source = source.clone();
        pond.spawn(async move { slow(1, &source).await })
    };
    let first = call();
    let body = within_a_minute(bodies.next()).await;
    pond.scope(async { slow::invalidate(1).await })
        .await
        .unwrap();
    body.answer(1);
    assert_eq!(first.await.unwrap(), 1);
    let second = call();
    within_a_minute(bodies.next()).await.answer(2);
    assert_eq!(second.await.unwrap(), 2);
    assert_eq!(call().await.unwrap(), 2);
}

#[tokio::test]
async fn what_a_refresh_loaded_is_not_hidden_by_an_older_read() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let database = Database::default();
    pond.command(["SET", "plain:1", "1"]).await.unwrap();
    let read = gateway.hold("MGET");
    let old = {
        let database = database.clone();
        pond.spawn(async move { plain(1, &database).await })
    };
    read.arrived().await;
    database.set(2);
    assert_eq!(pond.scope(refresh(plain(1, &database))).await, 2);
    read.release();
    assert_eq!(within_a_minute(old).await.unwrap(), 1);
    assert_eq!(pond.scope(plain(1, &database)).await, 2);
}

#[tokio::test]
async fn an_invalidation_that_is_not_delivered_removes_what_is_kept() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let database = Database::default();
    database.set(1);
    pond.scope(plain(1, &database)).await;
    gateway.refuse().await;
    database.set(2);
    let invalidated = pond.scope(async { plain::invalidate(1).await });
    let _ = tokio::time::timeout(SECOND / 10, invalidated).await;
    let read = pond.scope(plain(1, &database));
    assert_eq!(within_a_minute(read).await, 2);
    gateway.accept().await;
}

#[tokio::test]
async fn values_are_bounded_by_their_bytes() {
    #[cached(prefix = "page", key = "<id>", local = "1m")]
    async fn page(id: u64) -> String {
        "x".repeat(1_000)
    }

    let pond = Millpond::builder().memory().local_bytes(100_000);
    let pond = pond.build().unwrap();
    pond.scope(async {
        for id in 0..1_000 {
            page(id).await;
        }
    })
    .await;
    let stats = pond.stats();
    assert!(stats.local_bytes <= 100_000, "{}", stats.local_bytes);
    assert!(
        (40..100).contains(&stats.local_values),
        "{}",
        stats.local_values
    );
    settle().await;
}

#[tokio::test]
async fn each_of_two_functions_that_share_a_key_has_its_own_time() {
    #[cached(prefix = "both", key = "<id>", local = "1m", skip(database))]
    async fn long(id: u64, database: &Database) -> u64 {
        database.get()
    }

    #[cached(prefix = "both", key = "<id>", local = "5s", shares = long, skip(database))]
    async fn brief(id: u64, database: &Database) -> u64 {
        database.get()
    }

    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let database = Database::default();
    database.set(1);
    pond.scope(async {
        assert_eq!(long(1, &database).await, 1);
        pond.command(["SET", "both:1", "2"]).await.unwrap();
        clock.advance(4 * SECOND);
        assert_eq!(brief(1, &database).await, 1);
        clock.advance(SECOND);
        assert_eq!(brief(1, &database).await, 2);
        assert_eq!(long(1, &database).await, 2);
        database.set(3);
        brief::invalidate(1).await.unwrap();
        assert_eq!(long(1, &database).await, 3);
    })
    .await;
}

#[tokio::test]
async fn stale_windows_begin_when_the_lifetime_ends() {
    #[cached(
        prefix = "old",
        key = "<id>",
        ttl = "1m",
        jitter = 0,
        local = "1m",
        stale_while_revalidate = "1m",
        refresh_ahead = 0.5,
        skip(database)
    )]
    async fn old(id: u64, database: Database) -> u64 {
        database.get()
    }

    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let database = Database::default();
    database.set(1);
    pond.scope(async {
        let call = || old(1, database.clone());
        assert_eq!(call().await, 1);
        database.set(2);
        clock.advance(29 * SECOND);
        assert_eq!(call().await, 1);
        settle().await;
        assert_eq!(pond.stats().prefix("old").loads, 1, "it is kept");
        clock.advance(SECOND);
        assert_eq!(call().await, 1, "and loaded again from here on");
        settle().await;
        assert_eq!(call().await, 2);
        database.set(3);
        clock.advance(61 * SECOND);
        assert_eq!(call().await, 2, "an old one");
        settle().await;
        assert_eq!(call().await, 3);
    })
    .await;
}
