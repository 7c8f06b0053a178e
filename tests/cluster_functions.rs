//! Cached functions on a Redis Cluster of three nodes: the entries of a batch, the tags of values and the values
//! themselves are in different slots.

#![cfg(feature = "redis")]

mod support;

use millpond::{Lookup, Millpond, Tag, cached};
use millpond_gateway::needs_redis;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::aged::age;
use support::cluster::Cluster;
use support::source::{Source, source};
use support::within_a_minute;

/// What the bodies were asked for.
type Asked = Arc<Mutex<Vec<Vec<u64>>>>;

#[cached(prefix = "user", key = "<id>")]
async fn user(id: u64) -> Option<String> {
    (id < 100).then(|| format!("one {id}"))
}

#[cached(batch = ids, of = user(ids))]
async fn users(ids: &[u64], asked: &Asked) -> HashMap<u64, String> {
    asked.lock().unwrap().push(ids.to_vec());
    let known = ids.iter().filter(|id| **id < 100);
    known.map(|id| (*id, format!("many {id}"))).collect()
}

#[cached(prefix = "slow", key = "<id>")]
async fn slow(id: u64) -> String {
    format!("one {id}")
}

#[cached(batch = ids, of = slow(ids))]
async fn slow_ones(ids: &[u64], source: &Source<String>) -> HashMap<u64, String> {
    let text = source.answer().await;
    ids.iter().map(|id| (*id, text.clone())).collect()
}

/// Enough of them to be on every node.
const IDS: std::ops::Range<u64> = 0..30;

#[tokio::test]
async fn a_batch_finds_and_stores_its_entries_on_every_node() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    let asked = Asked::default();
    let take = || std::mem::take(&mut *asked.lock().unwrap());
    let mut ids: Vec<u64> = IDS.collect();
    ids.push(200);
    within_a_minute(here.scope(async {
        assert_eq!(user(3).await.as_deref(), Some("one 3"));
        let found = users(&ids, &asked).await;
        assert_eq!(found.len(), 30);
        assert_eq!((&*found[&3], &*found[&4]), ("one 3", "many 4"));
        let missing: Vec<u64> = ids.iter().copied().filter(|id| *id != 3).collect();
        assert_eq!(take(), [missing]);
        assert_eq!(user(4).await.as_deref(), Some("many 4"));
        // That there is no 200 is stored too.
        assert_eq!(users(&ids, &asked).await, found);
        assert!(take().is_empty());
        there
            .scope(async { user::invalidate(7).await })
            .await
            .unwrap();
        assert_eq!(users(&ids, &asked).await.len(), 30);
        assert_eq!(take(), [[7]]);
    }))
    .await;
}

#[tokio::test]
async fn an_invalidation_elsewhere_costs_a_batch_its_own_key() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    let (source, mut bodies) = source();
    within_a_minute(async {
        let ids: Vec<u64> = IDS.collect();
        let load = here.spawn(async move { slow_ones(&ids, &source).await });
        let body = bodies.next().await;
        there
            .scope(async { slow::invalidate(7).await })
            .await
            .unwrap();
        body.answer("old".to_owned());
        assert_eq!(load.await.unwrap().len(), 30);
        for id in IDS {
            let stored = there
                .scope(async { slow::entry(id).exists().await })
                .await
                .unwrap();
            assert_eq!(stored, id != 7, "{id}");
        }
        assert_eq!(there.scope(slow(6)).await, "old");
        assert_eq!(there.scope(slow(7)).await, "one 7");
    })
    .await;
}

#[millpond::tag("~author:<id>")]
fn author(id: u64) -> Tag;

/// By one of three authors.
#[cached(prefix = "post", key = "<id>", tags_of = |by: &u64| [author(*by)])]
async fn post(id: u64) -> u64 {
    id % 3
}

/// By the author that the test says.
#[cached(prefix = "draft", key = "<id>", tags_of = |by: &u64| [author(*by)], skip(source))]
async fn draft(id: u64, source: &Source<u64>) -> u64 {
    source.answer().await
}

fn loads(pond: &Millpond, prefix: &str) -> u64 {
    pond.stats().prefix(prefix).loads
}

#[tokio::test]
async fn a_tag_of_values_makes_them_misses_on_every_node() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    within_a_minute(here.scope(async {
        for _ in ["load", "hit"] {
            for id in IDS {
                assert_eq!(post(id).await, id % 3);
            }
        }
        assert_eq!(loads(&here, "post"), 30);
        there
            .scope(async { author::invalidate(1).await })
            .await
            .unwrap();
        for id in IDS {
            let stored = post::entry(id).get().await.unwrap();
            assert_eq!(stored == Lookup::Miss, id % 3 == 1, "{id}: {stored:?}");
        }
        for id in IDS {
            assert_eq!(post(id).await, id % 3);
        }
        assert_eq!(loads(&here, "post"), 40);
        // Of another author from now on: what is known of the tags before is of no use.
        post::entry(0).put(&2).await.unwrap();
        there
            .scope(async { author::invalidate(0).await })
            .await
            .unwrap();
        assert_eq!(post(0).await, 2);
        there
            .scope(async { author::invalidate(2).await })
            .await
            .unwrap();
        assert_eq!(post(0).await, 0);
    }))
    .await;
}

#[tokio::test]
async fn a_tag_that_was_invalidated_elsewhere_during_the_load_leaves_a_miss() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    let (source, mut bodies) = source();
    within_a_minute(async {
        let call = |id| {
            let source = source.clone();
            here.spawn(async move { draft(id, &source).await })
        };
        for id in 0..6 {
            let load = call(id);
            let body = bodies.next().await;
            there
                .scope(async { author::invalidate(5).await })
                .await
                .unwrap();
            body.answer(5);
            assert_eq!(load.await.unwrap(), 5);
            let stored = there
                .scope(async { draft::entry(id).get().await })
                .await
                .unwrap();
            assert_eq!(stored, Lookup::Miss, "{id}");
            // Nothing happens during the next one.
            let load = call(id);
            bodies.next().await.answer(5);
            assert_eq!(load.await.unwrap(), 5);
            let stored = there
                .scope(async { draft::entry(id).get().await })
                .await
                .unwrap();
            assert_eq!(stored, Lookup::Hit(5), "{id}");
        }
    })
    .await;
}

#[cached(prefix = "flown", key = "<id>", flight = "cluster", skip(source))]
async fn flown(id: u64, source: &Source<u64>) -> u64 {
    source.answer().await
}

#[tokio::test]
async fn one_load_serves_all_processes_on_every_node() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    let (source, mut bodies) = source();
    within_a_minute(async {
        for id in 0..6 {
            let call = |pond: &Millpond| {
                let source = source.clone();
                pond.spawn(async move { flown(id, &source).await })
            };
            let first = call(&here);
            let body = bodies.next().await;
            let commands = || there.stats().prefix("flown").commands;
            let before = commands();
            let second = call(&there);
            // It has read the value, tried to take the lease, and seen who has it.
            while commands() < before + 3 {
                here.command(["PING"]).await.unwrap();
            }
            assert_eq!(bodies.count(), 0);
            body.answer(id);
            assert_eq!(first.await.unwrap(), id);
            assert_eq!(second.await.unwrap(), id);
            assert_eq!(bodies.count(), 0);
        }
    })
    .await;
}

#[cached(
    prefix = "old",
    key = "<id>",
    ttl = "1m",
    jitter = 0,
    stale_while_revalidate = "1h",
    tags("olds"),
    skip(version)
)]
async fn old(id: u64, version: u64) -> u64 {
    version
}

#[tokio::test]
async fn an_old_value_is_returned_once_on_every_node_and_never_after_an_invalidation() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let (here, there) = (cluster.pond(), cluster.pond());
    within_a_minute(here.scope(async {
        for id in IDS {
            assert_eq!(old(id, 1).await, 1);
            age(&here, &format!("old:{id}"), Duration::from_secs(120)).await;
        }
        for id in IDS {
            assert_eq!(old(id, 2).await, 1, "{id}: while it is loaded anew");
        }
        here.flush().await.unwrap();
        assert_eq!(
            (loads(&here, "old"), here.stats().prefix("old").stale),
            (60, 30)
        );
        for id in IDS {
            assert_eq!(there.scope(old(id, 3)).await, 2, "{id}");
            age(&here, &format!("old:{id}"), Duration::from_secs(120)).await;
        }
        there
            .scope(async { old::invalidate(3).await })
            .await
            .unwrap();
        for id in IDS {
            let expected = if id == 3 { 4 } else { 2 };
            assert_eq!(old(id, 4).await, expected, "{id}");
        }
        here.flush().await.unwrap();
        for id in IDS {
            age(&here, &format!("old:{id}"), Duration::from_secs(120)).await;
        }
        there.invalidate_tag("olds").await.unwrap();
        for id in IDS {
            assert_eq!(old(id, 5).await, 5, "{id}");
        }
    }))
    .await;
}
