//! Who is compared. The first one is what the others are compared with.

use crate::Outcome;
use crate::contestant::{Contestant, awaited};
use crate::in_full;
use crate::names;
use crate::subject::{Rendered, USERS, User, load};
use amalgam::EntryOptions;
use millpond::Millpond;
use std::sync::Arc;
use std::time::Duration;

const TTL: Duration = Duration::from_hours(1);
const BOUND: u64 = 10_000;

/// Bound in bytes, lifetime by two coarse clocks, single flight, removal against loads, counters; in front of the store.
/// For as long as the benchmark runs.
#[millpond::cached(local = "1h", prefix = "user", ttl = "1h", jitter = 0, key = "<id>")]
async fn number(id: u64) -> Arc<User> {
    load(id)
}

#[millpond::cached(local = "1h", prefix = "name", ttl = "1h", jitter = 0, key = "<id>")]
async fn text(id: &str) -> Arc<User> {
    load(id.parse().unwrap_or(u64::MAX))
}

/// The same without a store.
#[millpond::cached(local = "only", prefix = "user", ttl = "1h", key = "<id>")]
async fn number_only(id: u64) -> Arc<User> {
    load(id)
}

#[millpond::cached(local = "only", prefix = "name", ttl = "1h", key = "<id>")]
async fn text_only(id: &str) -> Arc<User> {
    load(id.parse().unwrap_or(u64::MAX))
}

#[millpond::cached(local = "only", prefix = "here", ttl = "1h", key = "<id>")]
fn here(id: u64) -> Arc<User> {
    load(id)
}

/// No bound, no lifetime, no single flight.
#[cached::macros::concurrent_cached(key = "String", convert = { format!("user:{id}") })]
fn concurrent(id: u64) -> Arc<User> {
    load(id)
}

/// A bound, a lifetime, one lock; no single flight.
#[cached::macros::cached(
    max_size = 10_000,
    ttl_secs = 3_600,
    key = "String",
    convert = { format!("user:{id}") }
)]
fn peer(id: u64) -> Arc<User> {
    load(id)
}

/// No lifetime and so no clock, no single flight; a get and nothing else. The hasher is the one that millpond has, which is
/// the fastest of those that were tried.
type ByHand = quick_cache::sync::Cache<
    String,
    Arc<User>,
    quick_cache::UnitWeighter,
    foldhash::fast::RandomState,
>;

fn by_hand() -> ByHand {
    let cache = ByHand::with(
        10_000,
        BOUND,
        quick_cache::UnitWeighter,
        foldhash::fast::RandomState::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    for id in 0..USERS {
        cache.insert(Rendered::user(id).as_str().to_owned(), load(id));
    }
    cache
}

/// Everybody with every user in memory.
pub(crate) async fn contestants() -> Outcome<Vec<Contestant>> {
    millpond::install(Millpond::memory())?;
    in_full::install(64 * 1024 * 1024);
    let moka = moka::sync::Cache::<String, Arc<User>>::builder()
        .max_capacity(BOUND)
        .time_to_live(TTL)
        .build();
    let amalgam = amalgam::Cache::<Arc<User>>::builder();
    let amalgam = amalgam
        .default_options(EntryOptions::new(TTL))
        .try_build()?;
    let names: &'static [String] = (0..USERS)
        .map(|id| id.to_string())
        .collect::<Vec<_>>()
        .leak();
    let name = |id: u64| names[usize::try_from(id).unwrap_or(0)].as_str();
    for id in 0..USERS {
        number(id).await;
        text(name(id)).await;
        number_only(id).await;
        text_only(name(id)).await;
        here(id);
        in_full::number(id).await;
        in_full::text(name(id)).await;
        in_full::here(id);
        concurrent(id);
        peer(id);
        let key = Rendered::user(id);
        moka.insert(key.as_str().to_owned(), load(id));
        amalgam.set(key.as_str(), load(id)).await?;
    }
    in_full::here(0);
    assert_eq!(in_full::hits(), 1, "those above were misses");
    let (numbers, texts) = (by_hand(), by_hand());
    Ok(vec![
        Contestant::sync(names::BY_HAND, move |id| {
            numbers.get(Rendered::user(id).as_str())
        }),
        Contestant::sync(names::TEXT_BY_HAND, move |id| {
            texts.get(Rendered::user(name(id)).as_str())
        }),
        awaited!(names::FULL, |id| Some(in_full::number(id).await)),
        awaited!(names::TEXT_FULL, |id| Some(in_full::text(name(id)).await)),
        Contestant::sync(names::SYNC_FULL, |id| Some(in_full::here(id))),
        awaited!(names::NUMBER, |id| Some(number(id).await)),
        awaited!(names::TEXT, |id| Some(text(name(id)).await)),
        awaited!(names::NUMBER_ONLY, |id| Some(number_only(id).await)),
        awaited!(names::TEXT_ONLY, |id| Some(text_only(name(id)).await)),
        Contestant::sync(names::SYNC, |id| Some(here(id))),
        Contestant::sync(names::MOKA, move |id| moka.get(Rendered::user(id).as_str())),
        awaited!(names::AMALGAM, |id| {
            let found = amalgam.try_get(Rendered::user(id).as_str()).await;
            found.ok().flatten()
        }),
        Contestant::sync(names::CONCURRENT, |id| Some(concurrent(id))),
        Contestant::sync(names::PEER, |id| Some(peer(id))),
    ])
}
