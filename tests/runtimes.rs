//! One process with several Tokio runtimes over HTTP, one of them idle, one dropped; and calls
//! outside any runtime. Nothing hangs.

#![cfg(feature = "upstash")]

mod support;

use futures_util::FutureExt;
use millpond::{ErrorKind, Millpond, cached, invalidates, ttl};
use millpond_gateway::{Gateway, Matcher, Reply, needs_redis};
use std::sync::atomic::{AtomicU32, Ordering};
use support::log::Log;
use support::source::{Source, source};
use support::{gateway, settle, within_a_minute};
use tokio::runtime::{Builder, Runtime};

#[cached(prefix = "runtime", key = "<id>", skip(bodies))]
async fn read(id: u32, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[cached(prefix = "slow", key = "<id>", skip(source))]
async fn read_slowly(id: u32, source: &Source<u32>) -> u32 {
    source.answer().await
}

#[invalidates(read(id))]
async fn change(id: u32) {}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn several() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Uses the cache in all ways on this runtime.
fn use_cache(runtime: &Runtime, pond: &Millpond, id: u32) {
    let bodies = AtomicU32::new(7);
    runtime.block_on(within_a_minute(pond.scope(async {
        assert_eq!(read(id, &bodies).await, 7);
        assert_eq!(read(id, &bodies).await, 7);
        change(id).await;
        assert_eq!(read(id, &bodies).await, 8);
        pond.set("runtime:direct", &id, ttl::SHORT).await.unwrap();
        assert_eq!(pond.get("runtime:direct").await.unwrap(), Some(id));
    })));
}

#[test]
fn an_idle_runtime_and_a_dropped_one_hold_up_nobody() {
    let redis = needs_redis!();
    for make in [single, several] {
        let (idle, other) = (make(), make());
        let gateway = other.block_on(gateway(redis));
        let pond = support::pond(&gateway);
        use_cache(&idle, &pond, 1);
        // Its connection stands in a pool, and nobody drives it.
        use_cache(&other, &pond, 2);
        let dropped = make();
        use_cache(&dropped, &pond, 3);
        drop(dropped);
        use_cache(&other, &pond, 4);
        use_cache(&idle, &pond, 5);
        assert_eq!(pond.stats().cache.errors, 0);
    }
}

/// A caller on `runtime` whose read never comes back while the runtime is left alone.
fn leave_in_the_middle_of_a_read(runtime: &Runtime, gateway: &Gateway, pond: &Millpond) {
    let hold = gateway.hold(Matcher::command("MGET"));
    runtime.block_on(async {
        let (source, _bodies) = source();
        pond.spawn(async move { read_slowly(1, &source).await });
        hold.arrived().await;
    });
}

#[test]
fn a_load_on_a_runtime_that_is_left_alone_is_taken_over() {
    let redis = needs_redis!();
    for dropped in [false, true] {
        let (left, other) = (single(), single());
        let gateway = other.block_on(gateway(redis));
        let pond = support::pond(&gateway);
        leave_in_the_middle_of_a_read(&left, &gateway, &pond);
        let left = (!dropped).then_some(left);
        other.block_on(within_a_minute(pond.scope(async {
            let (source, bodies) = source();
            bodies.answer_all(9);
            assert_eq!(read_slowly(1, &source).await, 9);
            assert_eq!(pond.get::<u32>("slow:1").await.unwrap(), Some(9));
        })));
        drop(left);
    }
}

#[test]
fn a_waiter_takes_over_when_the_runtime_of_its_leader_is_dropped() {
    let redis = needs_redis!();
    let (leading, other) = (several(), single());
    let gateway = other.block_on(gateway(redis));
    let pond = support::pond(&gateway);
    let (source, mut bodies) = source();
    let lead = source.clone();
    leading.spawn(pond.scope(async move { read_slowly(1, &lead).await }));
    let kept = other.block_on(bodies.next());
    let waiter = other.spawn(pond.scope(async move { read_slowly(1, &source).await }));
    other.block_on(settle());
    leading.shutdown_background();
    other.block_on(within_a_minute(async {
        bodies.answer_all(9);
        assert_eq!(waiter.await.unwrap(), 9);
    }));
    drop(kept);
}

#[test]
fn requests_of_a_runtime_that_is_dropped_leave_nobody_waiting_for_an_answer() {
    let redis = needs_redis!();
    let other = single();
    let gateway = other.block_on(gateway(redis));
    let pond = support::pond(&gateway);
    let hold = gateway.hold_before(Matcher::any().always());
    let dropped = several();
    let calls: Vec<_> = (0..20)
        .map(|id| {
            let pond = pond.clone();
            dropped.spawn(async move { pond.get::<u32>(format!("runtime:{id}")).await })
        })
        .collect();
    other.block_on(hold.arrived());
    dropped.shutdown_background();
    other.block_on(within_a_minute(async {
        for call in calls {
            // Cancelled with its runtime, or told that the runtime is gone; only the waiting must
            // not go on.
            match call.await {
                Ok(answer) => assert!(answer.is_err()),
                Err(end) => assert!(end.is_cancelled()),
            }
        }
        hold.release();
        assert_eq!(pond.get::<u32>("runtime:1").await.unwrap(), None);
    }));
}

#[test]
fn an_invalidation_that_a_dropped_runtime_owed_is_delivered_from_another() {
    let redis = needs_redis!();
    let other = single();
    let gateway = other.block_on(gateway(redis));
    let pond = support::builder(&gateway).retries(0).build().unwrap();
    let bodies = AtomicU32::new(1);
    other.block_on(pond.scope(async { assert_eq!(read(1, &bodies).await, 1) }));
    let dropped = single();
    dropped.block_on(async {
        gateway.refuse().await;
        pond.scope(change(1)).await;
        assert_eq!(pond.stats().pending_invalidations, 1);
        gateway.accept().await;
    });
    drop(dropped);
    gateway.clear();
    other.block_on(within_a_minute(async {
        // A call for something else takes the task on.
        pond.scope(read(2, &bodies)).await;
        gateway
            .wait_for(|requests| {
                // What is owed is one script, which also marks this process's late writes as void.
                let mut commands = requests.iter().flat_map(|it| &it.commands);
                commands.any(|it| it.iter().any(|argument| argument == "{runtime:1}:doubt"))
            })
            .await;
        gateway.idle().await;
        let there = gateway.database().command(["EXISTS", "runtime:1"]).await;
        assert_eq!(there.unwrap(), Reply::Int(0));
    }));
}

#[test]
fn outside_a_runtime_functions_run_uncached_and_the_direct_interface_says_why() {
    let redis = needs_redis!();
    let runtime = single();
    let gateway = runtime.block_on(gateway(redis));
    let pond = support::pond(&gateway);
    let (log, _guard) = Log::of_this_thread();
    let bodies = AtomicU32::new(0);
    let call = |expected| {
        let called = pond.scope(read(1, &bodies)).now_or_never();
        assert_eq!(called, Some(expected));
    };
    call(0);
    call(1);
    assert_eq!(pond.stats().cache.bypassed, 2);
    let said = log.text().matches("outside of a Tokio runtime").count();
    assert_eq!(said, 1, "{}", log.text());
    let error = pond
        .get::<u32>("runtime:1")
        .now_or_never()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("no Tokio runtime"), "{error}");
    assert!(gateway.requests().is_empty());
    // A change is not forgotten: the next call inside a runtime delivers it.
    runtime
        .block_on(pond.set("runtime:1", &100, ttl::SHORT))
        .unwrap();
    assert_eq!(pond.scope(change(1)).now_or_never(), Some(()));
    assert_eq!(pond.stats().pending_invalidations, 1);
    let value = runtime.block_on(within_a_minute(pond.scope(read(1, &bodies))));
    assert_eq!(value, 2);
}

#[test]
fn the_embedded_engine_needs_no_runtime() {
    let pond = Millpond::memory();
    let set = pond.set("runtime:1", &5, ttl::SHORT).now_or_never();
    set.unwrap().unwrap();
    let got = pond.get::<u32>("runtime:1").now_or_never().unwrap();
    assert_eq!(got.unwrap(), Some(5));
    assert!(pond.delete("runtime:1").now_or_never().unwrap().unwrap());
    let bodies = AtomicU32::new(0);
    assert_eq!(pond.scope(read(1, &bodies)).now_or_never(), Some(0));
    assert_eq!(pond.scope(read(1, &bodies)).now_or_never(), Some(0));
    assert_eq!(pond.scope(change(1)).now_or_never(), Some(()));
    assert_eq!(pond.scope(read(1, &bodies)).now_or_never(), Some(1));
}

#[test]
fn without_tokio_the_embedded_engine_caches_and_only_a_wait_is_left_out() {
    let (log, _guard) = Log::of_this_thread();
    let pond = Millpond::memory();
    let bodies = AtomicU32::new(0);
    futures_executor::block_on(pond.scope(async {
        assert_eq!(read(1, &bodies).await, 0);
        assert_eq!(read(1, &bodies).await, 0);
        change(1).await;
        assert_eq!(read(1, &bodies).await, 1);
        assert_eq!(millpond::refresh(read(1, &bodies)).await, 2);
        assert_eq!(pond.stats().cache.bypassed, 0);
        assert!(!log.text().contains("outside of a Tokio runtime"));
        for key in ["slow:1", "slow:2"] {
            let load = async || {
                tokio::task::yield_now().await;
                Ok::<_, std::fmt::Error>(bodies.fetch_add(1, Ordering::SeqCst))
            };
            let call = || pond.get_or_set(key, ttl::SHORT, load);
            let (one, other) = futures_util::join!(call(), call());
            assert_ne!(one, other, "nothing could have ended the wait");
            assert_eq!(call().await, one);
        }
    }));
    assert_eq!(pond.stats().cache.bypassed, 2);
    let said = log.text().matches("outside of a Tokio runtime").count();
    assert_eq!(said, 1, "{}", log.text());
}

#[test]
fn a_runtime_without_drivers_runs_functions_uncached() {
    let redis = needs_redis!();
    let full = single();
    let gateway = full.block_on(gateway(redis));
    for bare in [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_current_thread().enable_io().build().unwrap(),
        Builder::new_current_thread().enable_time().build().unwrap(),
    ] {
        let pond = support::builder(&gateway).retries(0).build().unwrap();
        let bodies = AtomicU32::new(0);
        for expected in 0..3 {
            let value = bare.block_on(pond.scope(read(1, &bodies)));
            assert_eq!(value, expected);
        }
        let error = bare.block_on(pond.get::<u32>("runtime:1")).unwrap_err();
        assert!(error.to_string().contains("enable_all"), "{error}");
    }
}
