//! `local = "5s"` and the batch form of a function: both read and fill what this process keeps.

#![cfg(feature = "upstash")]

mod support;

use millpond::{
    BatchStatus, CallStatus, ManualClock, Millpond, Tag, cached, invalidates, refresh, ttl,
    uncached, with_status,
};
use millpond_gateway::{Fault, Gateway, Matcher, needs_redis};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::source::{Source, source};
use support::{gateway, on_every_engine, within_a_minute};

const SECOND: Duration = Duration::from_secs(1);

/// Where the functions get their values from: the round, and the items that the bodies of batches were asked for.
#[derive(Clone, Default)]
struct Database(Arc<(AtomicU64, Mutex<Vec<Vec<u64>>>)>);

impl Database {
    fn set(&self, round: u64) {
        self.0.0.store(round, Ordering::SeqCst);
    }

    /// Nothing from 100 on.
    fn row(&self, id: u64) -> Option<Arc<Row>> {
        let round = self.0.0.load(Ordering::SeqCst);
        (id < 100).then(|| Arc::new(Row { id, round }))
    }

    fn many(&self, ids: &[u64]) -> HashMap<u64, Arc<Row>> {
        self.0.1.lock().unwrap().push(ids.to_vec());
        let rows = ids.iter().filter_map(|id| Some((*id, self.row(*id)?)));
        rows.collect()
    }

    /// What bodies of batches were asked for since the last time.
    fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut *self.0.1.lock().unwrap())
    }
}

/// Not `Clone`: it is kept as it is.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Row {
    id: u64,
    round: u64,
}

fn row(id: u64, round: u64) -> Arc<Row> {
    Arc::new(Row { id, round })
}

#[derive(Debug, PartialEq)]
struct Broken;

#[millpond::tag("team:<team>")]
fn team(team: u64) -> Tag;

#[millpond::tag("~round:<round>")]
fn round(round: u64) -> Tag;

#[cached(
    prefix = "row",
    key = "<id>",
    local = "1m",
    tags(team(id % 2)),
    skip(database)
)]
async fn find(id: u64, database: &Database) -> Result<Option<Arc<Row>>, Broken> {
    Ok(database.row(id))
}

#[cached(batch = ids, of = find(ids))]
async fn find_all(ids: &[u64], database: &Database) -> Result<HashMap<u64, Arc<Row>>, Broken> {
    if ids.contains(&13) {
        return Err(Broken);
    }
    Ok(database.many(ids))
}

#[cached(batch = ids, of = find(ids), when = ids.len() < 5)]
async fn find_in_order(
    ids: Vec<u64>,
    database: &Database,
) -> Result<Vec<Option<Arc<Row>>>, Broken> {
    let rows = database.many(&ids);
    Ok(ids.iter().map(|id| rows.get(id).cloned()).collect())
}

/// Whose values are what is cached, and whose tag comes from them.
#[cached(
    prefix = "number",
    key = "<id>",
    local = "1m",
    tags_of = |value: &Option<u64>| value.map(round),
    skip(database)
)]
async fn number(id: u64, database: &Database) -> Option<u64> {
    database.row(id).map(|row| row.round)
}

#[cached(batch = ids, of = number(ids))]
async fn numbers(ids: &[u64], database: &Database) -> Vec<(u64, Option<u64>)> {
    let rows = database.many(ids);
    let round = |id: &u64| rows.get(id).map(|row| row.round);
    ids.iter().map(|id| (*id, round(id))).collect()
}

#[invalidates(find(id), number(id))]
async fn change(id: u64, database: &Database, round: u64) {
    database.set(round);
}

async fn counts<F: Future>(call: F) -> (F::Output, BatchStatus) {
    match with_status(call).await {
        (returned, CallStatus::Batch(counts)) => (returned, counts),
        (_, other) => panic!("{other:?}"),
    }
}

/// What is found of everything, in this process and in the store; what was asked of bodies.
fn told(counts: BatchStatus) -> (u32, u32, u32, u32) {
    (counts.local, counts.hits, counts.nulls, counts.loaded)
}

on_every_engine! {
    what_a_batch_loads_is_kept_for_calls_and_batches
    what_calls_keep_is_found_by_a_batch
    what_a_batch_reads_is_kept
    only_what_is_not_kept_is_asked_for
    order_and_duplicates_are_kept
    a_batch_goes_around_what_is_kept
    what_is_invalidated_is_loaded_again
    a_refresh_replaces_what_is_kept
    an_error_leaves_what_is_kept
    one_that_cannot_be_stored_is_not_kept
    another_type_under_the_key_is_no_hit
}

async fn what_a_batch_loads_is_kept_for_calls_and_batches(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        let ids = [1, 2, 100];
        let (found, counted) = counts(find_all(&ids, &database)).await;
        let expected = HashMap::from([(1, row(1, 0)), (2, row(2, 0))]);
        assert_eq!(
            (found.as_ref(), told(counted)),
            (Ok(&expected), (0, 0, 0, 3))
        );
        database.set(1);
        let sent = pond.stats().commands;
        for _ in 0..10 {
            let (again, counted) = counts(find_all(&ids, &database)).await;
            assert_eq!(again.as_ref(), Ok(&expected));
            assert_eq!(told(counted), (3, 2, 1, 0));
        }
        // The value itself, and not a copy.
        let one = find(1, &database).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&one, &found.unwrap()[&1]));
        assert_eq!(find(100, &database).await, Ok(None));
        assert_eq!(pond.stats().commands, sent);
        assert_eq!(database.asked(), [[1, 2, 100]]);
    })
    .await;
    let stats = pond.stats();
    let rows = stats.prefix("row");
    assert_eq!((rows.loads, rows.local_hits), (3, 32));
    assert_eq!((rows.hits, rows.null_hits, rows.misses), (0, 0, 3));
    assert_eq!(stats.local_values, 3);
}

async fn what_calls_keep_is_found_by_a_batch(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        let one = find(1, &database).await.unwrap().unwrap();
        assert_eq!(find(100, &database).await, Ok(None));
        number(1, &database).await;
        number(100, &database).await;
        database.set(1);
        let sent = pond.stats().commands;
        let found = find_in_order(vec![100, 1], &database).await.unwrap();
        assert_eq!(found[0], None);
        assert!(found[1].as_ref().is_some_and(|row| Arc::ptr_eq(row, &one)));
        let found = numbers(&[1, 100], &database).await;
        assert_eq!(found, [(1, Some(0)), (100, None)]);
        assert_eq!(pond.stats().commands, sent);
        assert_eq!(database.asked(), [[0; 0]; 0]);
    })
    .await;
}

async fn what_a_batch_reads_is_kept(pond: &Millpond) {
    let database = Database::default();
    // Another process loaded them.
    let other = Database::default();
    other.set(7);
    pond.scope(async {
        find_all(&[1, 100], &other).await.unwrap();
        // What this process keeps goes, and what is in the store stays.
        for key in ["row:1", "row:100"] {
            pond.expire(key, ttl::LONG).await.unwrap();
        }
        let (found, counted) = counts(find_all(&[1, 100], &database)).await;
        assert_eq!(found, Ok(HashMap::from([(1, row(1, 7))])));
        assert_eq!(told(counted), (0, 1, 1, 0));
        let sent = pond.stats().commands;
        assert_eq!(find(1, &database).await, Ok(Some(row(1, 7))));
        assert_eq!(find(100, &database).await, Ok(None));
        assert_eq!(
            told(counts(find_all(&[1, 100], &database)).await.1),
            (2, 1, 1, 0)
        );
        assert_eq!(pond.stats().commands, sent);
    })
    .await;
    let rows = pond.stats().prefix("row");
    assert_eq!((rows.hits, rows.null_hits, rows.local_hits), (1, 1, 4));
}

async fn only_what_is_not_kept_is_asked_for(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        find_all(&[1, 2], &database).await.unwrap();
        find_all(&[3, 4, 101], &database).await.unwrap();
        // In the store alone.
        pond.expire("row:3", ttl::LONG).await.unwrap();
        database.asked();
        let ids = [1, 5, 3, 101, 6];
        let (found, counted) = counts(find_all(&ids, &database)).await;
        assert_eq!(found.unwrap().len(), 4);
        assert_eq!(told(counted), (2, 2, 1, 2));
        assert_eq!(database.asked(), [[5, 6]]);
        let sent = pond.stats().commands;
        assert_eq!(
            told(counts(find_all(&ids, &database)).await.1),
            (5, 4, 1, 0)
        );
        assert_eq!(pond.stats().commands, sent);
    })
    .await;
}

async fn order_and_duplicates_are_kept(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        number(7, &database).await;
        for _ in ["of the body, of both, of this process"; 3] {
            let found = find_in_order(vec![6, 100, 6, 5], &database).await.unwrap();
            let row = |id| Some(row(id, 0));
            assert_eq!(found, [row(6), None, row(6), row(5)]);
            let found = numbers(&[7, 100, 8, 7, 100], &database).await;
            let expected = [
                (7, Some(0)),
                (100, None),
                (8, Some(0)),
                (7, Some(0)),
                (100, None),
            ];
            assert_eq!(found, expected);
            find::invalidate(5).await.unwrap();
        }
    })
    .await;
}

async fn a_batch_goes_around_what_is_kept(pond: &Millpond) {
    let database = Database::default();
    let round = |found: Result<Vec<Option<Arc<Row>>>, Broken>| {
        found.unwrap()[0].as_ref().map(|row| row.round)
    };
    let call = |many: usize| find_in_order(vec![1; many], &database);
    pond.scope(async {
        assert_eq!(round(call(1).await), Some(0));
        database.set(1);
        assert_eq!(round(call(4).await), Some(0));
        assert_eq!(round(call(5).await), Some(1), "`when` does not hold");
        assert_eq!(round(uncached(call(1)).await), Some(1));
        assert_eq!(round(call(1).await), Some(0));
    })
    .await;
    assert_eq!(round(pond.bypass(call(1)).await), Some(1));
    let other = Millpond::memory();
    assert_eq!(round(other.scope(call(1)).await), Some(1));
    assert_eq!(round(pond.scope(call(1)).await), Some(0));
    assert_eq!(pond.stats().prefix("row").local_hits, 3);
}

async fn what_is_invalidated_is_loaded_again(pond: &Millpond) {
    let database = Database::default();
    let ids = [1, 2, 3];
    pond.scope(async {
        numbers(&ids, &database).await;
        find_all(&ids, &database).await.unwrap();
        database.asked();
        change(1, &database, 1).await;
        let (found, counted) = counts(find_all(&ids, &database)).await;
        assert_eq!(found.unwrap()[&1], row(1, 1));
        assert_eq!(told(counted), (2, 2, 0, 1));
        numbers(&ids, &database).await;
        invalidate_find!(2).await.unwrap();
        find_all(&ids, &database).await.unwrap();
        assert_eq!(database.asked(), [[1], [1], [2]]);
        // A tag of some, and a tag of the value of some.
        team::invalidate(1).await.unwrap();
        find_all(&ids, &database).await.unwrap();
        crate::round::invalidate(0).await.unwrap();
        assert_eq!(told(counts(numbers(&ids, &database)).await.1), (1, 1, 0, 2));
        assert_eq!(database.asked(), [[1, 3], [2, 3]]);
        // By hand, and by a value that is put.
        let _ = pond.delete("row:2").await.unwrap();
        find::entry(3).put(&None).await.unwrap();
        let found = find_all(&ids, &database).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(database.asked(), [[2]]);
    })
    .await;
}

async fn a_refresh_replaces_what_is_kept(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        find_all(&[1, 2], &database).await.unwrap();
        database.set(1);
        for id in [1, 100] {
            let (_, counted) = counts(refresh(find_all(&[id], &database))).await;
            assert_eq!(told(counted), (0, 0, 0, 1));
        }
        let sent = pond.stats().commands;
        assert_eq!(find(1, &database).await, Ok(Some(row(1, 1))));
        assert_eq!(find(100, &database).await, Ok(None));
        assert_eq!(find(2, &database).await, Ok(Some(row(2, 0))));
        assert_eq!(pond.stats().commands, sent);
    })
    .await;
}

async fn an_error_leaves_what_is_kept(pond: &Millpond) {
    let database = Database::default();
    pond.scope(async {
        find_all(&[1], &database).await.unwrap();
        let (failed, counted) = counts(find_all(&[1, 13], &database)).await;
        assert_eq!((failed, told(counted)), (Err(Broken), (1, 1, 0, 1)));
        assert_eq!(
            told(counts(find_all(&[1], &database)).await.1),
            (1, 1, 0, 0)
        );
        assert_eq!(pond.stats().local_values, 1);
    })
    .await;
}

async fn one_that_cannot_be_stored_is_not_kept(pond: &Millpond) {
    #[cached(prefix = "odd", key = "<id>", local = "1m", unless = |value: &u64| value % 2 == 1)]
    async fn odd(id: u64) -> u64 {
        id
    }

    // More items than were asked for, of which the body leaves open which is which.
    #[cached(batch = ids, of = odd(ids))]
    async fn odds(ids: &[u64]) -> Vec<(u64, u64)> {
        ids.iter().chain(&[4]).map(|id| (*id, *id)).collect()
    }

    pond.scope(async {
        odd(1).await;
        odds(&[1, 2, 4]).await;
        let counted = counts(odds(&[1, 2, 4])).await.1;
        assert_eq!(told(counted), (1, 1, 0, 2));
        assert_eq!(pond.stats().local_values, 1);
    })
    .await;
}

async fn another_type_under_the_key_is_no_hit(pond: &Millpond) {
    #[cached(prefix = "both", key = "<id>", local = "1m")]
    async fn as_number(id: u64) -> u64 {
        id
    }

    /// Their JSON is the same.
    #[cached(prefix = "both", key = "<id>", local = "1m", shares = as_number)]
    async fn as_shared(id: u64) -> u64 {
        id
    }

    #[cached(batch = ids, of = as_shared(ids))]
    async fn all_shared(ids: &[u64]) -> BTreeMap<u64, u64> {
        ids.iter().map(|id| (*id, *id)).collect()
    }

    #[cached(prefix = "both", key = "<id>", local = "1m")]
    async fn as_text(id: u64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        Some(id as f64)
    }

    #[cached(batch = ids, of = as_text(ids))]
    async fn all_text(ids: &[u64]) -> BTreeMap<u64, f64> {
        #[expect(clippy::cast_precision_loss, reason = "they are small")]
        ids.iter().map(|id| (*id, *id as f64)).collect()
    }

    pond.scope(async {
        as_number(1).await;
        assert_eq!(told(counts(all_shared(&[1])).await.1), (1, 1, 0, 0));
        let (found, counted) = counts(all_text(&[1])).await;
        assert_eq!(found, BTreeMap::from([(1, 1.0)]));
        assert_eq!(told(counted), (0, 1, 0, 0), "read from the store");
        assert_eq!(as_text(1).await, Some(1.0));
        assert_eq!(told(counts(all_text(&[1])).await.1), (1, 1, 0, 0));
        assert_eq!(told(counts(all_shared(&[1])).await.1), (0, 1, 0, 0));
        assert_eq!(as_shared(1).await, 1);
    })
    .await;
    assert_eq!(pond.stats().prefix("both").local_hits, 4);
}

#[tokio::test]
async fn values_over_the_bound_are_not_kept() {
    #[cached(prefix = "page", key = "<id>", local = "1m")]
    async fn page(id: usize) -> String {
        "x".repeat(id)
    }

    #[cached(batch = ids, of = page(ids))]
    async fn pages(ids: &[usize]) -> HashMap<usize, String> {
        ids.iter().map(|id| (*id, "x".repeat(*id))).collect()
    }

    let pond = Millpond::builder().memory().local_bytes(20_000);
    let pond = pond.build().unwrap();
    pond.scope(async {
        page(10).await;
        let found = pages(&[10, 100_000]).await;
        assert_eq!(found[&100_000].len(), 100_000);
        let (found, counted) = counts(pages(&[10, 100_000])).await;
        assert_eq!((found[&10].len(), found[&100_000].len()), (10, 100_000));
        assert_eq!(told(counted), (1, 2, 0, 0));
        let many: Vec<usize> = (1_000..1_200).collect();
        assert_eq!(pages(&many).await.len(), many.len());
        let (found, counted) = counts(pages(&many)).await;
        assert_eq!((found.len(), counted.hits, counted.loaded), (200, 200, 0));
        assert!((1..20).contains(&counted.local), "{counted:?}");
    })
    .await;
    assert!(pond.stats().local_bytes <= 20_000);
}

/// A pond whose clock the test moves.
fn on_gateway(gateway: &Gateway) -> (Millpond, ManualClock) {
    let clock = ManualClock::new();
    let pond = support::builder(gateway).clock(clock.clone());
    // Nothing but `local` bounds how old a value is.
    let pond = pond.backplane(false).local_unverified(ttl::LONG);
    (pond.build().unwrap(), clock)
}

/// Without a tag, which commands by hand would have to write too.
#[cached(prefix = "plain", key = "<id>", local = "1m", skip(source))]
async fn plain(id: u64, source: &Source<u64>) -> u64 {
    source.answer().await + id
}

#[cached(batch = ids, of = plain(ids))]
async fn plains(ids: &[u64], source: &Source<u64>) -> BTreeMap<u64, u64> {
    let by = source.answer().await;
    ids.iter().map(|id| (*id, by + id)).collect()
}

#[tokio::test]
async fn a_value_is_as_old_as_its_read_by_either_clock() {
    let gateway = gateway(needs_redis!()).await;
    let (pond, clock) = on_gateway(&gateway);
    let (source, _bodies) = source();
    let ids = [1, 2];
    pond.command(["SET", "plain:2", "0"]).await.unwrap();
    for (round, advance) in (1..).zip([
        ManualClock::advance,
        ManualClock::advance_monotonic,
        ManualClock::advance_wall,
    ]) {
        let write = async |value: u64| {
            let value = value.to_string();
            pond.command(["SET", "plain:1", &value]).await.unwrap();
        };
        write(round).await;
        let read = gateway.hold("MGET");
        let call = {
            let source = source.clone();
            pond.spawn(async move { plains(&ids, &source).await })
        };
        read.arrived().await;
        advance(&clock, 59 * SECOND);
        read.release();
        assert_eq!(within_a_minute(call).await.unwrap()[&1], round);
        write(100).await;
        pond.scope(async {
            assert_eq!(plains(&ids, &source).await[&1], round);
            assert_eq!(plain(1, &source).await, round);
            advance(&clock, SECOND);
            assert_eq!(plains(&ids, &source).await[&1], 100);
            // For the next round.
            advance(&clock, 60 * SECOND);
        })
        .await;
    }
}

#[tokio::test]
async fn each_of_two_functions_that_share_a_key_has_its_own_time() {
    #[cached(prefix = "both", key = "<id>", local = "1m", skip(database))]
    async fn long(id: u64, database: &Database) -> Option<u64> {
        database.row(id).map(|row| row.round)
    }

    #[cached(prefix = "both", key = "<id>", local = "5s", shares = long, skip(database))]
    async fn brief(id: u64, database: &Database) -> Option<u64> {
        database.row(id).map(|row| row.round)
    }

    #[cached(batch = ids, of = brief(ids))]
    async fn all_brief(ids: &[u64], database: &Database) -> HashMap<u64, u64> {
        let rows = database.many(ids).into_values();
        rows.map(|row| (row.id, row.round)).collect()
    }

    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let database = Database::default();
    let told = async || told(counts(all_brief(&[1], &database)).await.1);
    pond.scope(async {
        assert_eq!(long(1, &database).await, Some(0));
        clock.advance(4 * SECOND);
        assert_eq!(told().await, (1, 1, 0, 0));
        assert_eq!(brief(1, &database).await, Some(0));
        clock.advance(SECOND);
        assert_eq!(told().await, (0, 1, 0, 0));
        clock.advance(4 * SECOND);
        assert_eq!(told().await, (1, 1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn what_this_process_cannot_trust_is_read_again() {
    let gateway = gateway(needs_redis!()).await;
    let subscribes = Matcher::when(|request| request.path.starts_with("/subscribe"));
    gateway.inject(subscribes.always(), Fault::error(400, "not here"));
    let clock = ManualClock::new();
    let pond = support::builder(&gateway).clock(clock.clone());
    let pond = pond.local_unverified(SECOND).build().unwrap();
    let database = Database::default();
    let ids = [1, 100];
    pond.scope(async {
        find_all(&ids, &database).await.unwrap();
        clock.advance(Duration::from_millis(999));
        assert_eq!(
            told(counts(find_all(&ids, &database)).await.1),
            (2, 1, 1, 0)
        );
        clock.advance(Duration::from_millis(1));
        assert_eq!(
            told(counts(find_all(&ids, &database)).await.1),
            (0, 1, 1, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn values_live_no_longer_than_their_lifetime_and_nothing_old_is_kept() {
    #[cached(
        prefix = "old",
        key = "<id>",
        ttl = "1m",
        null_ttl = "5s",
        jitter = 0,
        local = "1m",
        stale_while_revalidate = "1m",
        refresh_ahead = 0.5,
        skip(database)
    )]
    async fn old(id: u64, database: Database) -> Option<u64> {
        database.row(id).map(|row| row.round)
    }

    #[cached(batch = ids, of = old(ids))]
    async fn all_old(ids: &[u64], database: &Database) -> HashMap<u64, u64> {
        let rows = database.many(ids).into_values();
        rows.map(|row| (row.id, row.round)).collect()
    }

    let clock = ManualClock::new();
    let pond = Millpond::builder().memory().clock(clock.clone());
    let pond = pond.build().unwrap();
    let database = Database::default();
    let told = async || told(counts(all_old(&[1, 100], &database)).await.1);
    pond.scope(async {
        assert_eq!(told().await, (0, 0, 0, 2));
        clock.advance(2 * SECOND);
        assert_eq!(told().await, (2, 1, 1, 0));
        clock.advance(SECOND);
        // From here on `refresh_ahead` would load a `None` again.
        assert_eq!(told().await, (1, 1, 1, 0));
        clock.advance(2 * SECOND);
        assert_eq!(told().await, (1, 1, 0, 1));
        clock.advance(25 * SECOND);
        assert_eq!(told().await.0, 0);
        assert_eq!(old(1, database.clone()).await, Some(0));
    })
    .await;
}

/// Items that keys share a counter with may be read once more, so there are several that were not touched.
const IDS: [u64; 6] = [1, 2, 3, 4, 5, 6];

#[tokio::test]
async fn a_change_during_the_read_of_a_batch_wins() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let (source, mut bodies) = source();
    for round in ["invalidated", "put", "loaded anew"] {
        for id in IDS {
            let set = ["SET", &format!("plain:{id}"), "0"];
            pond.command(set).await.unwrap();
        }
        let read = gateway.hold("MGET");
        let call = {
            let source = source.clone();
            pond.spawn(async move { plains(&IDS, &source).await })
        };
        read.arrived().await;
        pond.scope(async {
            match round {
                "invalidated" => plain::invalidate(1).await.unwrap(),
                "put" => plain::entry(1).put(&11).await.unwrap(),
                _ => {
                    let body = async { bodies.next().await.answer(10) };
                    let _ = tokio::join!(refresh(plains(&[1], &source)), body);
                }
            }
        })
        .await;
        read.release();
        let asked_before = within_a_minute(call).await.unwrap();
        assert_eq!(asked_before[&1], 0);
        let body = async {
            if round == "invalidated" {
                bodies.next().await.answer(10);
            }
        };
        let call = counts(plains(&IDS, &source));
        let ((found, counted), ()) = pond.scope(async { tokio::join!(call, body) }).await;
        assert_eq!((found[&1], found[&2]), (11, 0), "{round}");
        assert!(counted.local > 0, "{round}: {counted:?}");
        for id in IDS {
            pond.scope(async { plain::invalidate(id).await })
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_tag_that_moves_during_the_read_of_a_batch_wins() {
    let gateway = gateway(needs_redis!()).await;
    let pond = support::pond(&gateway);
    let database = Database::default();
    let ids = [1, 2];
    pond.scope(find_all(&ids, &database)).await.unwrap();
    pond.scope(numbers(&ids, &database)).await;
    database.set(1);
    // What this process keeps goes, and what is in the store stays.
    for key in ["row:1", "row:2", "number:1", "number:2"] {
        pond.expire(key, ttl::LONG).await.unwrap();
    }
    let read = gateway.hold(Matcher::argument("row:1"));
    // The values name it, so that it is read by itself.
    let other = gateway.hold(Matcher::argument("@tag:~round:0"));
    let calls = {
        let database = database.clone();
        pond.spawn(async move {
            let rows = find_all(&ids, &database).await.unwrap();
            (rows[&1].round, numbers(&ids, &database).await[0].1)
        })
    };
    read.arrived().await;
    pond.scope(async { team::invalidate(1).await })
        .await
        .unwrap();
    read.release();
    other.arrived().await;
    pond.scope(async { round::invalidate(0).await })
        .await
        .unwrap();
    other.release();
    let asked_before = within_a_minute(calls).await.unwrap();
    assert_eq!(asked_before, (0, Some(0)));
    pond.scope(async {
        let (found, counted) = counts(find_all(&ids, &database)).await;
        assert_eq!((counted.hits, counted.loaded), (1, 1));
        assert_eq!(found.unwrap()[&1], row(1, 1));
        assert_eq!(numbers(&ids, &database).await[0], (1, Some(1)));
    })
    .await;
}

#[tokio::test]
async fn a_change_during_the_body_of_a_batch_wins() {
    let pond = Millpond::memory();
    let (source, mut bodies) = source();
    let batch = || {
        let source = source.clone();
        pond.spawn(async move { counts(plains(&IDS, &source)).await })
    };
    let first = batch();
    let body = bodies.next().await;
    pond.scope(async { plain::invalidate(1).await })
        .await
        .unwrap();
    body.answer(0);
    let (found, _) = within_a_minute(first).await.unwrap();
    assert_eq!(found[&1], 1);
    let second = batch();
    bodies.next().await.answer(10);
    let (found, counted) = within_a_minute(second).await.unwrap();
    assert_eq!((found[&1], found[&2]), (11, 2));
    assert_eq!((counted.hits, counted.loaded), (5, 1));
    assert!(counted.local > 0, "{counted:?}");
    let (_, counted) = within_a_minute(batch()).await.unwrap();
    assert_eq!(told(counted), (6, 6, 0, 0));
}

/// What is kept goes before the load of a refresh, too.
#[tokio::test]
async fn during_a_refresh_the_store_is_read() {
    let pond = Millpond::memory();
    let (source, mut bodies) = source();
    let batch = || {
        let source = source.clone();
        pond.spawn(async move { counts(plains(&[1], &source)).await })
    };
    let first = batch();
    bodies.next().await.answer(0);
    within_a_minute(first).await.unwrap();
    let refreshed = {
        let source = source.clone();
        pond.spawn(async move { refresh(plains(&[1], &source)).await })
    };
    let body = bodies.next().await;
    let (found, counted) = within_a_minute(batch()).await.unwrap();
    assert_eq!((found[&1], told(counted)), (1, (0, 1, 0, 0)));
    body.answer(10);
    within_a_minute(refreshed).await.unwrap();
    let (found, counted) = within_a_minute(batch()).await.unwrap();
    assert_eq!((found[&1], told(counted)), (11, (1, 1, 0, 0)));
}

/// What waits for another caller gets that one's value, and keeps nothing itself.
#[tokio::test]
async fn a_batch_joins_the_load_of_a_call() {
    let pond = Millpond::memory();
    let (source, mut bodies) = source();
    let one = {
        let source = source.clone();
        pond.spawn(async move { plain(1, &source).await })
    };
    let body = bodies.next().await;
    let batch = {
        let source = source.clone();
        pond.spawn(async move { counts(plains(&[1, 2], &source)).await })
    };
    bodies.next().await.answer(0);
    support::settle().await;
    body.answer(0);
    assert_eq!(one.await.unwrap(), 1);
    let (found, counted) = within_a_minute(batch).await.unwrap();
    assert_eq!(found, BTreeMap::from([(1, 1), (2, 2)]));
    assert_eq!((counted.shared, counted.loaded), (1, 1));
    pond.scope(async {
        assert_eq!(told(counts(plains(&[1, 2], &source)).await.1), (2, 2, 0, 0));
    })
    .await;
}

#[cfg(feature = "encrypt")]
#[tokio::test]
async fn decrypted_values_are_kept_where_they_may_be() {
    #[cached(prefix = "sealed", key = "<id>", local = "1m", encrypt, local_plain)]
    async fn sealed(id: u64) -> Option<String> {
        (id < 100).then(|| format!("secret {id}"))
    }

    #[cached(batch = ids, of = sealed(ids))]
    async fn all_sealed(ids: &[u64]) -> Vec<Option<String>> {
        let secret = |id: &u64| (*id < 100).then(|| format!("secret {id}"));
        ids.iter().map(secret).collect()
    }

    let key = "0123456789abcdef".repeat(4);
    let pond = Millpond::builder().memory().encryption_key("1", key);
    let pond = pond.build().unwrap();
    pond.scope(async {
        let found = all_sealed(&[1, 100]).await;
        assert_eq!(found, [Some("secret 1".to_owned()), None]);
        assert_eq!(told(counts(all_sealed(&[1, 100])).await.1), (2, 1, 1, 0));
        assert_eq!(sealed(1).await.as_deref(), Some("secret 1"));
    })
    .await;
    assert_eq!(pond.stats().prefix("sealed").local_hits, 3);
}

/// What `explain` says of a key is what a batch does with it.
#[tokio::test]
async fn what_a_batch_kept_is_explained() {
    let pond = Millpond::memory();
    let (source, mut bodies) = source();
    pond.scope(async {
        let call = async { plains(&[1], &source).await };
        let body = async { bodies.next().await.answer(0) };
        let _ = tokio::join!(call, body);
        let explained = plain::entry(1).explain().await.unwrap();
        assert!(explained.local_age().is_some(), "{explained}");
    })
    .await;
}
