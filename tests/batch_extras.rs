//! What the body of a batch returns beyond its items reaches the caller, however many bodies the call ran. On every
//! engine.

mod support;

use millpond::{Lookup, Millpond, cached};
use std::collections::{BTreeMap, HashMap};
use support::source::{Source, source};
use support::{on_every_engine, settle, within_a_minute};

/// Not `Clone`: who waits for it runs a body of its own.
#[derive(Debug, PartialEq)]
struct Broken;

#[cached(prefix = "one", key = "<id>", skip(source))]
async fn one(id: u64, source: &Source<bool>) -> Result<Option<u64>, Broken> {
    if source.answer().await {
        Ok(Some(id))
    } else {
        Err(Broken)
    }
}

/// What the bodies give: the items under 100, and two more. The first of these is the same for all of them.
async fn given(ids: &[u64], source: &Source<u64>) -> Vec<(u64, u64)> {
    let by = source.answer().await;
    let known = ids.iter().filter(|id| **id < 100);
    let mut given: Vec<_> = known.map(|id| (*id, *id)).collect();
    given.extend([(1_000, by), (1_000 + by, by)]);
    given
}

#[cached(batch = ids, of = one(ids))]
async fn hashed(ids: &[u64], source: &Source<u64>) -> Result<HashMap<u64, u64>, Broken> {
    Ok(given(ids, source).await.into_iter().collect())
}

#[cached(batch = ids, of = one(ids))]
async fn sorted(ids: &[u64], source: &Source<u64>) -> Result<BTreeMap<u64, u64>, Broken> {
    Ok(given(ids, source).await.into_iter().collect())
}

#[cached(batch = ids, of = one(ids))]
async fn paired(ids: &[u64], source: &Source<u64>) -> Result<Vec<(u64, u64)>, Broken> {
    Ok(given(ids, source).await)
}

/// The call waits for another caller's load, which fails, and runs a second body.
async fn both_bodies_of_a_call_count(pond: &Millpond) {
    let (singles, mut loads) = source();
    let (many, mut bodies) = source();
    for round in ["hashed", "sorted", "paired"] {
        let single = {
            let singles = singles.clone();
            pond.spawn(async move { one(1, &singles).await })
        };
        let load = within_a_minute(loads.next()).await;
        let batch = {
            let many = many.clone();
            pond.spawn(async move {
                let ids = [1, 2];
                let all = match round {
                    "hashed" => hashed(&ids, &many).await?.into_iter().collect(),
                    "sorted" => sorted(&ids, &many).await?.into_iter().collect(),
                    _ => paired(&ids, &many).await?,
                };
                Ok::<_, Broken>(all)
            })
        };
        within_a_minute(async {
            bodies.next().await.answer(7);
            settle().await;
            load.answer(false);
            bodies.next().await.answer(8);
            assert_eq!(single.await.unwrap(), Err(Broken));
        })
        .await;
        let mut all = within_a_minute(batch).await.unwrap().unwrap();
        all.sort_unstable();
        let expected = [(1, 1), (2, 2), (1_000, 8), (1_007, 7), (1_008, 8)];
        assert_eq!(all, expected, "{round}");
        pond.scope(async {
            // What nobody asked for is not stored.
            assert_eq!(one::entry(1_007).get().await.unwrap(), Lookup::Miss);
            for id in [1, 2] {
                assert_eq!(one::entry(id).get().await.unwrap(), Lookup::Hit(Some(id)));
                one::invalidate(id).await.unwrap();
            }
        })
        .await;
    }
}

/// A body that gives more than was asked says nothing of what is cached.
async fn an_item_that_is_cached_stays_as_it_is(pond: &Millpond) {
    let (many, mut bodies) = source();
    pond.scope(async {
        one::entry(1_000).put(&Some(5)).await.unwrap();
        one::entry(1_007).put(&None).await.unwrap();
        for round in ["hashed", "sorted", "paired"] {
            let ids = [1_000, 1, 1_007];
            let call = async {
                match round {
                    "hashed" => hashed(&ids, &many).await.unwrap().into_iter().collect(),
                    "sorted" => sorted(&ids, &many).await.unwrap().into_iter().collect(),
                    _ => paired(&ids, &many).await.unwrap(),
                }
            };
            let body = async { bodies.next().await.answer(7) };
            let (mut all, ()): (Vec<_>, _) =
                within_a_minute(async { tokio::join!(call, body) }).await;
            all.sort_unstable();
            assert_eq!(all, [(1, 1), (1_000, 5)], "{round}");
            one::invalidate(1).await.unwrap();
        }
    })
    .await;
}

on_every_engine! {
    both_bodies_of_a_call_count
    an_item_that_is_cached_stays_as_it_is
}
