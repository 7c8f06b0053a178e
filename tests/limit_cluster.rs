//! Limits on Redis Cluster: budgets of different callers are on different nodes, so they are taken in turn and given back
//! if a later one refuses. Never are too many admitted.

#![cfg(feature = "redis")]

mod support;

use futures_util::future::join_all;
use millpond::limit::{Limit, Limiter, Outcome};
use millpond::{Builder, ManualClock, Millpond, RateLimited, Reply, rate_limited};
use millpond_gateway::{Database, needs_redis};
use std::time::Duration;
use support::cluster::{Cluster, answer};

const MINUTE: Duration = Duration::from_secs(60);
const OWN: Limit = Limit::sliding_window("OWN", 5, MINUTE);
const BATCH: Limit = Limit::token_bucket("BATCH", 5, MINUTE, 5);
const TEAM: Limit = Limit::fixed_window("TEAM", 3, MINUTE);
const ALL: Limit = Limit::fixed_window("ALL", 3, MINUTE);

fn builder(cluster: &Cluster) -> Builder {
    let nodes = cluster
        .ports
        .map(|port| format!("redis://127.0.0.1:{port}"));
    Millpond::builder()
        .redis_cluster(nodes)
        .clock(ManualClock::new())
        .budget(MINUTE)
        .limit_budget(Duration::from_secs(5))
}

async fn left(limiter: &Limiter, id: &str) -> Option<u64> {
    limiter.peek(id).await.unwrap().remaining()
}

/// How many scripts the nodes have run.
async fn scripts(cluster: &Cluster) -> u64 {
    let mut sum = 0;
    for port in cluster.ports {
        let stats = Database::at(port, 0)
            .command(["INFO", "commandstats"])
            .await;
        let stats = stats.unwrap().text().unwrap();
        let calls = stats.lines().filter_map(|line| {
            let line = line.strip_prefix("cmdstat_eval")?;
            let (_, calls) = line.split_once(":calls=")?;
            calls.split(',').next()?.parse::<u64>().ok()
        });
        sum += calls.sum::<u64>();
    }
    sum
}

/// Two identifiers that are on different nodes.
async fn slots_differ(pond: &Millpond, one: &str, other: &str) -> bool {
    let slot = async |id: &str| {
        let command = ["CLUSTER".to_owned(), "KEYSLOT".to_owned(), id.to_owned()];
        pond.command(command).await.unwrap()
    };
    let (Reply::Int(one), Reply::Int(other)) = (slot(one).await, slot(other).await) else {
        return false;
    };
    one / 5461 != other / 5461
}

#[tokio::test]
async fn pairs_on_different_nodes_are_all_taken_or_none() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = builder(&cluster).build().unwrap();
    assert!(slots_differ(&pond, "ada", "pond").await);
    let (own, batch, team) = (
        pond.limiter(&OWN),
        pond.limiter(&BATCH),
        pond.limiter(&TEAM),
    );
    let together = own.clone().and(&BATCH).and_for(&TEAM, "pond");
    for taken in 1..=3 {
        let decision = together.check("ada").await.unwrap();
        assert_eq!(decision.outcome(), Outcome::Allowed);
        assert_eq!(
            decision.remaining(),
            Some(3 - taken),
            "the strictest is told"
        );
        assert_eq!(decision.kind(), "TEAM");
    }
    // The team has none left: what was taken before on another node goes back, window and bucket.
    for _ in 0..4 {
        let refused = together.check("ada").await.unwrap();
        assert_eq!(
            (refused.outcome(), refused.kind()),
            (Outcome::Refused, "TEAM".into())
        );
        assert_eq!(left(&own, "ada").await, Some(2));
        assert_eq!(left(&batch, "ada").await, Some(2));
    }
    // A caller who is refused first costs the others nothing.
    let other = pond.limiter(&OWN).and_for(&TEAM, "other team");
    assert!(own.check_n("ada", 2).await.unwrap().is_allowed());
    assert!(!other.check("ada").await.unwrap().is_allowed());
    assert_eq!(left(&team, "other team").await, Some(3));
}

#[tokio::test]
async fn what_one_caller_has_on_one_node_is_one_script() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = builder(&cluster).build().unwrap();
    let limiter = pond.limiter(&OWN).and(&BATCH);
    limiter.check("ada").await.unwrap();
    // So that both nodes know the script.
    pond.limiter(&TEAM).check("pond").await.unwrap();
    let before = scripts(&cluster).await;
    limiter.check("ada").await.unwrap();
    assert_eq!(scripts(&cluster).await - before, 1);
    let before = scripts(&cluster).await;
    let limiter = limiter.and_for(&TEAM, "pond");
    limiter.check("ada").await.unwrap();
    assert_eq!(scripts(&cluster).await - before, 2);
    // The sender is the receiver: one counter, with the sum.
    let message = pond.limiter(&OWN).and_for(&OWN, "grace");
    let before = scripts(&cluster).await;
    for expected in [true, true, false] {
        let decision = message.check("grace").await.unwrap();
        assert_eq!(decision.is_allowed(), expected);
    }
    assert_eq!(scripts(&cluster).await - before, 3);
    assert_eq!(left(&pond.limiter(&OWN), "grace").await, Some(1));
}

#[rate_limited(kind = ALL)]
#[rate_limited(kind = OWN, id = user)]
async fn export(user: &str) -> Result<(), RateLimited> {
    Ok(())
}

#[tokio::test]
async fn attributes_take_what_all_share_last() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = builder(&cluster).build().unwrap();
    pond.scope(async {
        pond.limiter(&OWN).check_n("mallory", 5).await.unwrap();
        let before = scripts(&cluster).await;
        for _ in 0..20 {
            export("mallory").await.unwrap_err();
        }
        // Not even for a moment did the refused caller hold a unit of the budget that everybody has.
        assert_eq!(
            scripts(&cluster).await - before,
            1,
            "and then the refusal is known"
        );
        for user in ["ada", "grace", "joan"] {
            export(user).await.unwrap();
        }
        let refused = export("edith").await.unwrap_err();
        assert_eq!(refused.decision().kind(), "ALL");
        assert_eq!(left(&pond.limiter(&OWN), "edith").await, Some(5));
    })
    .await;
}

#[tokio::test]
async fn many_tasks_of_two_processes_never_pass_more_than_either_limit() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let ponds = [0, 1].map(|_| builder(&cluster).limit_block_cache(false).build().unwrap());
    let check = async |at: usize| {
        let user = format!("user-{}", at % 4);
        let limiter = ponds[at % 2].limiter(&OWN).and_for(&TEAM, "pond");
        let decision = limiter.check(&user).await.unwrap();
        assert_ne!(decision.outcome(), Outcome::Degraded, "{decision:?}");
        usize::from(decision.is_allowed())
    };
    let admitted: usize = join_all((0..100).map(check)).await.into_iter().sum();
    assert!(admitted <= 3, "{admitted}");
    // Everything that was refused has come back: the books are even.
    let mut own = 0;
    for user in 0..4 {
        let left = left(&ponds[0].limiter(&OWN), &format!("user-{user}")).await;
        own += 5 - left.unwrap();
    }
    let team = 3 - left(&ponds[0].limiter(&TEAM), "pond").await.unwrap();
    let admitted = u64::try_from(admitted).unwrap();
    assert_eq!((own, team), (admitted, admitted));
}

#[tokio::test]
async fn a_refund_reaches_every_node_once_and_a_reset_too() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = builder(&cluster).build().unwrap();
    let (own, batch, team) = (
        pond.limiter(&OWN),
        pond.limiter(&BATCH),
        pond.limiter(&TEAM),
    );
    let together = own.clone().and(&BATCH).and_for(&TEAM, "pond");
    let decision = together.check_n("ada", 3).await.unwrap();
    let all = async || {
        [
            left(&own, "ada").await,
            left(&batch, "ada").await,
            left(&team, "pond").await,
        ]
    };
    assert_eq!(all().await, [Some(2), Some(2), Some(0)]);
    together.refund_n(&decision, 1).await.unwrap();
    assert_eq!(all().await, [Some(3), Some(3), Some(1)]);
    for _ in 0..2 {
        together.refund(&decision).await.unwrap();
        assert_eq!(all().await, [Some(5), Some(5), Some(3)]);
    }
    together.check_n("ada", 3).await.unwrap();
    together.reset("ada").await.unwrap();
    assert_eq!(all().await, [Some(5), Some(5), Some(3)]);
}

/// The node of the second turn takes no writes: what became of its take is unknown.
#[tokio::test]
async fn a_take_of_unknown_outcome_is_not_given_back_and_what_was_taken_before_is() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let strict =
        Limit::fixed_window("STRICT", 3, MINUTE).on_outage(millpond::limit::OnOutage::Deny);
    let pond = builder(&cluster)
        .limit_budget(Duration::from_secs(1))
        .build()
        .unwrap();
    let own = pond.limiter(&OWN);
    // "pond" is on another node than "ada".
    let together = own.clone().and_for(&strict, "pond");
    together.check("ada").await.unwrap();
    let Reply::Int(slot) = pond.command(["CLUSTER", "KEYSLOT", "pond"]).await.unwrap() else {
        panic!("a slot is a number");
    };
    let port = cluster.ports[usize::try_from(slot).unwrap() / 5461];
    let node = Database::at(port, 0);
    node.command(["CLIENT", "PAUSE", "60000", "WRITE"])
        .await
        .unwrap();
    let checking = pond.spawn({
        let together = together.clone();
        async move { together.check("ada").await }
    });
    answer(port, &["INFO", "clients"], "blocked_clients:1").await;
    let decision = checking.await.unwrap().unwrap();
    assert_eq!(decision.outcome(), Outcome::Degraded);
    assert!(!decision.is_allowed());
    assert_eq!(
        left(&own, "ada").await,
        Some(4),
        "one of the first call, none of the second"
    );
    node.command(["CLIENT", "UNPAUSE"]).await.unwrap();
    // It arrives after all, and nobody takes it back: rather one too few than one too many.
    answer(
        port,
        &["GET", "@upstash/ratelimit:STRICT:{pond}:29453760"],
        "2",
    )
    .await;
    assert_eq!(left(&pond.limiter(&strict), "pond").await, Some(1));
}
