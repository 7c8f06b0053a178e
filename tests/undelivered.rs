//! Invalidations that cannot be delivered when they are made: they are kept, the old value is not
//! believed meanwhile, and they arrive when the server is back.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ErrorKind, ManualClock, Millpond, cached, invalidates, updates};
use millpond_gateway::{Database, Fault, Gateway, Matcher, Reply, Request, needs_redis};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{builder, gateway, within_a_minute};

#[cached(prefix = "kept", key = "<id>", skip(row))]
async fn read(id: u32, row: &AtomicU32) -> u32 {
    row.load(Ordering::SeqCst)
}

#[invalidates(read(id))]
async fn change(id: u32, row: &AtomicU32) -> Result<u32, std::fmt::Error> {
    Ok(row.fetch_add(1, Ordering::SeqCst) + 1)
}

#[invalidates(read(1), read(2))]
async fn change_both() {}

#[updates(read(id))]
async fn replace(id: u32, row: &AtomicU32) -> u32 {
    row.fetch_add(1, Ordering::SeqCst) + 1
}

/// A cache that gives up at once: the tests are about what comes after that.
fn pond(gateway: &Gateway) -> Millpond {
    builder(gateway).retries(0).build().unwrap()
}

async fn stored(database: &Database) -> Option<String> {
    database.command(["GET", "kept:1"]).await.unwrap().text()
}

/// Whether a request invalidates: by two plain commands the first time, by a script from then on.
fn is_invalidation(request: &Request) -> bool {
    let mut arguments = request.commands.iter().flatten();
    request.has_command("DEL") || arguments.any(|argument| argument.ends_with(":doubt"))
}

/// An overloaded server: no invalidation gets through, reads of other keys would.
fn refuse_invalidations(gateway: &Gateway) {
    let invalidations = Matcher::when(is_invalidation);
    gateway.inject(invalidations.always(), Fault::status(503));
}

#[tokio::test]
async fn the_old_value_is_not_believed_until_its_invalidation_is_through() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let clock = ManualClock::new();
    let builder = builder(&gateway).retries(0).clock(clock.clone());
    let pond = builder.build().unwrap();
    let row = AtomicU32::new(1);
    within_a_minute(pond.scope(async {
        assert_eq!(read(1, &row).await, 1);
        refuse_invalidations(&gateway);
        assert_eq!(change(1, &row).await, Ok(2));
        assert_eq!(stored(gateway.database()).await.as_deref(), Some("1"));
        assert_eq!(pond.stats().pending_invalidations, 1);
        // The server would say 1.
        assert_eq!(read(1, &row).await, 2);
        let error = pond.get::<u32>("kept:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.may_have_run(), "a read changes nothing: {error}");
        let error = pond.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.may_have_run(), "{error}");
        gateway.heal();
        // Past the time for which nobody asks a server that fails.
        clock.advance(Duration::from_secs(60));
        assert_eq!(read(1, &row).await, 2);
        assert_eq!(pond.stats().pending_invalidations, 0);
        assert_eq!(stored(gateway.database()).await.as_deref(), Some("2"));
    }))
    .await;
}

#[tokio::test]
async fn it_is_delivered_in_the_background_when_the_server_is_back() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let row = AtomicU32::new(1);
    within_a_minute(pond.scope(async {
        assert_eq!(read(1, &row).await, 1);
        gateway.refuse().await;
        assert_eq!(change(1, &row).await, Ok(2));
        assert_eq!(pond.stats().pending_invalidations, 1);
        gateway.clear();
        gateway.accept().await;
        gateway
            .wait_for(|requests| requests.iter().any(is_invalidation))
            .await;
        // Not until the gateway is idle: a server that does not know the script yet is asked twice.
        while pond.stats().pending_invalidations > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(stored(gateway.database()).await, None);
    }))
    .await;
}

#[tokio::test]
async fn flush_delivers_what_waits() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let row = AtomicU32::new(1);
    within_a_minute(pond.scope(async {
        assert_eq!(read(1, &row).await, 1);
        refuse_invalidations(&gateway);
        let error = pond.delete("kept:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
        gateway.heal();
        pond.flush().await.unwrap();
        assert_eq!(stored(gateway.database()).await, None);
        assert_eq!(pond.stats().pending_invalidations, 0);
    }))
    .await;
}

#[tokio::test]
async fn an_update_that_cannot_be_stored_is_an_invalidation_that_waits() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let row = AtomicU32::new(1);
    within_a_minute(pond.scope(async {
        assert_eq!(read(1, &row).await, 1);
        gateway.refuse().await;
        assert_eq!(replace(1, &row).await, 2);
        assert_eq!(pond.stats().pending_invalidations, 1);
        assert_eq!(read(1, &row).await, 2);
        gateway.accept().await;
        pond.flush().await.unwrap();
        assert_ne!(stored(gateway.database()).await.as_deref(), Some("1"));
    }))
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_away_during_the_invalidation_does_not_stop_it() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    within_a_minute(pond.scope(async {
        let row = std::sync::Arc::new(AtomicU32::new(1));
        assert_eq!(read(1, &row).await, 1);
        let hold = gateway.hold_before("DEL");
        let caller = pond.spawn({
            let row = row.clone();
            async move { change(1, &row).await }
        });
        hold.arrived().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(pond.stats().pending_invalidations, 1);
        // The request is on its way, but nobody knows whether it arrives.
        hold.fail(Fault::ResetBefore);
        assert_eq!(read(1, &row).await, 2);
        pond.flush().await.unwrap();
        assert_ne!(stored(gateway.database()).await.as_deref(), Some("1"));
    }))
    .await;
}

#[tokio::test]
async fn one_key_that_cannot_be_invalidated_does_not_hold_up_the_others() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    within_a_minute(async {
        for key in ["kept:1", "kept:2"] {
            pond.set(key, &1, millpond::ttl::LONG).await.unwrap();
        }
        let refused =
            Fault::json(r#"[{"result":"OK"},{"error":"ERR no"},{"result":"OK"},{"result":1}]"#);
        gateway.inject("DEL", refused);
        pond.scope(change_both()).await;
        assert_eq!(pond.stats().pending_invalidations, 1);
        pond.flush().await.unwrap();
        assert_eq!(stored(gateway.database()).await, None);
        let reply = gateway
            .database()
            .command(["EXISTS", "kept:2"])
            .await
            .unwrap();
        assert_eq!(reply, Reply::Int(1), "the answer for it was made up");
    })
    .await;
}

#[tokio::test]
async fn an_invalidation_for_which_there_is_no_room_in_the_queue_waits() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let row = AtomicU32::new(1);
    within_a_minute(pond.scope(async {
        assert_eq!(read(1, &row).await, 1);
        // A server so slow that 64 MiB wait for it.
        let hold = gateway.hold_before(Matcher::argument("{large:0}:guard"));
        let value = "v".repeat(3 << 20);
        let sets: Vec<_> = (0..30)
            .map(|n| {
                let (pond, value) = (pond.clone(), value.clone());
                pond.clone().spawn(async move {
                    let key = format!("large:{n}");
                    pond.set(key, &value, millpond::ttl::SHORT).await
                })
            })
            .collect();
        hold.arrived().await;
        support::settle().await;
        assert_eq!(change(1, &row).await, Ok(2));
        let refused = pond.delete("kept:1").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused}");
        assert!(pond.stats().pending_invalidations > 0);
        assert_eq!(stored(gateway.database()).await.as_deref(), Some("1"));
        // The server would say 1.
        assert_eq!(read(1, &row).await, 2);
        hold.release();
        let mut refusals = 0;
        for set in sets {
            refusals += u32::from(set.await.unwrap().is_err());
        }
        assert!((1..30).contains(&refusals), "{refusals}");
        pond.flush().await.unwrap();
        assert_eq!(pond.stats().pending_invalidations, 0);
        assert_ne!(stored(gateway.database()).await.as_deref(), Some("1"));
    }))
    .await;
}
