//! A body that panics or is cancelled leaves its key usable, and nobody waits for it.

#![cfg(feature = "upstash")]

mod support;

use millpond::{Millpond, cached};
use millpond_gateway::needs_redis;
use support::source::{Source, source};
use support::{gateway, settle, within_a_minute};

#[cached(prefix = "fragile", key = "<id>", skip(source))]
async fn read(id: u32, source: &Source<Option<u32>>) -> Result<u32, std::fmt::Error> {
    Ok(source.answer().await.expect("the test wants a panic"))
}

async fn a_body_that_ends_badly_leaves_its_key_usable(pond: &Millpond) {
    for (id, panics) in [(1, true), (2, false)] {
        let (source, mut bodies) = source();
        let call = || {
            let source = source.clone();
            pond.spawn(async move { read(id, &source).await })
        };
        let first = call();
        let body = bodies.next().await;
        let waiters: Vec<_> = (0..10).map(|_| call()).collect();
        settle().await;
        if panics {
            body.answer(None);
            assert!(first.await.unwrap_err().is_panic());
        } else {
            first.abort();
            assert!(first.await.unwrap_err().is_cancelled());
        }
        // A body that panics is one that failed: two waiters go, each for itself. One takes the place of a
        // caller that went away.
        for _ in 0..if panics { 2 } else { 1 } {
            bodies.next().await.answer(Some(7));
        }
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap(), Ok(7));
        }
        assert_eq!(call().await.unwrap(), Ok(7));
        assert_eq!(bodies.count(), 0);
    }
    assert!(format!("{pond:?}").contains("flights: 0"), "{pond:?}");
}

#[tokio::test]
async fn a_panic_or_a_cancellation_leaves_the_key_usable_in_memory() {
    within_a_minute(a_body_that_ends_badly_leaves_its_key_usable(
        &Millpond::memory(),
    ))
    .await;
}

#[tokio::test]
async fn a_panic_or_a_cancellation_leaves_the_key_usable_over_http() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(a_body_that_ends_badly_leaves_its_key_usable(&pond)).await;
}

#[tokio::test]
async fn a_caller_that_is_cancelled_while_it_reads_hands_over() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(async {
        let (source, mut bodies) = source();
        let call = || {
            let source = source.clone();
            pond.spawn(async move { read(1, &source).await })
        };
        let hold = gateway.hold_before("MGET");
        let first = call();
        hold.arrived().await;
        let waiter = call();
        settle().await;
        first.abort();
        bodies.next().await.answer(Some(7));
        assert_eq!(waiter.await.unwrap(), Ok(7));
        hold.release();
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_is_cancelled_while_it_stores_leaves_a_value_or_none() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(async {
        let (source, mut bodies) = source();
        let call = || {
            let source = source.clone();
            pond.spawn(async move { read(1, &source).await })
        };
        let hold = gateway.hold_before("EVALSHA");
        let first = call();
        bodies.next().await.answer(Some(7));
        hold.arrived().await;
        first.abort();
        hold.release();
        bodies.answer_all(Some(7));
        assert_eq!(call().await.unwrap(), Ok(7));
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_a_call_that_is_kept_but_not_polled_over_http() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = support::pond(&gateway);
    within_a_minute(pond.scope(async {
        let (source, bodies) = source();
        let mut kept = Box::pin(read(1, &source));
        // `select!` lets go of the futures that it owns, but not of one that it borrows.
        tokio::select! {
            biased;
            _ = &mut kept => panic!("the test has not answered"),
            () = settle() => {}
        }
        bodies.answer_all(Some(7));
        assert_eq!(read(1, &source).await, Ok(7));
        drop(kept);
    }))
    .await;
}
