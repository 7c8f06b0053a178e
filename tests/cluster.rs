//! A Redis Cluster of three nodes: calls find their nodes, batches may span them, and what must
//! not run twice does not.

#![cfg(feature = "redis")]

mod support;

use millpond::{ErrorKind, Millpond, Reply};
use millpond_gateway::{Database, needs_redis};
use std::time::Duration;
use support::cluster::{Cluster, answer, id};

const MINUTE: Duration = Duration::from_secs(60);

fn text(text: &str) -> Reply {
    Reply::Bulk(text.to_owned().into())
}

#[tokio::test]
async fn values_guards_scripts_and_pipelines_work_on_a_cluster() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    for n in 0..50 {
        let key = format!("key-{n}");
        let loaded = async || Ok::<_, std::io::Error>(n);
        assert_eq!(
            pond.get_or_set(key.as_str(), MINUTE, loaded).await.unwrap(),
            n
        );
        assert_eq!(pond.get(key.as_str()).await.unwrap(), Some(n));
        pond.set(key.as_str(), &(n + 1), MINUTE).await.unwrap();
        assert_eq!(pond.get(key.as_str()).await.unwrap(), Some(n + 1));
        assert!(pond.delete(key.as_str()).await.unwrap());
    }
    let replies = (0..9).fold(pond.pipeline(), |all, n| {
        let key = format!("slot-{n}");
        all.command(["SET".to_owned(), key.clone(), n.to_string()])
            .command(["HGET".to_owned(), key.clone(), "f".to_owned()])
            .command(["INCR".to_owned(), key])
    });
    for (n, replies) in replies.send().await.chunks(3).enumerate() {
        assert_eq!(replies[0].as_ref().unwrap(), &text("OK"));
        assert_eq!(
            replies[1].as_ref().unwrap_err().kind(),
            ErrorKind::WrongType
        );
        assert_eq!(
            replies[2].as_ref().unwrap(),
            &Reply::Int(i64::try_from(n).unwrap() + 1)
        );
    }
    let spread = pond.command(["MGET", "slot-0", "slot-1", "slot-2"]).await;
    assert_eq!(
        spread.unwrap(),
        Reply::Array(["1", "2", "3"].map(text).into())
    );
    let crossed = pond.command(["RENAME", "slot-0", "slot-1"]).await;
    assert!(crossed.unwrap_err().to_string().contains("CROSSSLOT"));
}

#[tokio::test]
async fn what_takes_several_keys_finds_all_their_nodes() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    let keys: Vec<String> = (0..20).map(|n| format!("many-{n}")).collect();
    let entries = keys.iter().zip(0..).collect::<Vec<(&String, u32)>>();
    pond.set_many(entries, MINUTE).await.unwrap();
    let found: Vec<Option<u32>> = pond.get_many(&keys).await.unwrap();
    assert_eq!(found, (0..20).map(Some).collect::<Vec<_>>());
    assert_eq!(pond.delete_many(&keys).await.unwrap(), 20);

    for n in 0..10 {
        let counter = format!("counter-{n}");
        assert_eq!(pond.increment(&counter, 2, MINUTE).await.unwrap(), 2);
        let hash = pond.hash(format!("hash-{n}")).expires_in(MINUTE);
        hash.set("field", &n).await.unwrap();
        assert_eq!(hash.get("field").await.unwrap(), Some(n));
        let lock = pond.lock(format!("lock-{n}"), MINUTE).await.unwrap();
        assert!(pond.try_lock(lock.key(), MINUTE).await.unwrap().is_none());
        assert!(lock.release().await.unwrap());
        let sessions = pond.sessions::<u32>(MINUTE);
        let old = sessions.create(&n).await.unwrap();
        let new = sessions.rotate(&old).await.unwrap().unwrap();
        assert_eq!(sessions.get(&new).await.unwrap(), Some(n));
        assert_eq!(sessions.get(&old).await.unwrap(), None);
        assert_eq!(sessions.rotate(&old).await.unwrap(), None);
    }

    let transaction = pond.transaction().command(["INCR", "{a}:1"]);
    let results = transaction.command(["INCR", "{a}:2"]).send().await.unwrap();
    assert!(results.iter().all(|result| *result == Ok(Reply::Int(1))));
    let crossed = pond.transaction().command(["INCR", "slot-0"]);
    let crossed = crossed.command(["INCR", "slot-1"]).send().await;
    assert!(crossed.is_err());
    let everywhere = pond.invalidate_pattern("many-*").await.unwrap_err();
    assert_eq!(everywhere.kind(), ErrorKind::Unsupported);
    assert!(
        everywhere.to_string().contains("delete_many"),
        "{everywhere}"
    );
}

#[tokio::test]
async fn a_slot_that_moved_is_followed() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    // Slot 12182, on the third node.
    pond.command(["INCR", "foo"]).await.unwrap();
    pond.delete("foo").await.unwrap();
    pond.command(["DEL", "foo", "{foo}:guard"]).await.unwrap();
    let first = cluster.ports[0];
    let id = &id(first).await;
    for port in cluster.ports {
        answer(port, &["CLUSTER", "SETSLOT", "12182", "NODE", id], "OK").await;
    }
    for wanted in 1..4 {
        assert_eq!(
            pond.command(["INCR", "foo"]).await.unwrap(),
            Reply::Int(wanted)
        );
    }
    pond.set("foo", &5, MINUTE).await.unwrap();
    assert_eq!(pond.get("foo").await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_node_that_is_gone_fails_what_is_on_it_and_nothing_else() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = Millpond::builder()
        .redis_cluster(
            cluster
                .ports
                .map(|port| format!("redis://127.0.0.1:{port}")),
        )
        .budget(Duration::from_secs(2))
        .retries(1)
        .build()
        .unwrap();
    // "bar" is in slot 5061, on the first node; "foo" on the third.
    pond.command(["INCR", "foo"]).await.unwrap();
    pond.command(["INCR", "bar"]).await.unwrap();
    cluster.kill(2);
    let error = pond.command(["INCR", "foo"]).await.unwrap_err();
    let lost = [
        ErrorKind::OutcomeUnknown,
        ErrorKind::Unavailable,
        ErrorKind::Timeout,
    ];
    assert!(lost.contains(&error.kind()), "{error:?}");
    assert_eq!(pond.command(["INCR", "bar"]).await.unwrap(), Reply::Int(2));
}

/// Node by node: one refuses, which is certain, and the next one dies before it answers.
#[tokio::test]
async fn values_that_were_stored_perhaps_are_invalidated_whatever_became_of_the_others() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    // In the first and the second range of slots.
    let entries = ["price:{b}", "price:{c}"].map(|key| (key, 1));
    pond.set_many(entries, MINUTE).await.unwrap();
    let [full, dying, _] = cluster.ports.map(|port| Database::at(port, 0));
    let no_room = ["CONFIG", "SET", "maxmemory", "1"];
    full.command(no_room).await.unwrap();
    let silence = ["CLIENT", "PAUSE", "60000", "WRITE"];
    dying.command(silence).await.unwrap();
    let storing = pond.spawn({
        let pond = pond.clone();
        async move { pond.set_many(entries, MINUTE).await }
    });
    let info = ["INFO", "clients"];
    answer(cluster.ports[1], &info, "blocked_clients:1").await;
    cluster.kill(1);
    let error = storing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert_eq!(pond.stats().pending_invalidations, 2);
}

#[millpond::tag("org:<id>")]
fn org(id: u32) -> millpond::Tag;

#[millpond::cached(prefix = "grouped", key = "<id>", tags(org(id % 2), "all"))]
async fn grouped(id: u32) -> u32 {
    id
}

#[millpond::updates(grouped(id), org(id % 2))]
async fn change_group(id: u32) -> u32 {
    id + 100
}

/// The tags are in other slots than the values.
#[tokio::test]
async fn tags_work_across_slots() {
    let _ = needs_redis!();
    let cluster = Cluster::start().await;
    let pond = cluster.pond();
    let loads = || pond.stats().prefix("grouped").loads;
    pond.scope(async {
        for _ in ["load", "hit"] {
            for id in 0..20 {
                assert_eq!(grouped(id).await, id);
            }
        }
        assert_eq!(loads(), 20);
        org::invalidate(1).await.unwrap();
        for id in 0..20 {
            grouped(id).await;
        }
        assert_eq!(loads(), 30);
        grouped::entry(2).put(&7).await.unwrap();
        assert_eq!(grouped(2).await, 7);
        // One script cannot move the tag together with the value: both are invalidated.
        change_group(2).await;
        assert_eq!(grouped(2).await, 2);
        millpond::Tag::new("all").invalidate().await.unwrap();
        for id in 0..20 {
            grouped(id).await;
        }
        assert_eq!(loads(), 51);
        let left = pond.command(["PTTL", "@tag:org:1"]).await.unwrap();
        let left: u64 = left.parse().unwrap();
        assert!(left > 240_000);
        // Asked for later, so that the time in between counts for the tag.
        let of_value = pond.command(["PTTL", "grouped:1"]).await.unwrap();
        assert!(left >= of_value.parse().unwrap(), "as long as the value");
    })
    .await;
}
