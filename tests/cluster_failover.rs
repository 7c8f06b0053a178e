//! Nodes of a cluster that die, hand over, or give a slot away: what is sent finds the node that has the slot now,
//! and no caller is shown a redirection.

#![cfg(feature = "redis")]

mod support;

use millpond::limit::{Limit, OnOutage};
use millpond::{ErrorKind, Millpond, Reply};
use millpond_gateway::{Database, needs_redis};
use std::time::Duration;
use support::cluster::{Cluster, answer, id};
use support::within_a_minute;

const MINUTE: Duration = Duration::from_secs(60);

/// Everything that a service does, with keys in the slot of "foo", which is on the third node.
async fn everything_works(pond: &Millpond, round: i64) {
    assert_eq!(pond.increment("{foo}:n", 1, MINUTE).await.unwrap(), round);
    pond.set("{foo}:value", &round, MINUTE).await.unwrap();
    assert_eq!(pond.get("{foo}:value").await.unwrap(), Some(round));
    let load = async || Ok::<_, std::io::Error>(7);
    let loaded = pond.get_or_set("{foo}:loaded", MINUTE, load).await.unwrap();
    assert_eq!(loaded, 7);
    assert!(pond.delete("{foo}:loaded").await.unwrap());
    let hash = pond.hash("{foo}:hash");
    hash.set("field", &round).await.unwrap();
    assert_eq!(hash.get("field").await.unwrap(), Some(round));
    let limit = Limit::fixed_window("FAILOVER", 1_000, MINUTE).on_outage(OnOutage::Deny);
    let decision = pond.limiter(&limit).check("{foo}").await.unwrap();
    assert!(decision.is_allowed());
    let lock = pond.lock("{foo}:lock", MINUTE).await.unwrap();
    assert!(lock.release().await.unwrap());
    let both = pond.transaction().command(["INCR", "{foo}:a"]);
    let both = both.command(["INCR", "{foo}:b"]).send().await.unwrap();
    assert_eq!(both[1], Ok(Reply::Int(round)));
    let several = pond.pipeline().command(["INCR", "{foo}:p"]);
    let several = several.command(["INCR", "bar"]).send().await;
    assert_eq!(several, [Ok(Reply::Int(round)), Ok(Reply::Int(round))]);
}

/// Waits until a replica has all that its master has acknowledged.
async fn in_step(master: u16, replica: u16) {
    let offset = async |port: u16, name: &str| {
        let reply = Database::at(port, 0).command(["INFO", "replication"]).await;
        let text = reply.unwrap().text().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::to_owned)
    };
    let wait = async {
        while offset(master, "master_repl_offset:").await
            != offset(replica, "slave_repl_offset:").await
        {
            tokio::task::yield_now().await;
        }
    };
    within_a_minute(wait).await;
}

#[tokio::test]
async fn after_a_master_died_its_replica_is_found() {
    let _ = needs_redis!();
    let mut cluster = Cluster::start().await;
    let replica = cluster.replica_of(2).await;
    let pond = cluster.pond();
    everything_works(&pond, 1).await;
    in_step(cluster.ports[2], replica).await;
    cluster.kill(2);
    // Until a replica takes over, nobody has the slot.
    let impatient = Millpond::builder()
        .redis_cluster(
            cluster
                .ports
                .map(|port| format!("redis://127.0.0.1:{port}")),
        )
        .budget(Duration::from_secs(1))
        .retries(1)
        .build()
        .unwrap();
    let error = impatient.get::<i64>("{foo}:value").await.unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Server, "{error}");
    answer(replica, &["CLUSTER", "FAILOVER", "TAKEOVER"], "OK").await;
    let id = id(replica).await;
    for port in &cluster.ports[..2] {
        answer(
            *port,
            &["CLUSTER", "NODES"],
            &format!("{id} 127.0.0.1:{replica}"),
        )
        .await;
        answer(*port, &["CLUSTER", "SLOTS"], &id).await;
    }
    within_a_minute(async {
        for round in 2..6 {
            everything_works(&pond, round).await;
        }
        let again = impatient.get::<i64>("{foo}:value").await;
        assert_eq!(again.unwrap(), Some(5));
    })
    .await;
}

#[tokio::test]
async fn a_master_that_handed_over_is_left_at_once() {
    let _ = needs_redis!();
    let mut cluster = Cluster::start().await;
    let replica = cluster.replica_of(2).await;
    let pond = cluster.pond();
    everything_works(&pond, 1).await;
    let mut nodes = [replica, cluster.ports[2]];
    for round in 2..6 {
        in_step(nodes[1], nodes[0]).await;
        // The other stays up, and so do its connections.
        answer(nodes[0], &["CLUSTER", "FAILOVER", "TAKEOVER"], "OK").await;
        answer(nodes[1], &["INFO", "replication"], "master_link_status:up").await;
        within_a_minute(everything_works(&pond, round)).await;
        nodes.reverse();
    }
}

#[tokio::test]
async fn a_slot_that_is_on_its_way_is_asked_for_where_it_goes() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    assert_eq!(pond.command(["INCR", "foo"]).await.unwrap(), Reply::Int(1));
    let [first, _, third] = cluster.ports;
    let (to, from) = (id(first).await, id(third).await);
    answer(
        first,
        &["CLUSTER", "SETSLOT", "12182", "IMPORTING", &from],
        "OK",
    )
    .await;
    answer(
        third,
        &["CLUSTER", "SETSLOT", "12182", "MIGRATING", &to],
        "OK",
    )
    .await;
    within_a_minute(async {
        // This key is there still, and that one is new: the third node says to ask the first for it.
        assert_eq!(pond.command(["INCR", "foo"]).await.unwrap(), Reply::Int(2));
        for wanted in 1..4 {
            let count = pond.command(["INCR", "{foo}:new"]).await.unwrap();
            assert_eq!(count, Reply::Int(wanted));
        }
        let two = pond.pipeline().command(["INCR", "{foo}:new"]);
        let two = two.command(["INCR", "{foo}:newer"]).send().await;
        assert_eq!(two, [Ok(Reply::Int(4)), Ok(Reply::Int(1))]);
        let both = pond.transaction().command(["INCR", "{foo}:new"]);
        let both = both.command(["INCR", "{foo}:new"]).send().await.unwrap();
        assert_eq!(both[1], Ok(Reply::Int(6)));
    })
    .await;
    // Now it has arrived.
    let moved = [
        "MIGRATE",
        "127.0.0.1",
        &first.to_string(),
        "foo",
        "0",
        "60000",
    ];
    answer(third, &moved, "OK").await;
    for port in cluster.ports {
        answer(port, &["CLUSTER", "SETSLOT", "12182", "NODE", &to], "OK").await;
    }
    within_a_minute(async {
        assert_eq!(pond.command(["INCR", "foo"]).await.unwrap(), Reply::Int(3));
        assert_eq!(pond.increment("{foo}:n", 1, MINUTE).await.unwrap(), 1);
        pond.set("{foo}:value", &1, MINUTE).await.unwrap();
        assert_eq!(pond.get("{foo}:value").await.unwrap(), Some(1));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_unknown_after_idle_connections_to_nodes_were_closed() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    let kill = ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"];
    within_a_minute(async {
        for round in 1..=20 {
            for key in ["foo", "bar", "baz"] {
                let count = pond.increment(key, 1, MINUTE).await;
                assert_eq!(count.unwrap(), round, "{key}");
            }
            for port in cluster.ports {
                Database::at(port, 0).command(kill).await.unwrap();
            }
        }
    })
    .await;
}
