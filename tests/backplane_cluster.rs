//! Values that are kept in several processes (`local`) in front of a Redis Cluster: a subscription is to one node,
//! and what it hears is of all of them.

#![cfg(feature = "redis")]

mod support;

use millpond::{HealthState, ManualClock, Millpond, Tag, cached, invalidates};
use millpond_gateway::needs_redis;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use support::cluster::Cluster;
use support::{until, within_a_minute};

/// Longer than a value is used without trust, and less than a proof counts.
const DOUBTED: Duration = Duration::from_millis(1_500);

/// How long a call waits for a node that is gone.
const BUDGET: Duration = Duration::from_secs(2);

/// Enough of them to be on every node.
const IDS: std::ops::Range<u64> = 0..12;

/// Where the function gets its values from.
#[derive(Clone, Default)]
struct Source(Arc<AtomicU64>);

#[millpond::tag("owner:<owner>")]
fn owner(owner: u64) -> Tag;

#[cached(
    prefix = "number",
    key = "<id>",
    ttl = "1d",
    local = "1h",
    tags(owner(id)),
    all,
    skip(source)
)]
async fn number(id: u64, source: &Source) -> u64 {
    let _ = id;
    source.0.load(Ordering::SeqCst)
}

#[invalidates(number(id))]
async fn change(id: u64, source: &Source) {
    source.0.fetch_add(1, Ordering::SeqCst);
}

#[invalidates(owner(id))]
async fn change_owner(id: u64, source: &Source) {
    source.0.fetch_add(1, Ordering::SeqCst);
}

#[cached(
    prefix = "alone",
    key = "{number:<id>}",
    ttl = "1d",
    local = "1h",
    skip(source)
)]
async fn alone(id: u64, source: &Source) -> u64 {
    let _ = id;
    source.0.load(Ordering::SeqCst)
}

#[invalidates(alone(id))]
async fn change_alone(id: u64, source: &Source) {
    source.0.fetch_add(1, Ordering::SeqCst);
}

/// A process of a cluster.
struct Keeper {
    pond: Millpond,
    clock: ManualClock,
    source: Source,
}

impl Keeper {
    fn new(cluster: &Cluster) -> Self {
        let clock = ManualClock::new();
        Self {
            pond: cluster
                .builder()
                .budget(BUDGET)
                .clock(clock.clone())
                .build()
                .unwrap(),
            clock,
            source: Source::default(),
        }
    }

    async fn read(&self, id: u64) -> u64 {
        self.pond.scope(number(id, &self.source)).await
    }

    /// Waits until a new value is seen, which nothing but a message can bring about: its clock stands still.
    async fn sees(&self, id: u64) {
        let value = self.source.0.load(Ordering::SeqCst);
        until(async || self.read(id).await == value).await;
    }

    async fn is(&self, state: HealthState) {
        until(async || {
            let health = self.pond.health();
            let backplane = health.backplane();
            backplane.state() == state && backplane.sentence() != "not used"
        })
        .await;
    }

    /// Reads these once the subscription stands, so that they are used as they are from then on.
    async fn trusts(&self, ids: &[u64]) {
        self.read(ids[0]).await;
        self.is(HealthState::Up).await;
        self.clock.advance(DOUBTED);
        for id in ids {
            self.read(*id).await;
        }
        self.clock.advance(DOUBTED);
        let commands = self.pond.stats().commands;
        for id in ids {
            self.read(*id).await;
        }
        assert_eq!(self.pond.stats().commands, commands);
    }
}

/// Those of the ids whose value is on one of these nodes.
async fn on(cluster: &Cluster, nodes: &[usize]) -> Vec<u64> {
    let mut ids = Vec::new();
    for id in IDS {
        let node = cluster.node_of(&format!("number:{id}")).await;
        if nodes.contains(&node) {
            ids.push(id);
        }
    }
    ids
}

#[tokio::test]
async fn what_another_process_invalidates_is_heard_whatever_the_node_of_the_key() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    within_a_minute(async {
        let here = Keeper::new(&cluster);
        let ids: Vec<u64> = IDS.collect();
        for node in 0..3 {
            assert!(!on(&cluster, &[node]).await.is_empty(), "of node {node}");
        }
        here.trusts(&ids).await;
        // It never reads the function.
        let elsewhere = cluster.pond();
        for id in &ids {
            elsewhere.scope(change(*id, &here.source)).await;
            here.sees(*id).await;
        }
        let everything = async {
            here.source.0.fetch_add(1, Ordering::SeqCst);
            number::invalidate_all().await
        };
        elsewhere.scope(everything).await.unwrap();
        for id in &ids {
            here.sees(*id).await;
        }
        // A process that keeps values tells of the tags that it moves.
        let elsewhere = Keeper::new(&cluster);
        elsewhere.trusts(&ids).await;
        for id in &ids {
            elsewhere.pond.scope(change_owner(*id, &here.source)).await;
            here.sees(*id).await;
        }
    })
    .await;
}

#[tokio::test]
async fn where_the_node_of_a_subscription_is_gone_another_one_is_listened_to() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    within_a_minute(async {
        let here = Keeper::new(&cluster);
        // All that belongs to it is there, too.
        let id = on(&cluster, &[1, 2]).await[0];
        let read = || here.pond.scope(alone(id, &here.source));
        let elsewhere = cluster.builder().budget(BUDGET).build().unwrap();
        let change = || elsewhere.scope(change_alone(id, &here.source));
        let trusts = async || {
            read().await;
            here.is(HealthState::Up).await;
            here.clock.advance(DOUBTED);
            read().await;
            here.clock.advance(DOUBTED);
        };
        trusts().await;
        // The first of the addresses is that of the first subscription.
        cluster.kill(0);
        here.is(HealthState::Degraded).await;
        change().await;
        here.clock.advance(DOUBTED);
        let value = here.source.0.load(Ordering::SeqCst);
        assert_eq!(read().await, value, "unheard, but looked up");
        for _ in 0..5 {
            trusts().await;
            change().await;
            let value = here.source.0.load(Ordering::SeqCst);
            until(async || read().await == value).await;
        }
    })
    .await;
}
