//! A slow server delays a call by its time budget and no more, and after repeated failures not at all.
//! Time stands still while a test waits for the gateway, and runs ahead while nothing happens.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ErrorKind, ManualClock, Millpond, cached, invalidates, ttl};
use millpond_gateway::{Fault, Gateway, Matcher, needs_redis};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::log::Log;
use support::{gateway, settle};
use tokio::time::{Instant, advance, pause, resume, sleep};

const BUDGET: Duration = Duration::from_secs(10);

#[cached(prefix = "slow", key = "<id>", skip(bodies))]
async fn read(id: u32, bodies: &AtomicU32) -> u32 {
    bodies.fetch_add(1, Ordering::SeqCst)
}

#[invalidates(read(id))]
async fn change(id: u32) {}

fn pond(gateway: &Gateway) -> Millpond {
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    builder.budget(BUDGET).build().unwrap()
}

/// Runs ahead of a server that does not answer; how long the call took by the clock of the test.
async fn lasts<T>(call: impl Future<Output = T>) -> (T, Duration) {
    pause();
    let start = Instant::now();
    let result = call.await;
    let lasted = start.elapsed();
    resume();
    (result, lasted)
}

fn is_the_budget(lasted: Duration) -> bool {
    (BUDGET..BUDGET + Duration::from_millis(10)).contains(&lasted)
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_call_its_budget() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let _hold = gateway.hold_before(Matcher::any().always());
    let bodies = AtomicU32::new(7);
    let (value, lasted) = lasts(pond.scope(read(1, &bodies))).await;
    assert_eq!(value, 7);
    assert!(is_the_budget(lasted), "{lasted:?}");
    let (value, lasted) = lasts(pond.get::<u32>("slow:1")).await;
    let error = value.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("no answer within"), "{error}");
    assert!(is_the_budget(lasted), "{lasted:?}");
    let ((), lasted) = lasts(pond.scope(change(1))).await;
    assert!(is_the_budget(lasted), "{lasted:?}");
    assert_eq!(pond.stats().pending_invalidations, 1);
}

#[tokio::test]
async fn the_read_and_the_fill_of_a_call_share_one_budget() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let slow_read = gateway.hold("MGET");
    let _slow_fill = gateway.hold_before(Matcher::command("EVALSHA").always());
    let start = Instant::now();
    let call = pond.spawn(async { read(1, &AtomicU32::new(7)).await });
    slow_read.arrived().await;
    pause();
    advance(BUDGET * 6 / 10).await;
    resume();
    slow_read.release();
    gateway.wait_for(|requests| requests.len() == 2).await;
    pause();
    assert_eq!(call.await.unwrap(), 7);
    let lasted = start.elapsed();
    // With a budget each it would be at least 16 s.
    assert!(lasted < BUDGET * 13 / 10, "{lasted:?}");
}

#[tokio::test]
async fn a_body_may_take_as_long_as_it_likes() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let load = async || {
        pause();
        advance(BUDGET * 3).await;
        resume();
        Ok::<_, std::fmt::Error>(7)
    };
    assert_eq!(pond.get_or_set("slow:1", ttl::MEDIUM, load).await, Ok(7));
    assert_eq!(pond.get::<u32>("slow:1").await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_caller_whose_budget_ends_does_not_end_the_request_of_another() {
    // From here on the clock is the test's: a timer that began by the real one would not be moved.
    pause();
    advance(Duration::from_millis(1)).await;
    resume();
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let set = |key: &'static str| {
        let pond = pond.clone();
        tokio::spawn(async move { pond.set(key, &1, ttl::SHORT).await })
    };
    pond.set("slow:0", &1, ttl::SHORT).await.unwrap();
    // Writes leave one request at a time, so that the next two leave together.
    let first = gateway.hold(Matcher::argument("slow:1"));
    let ahead = set("slow:1");
    first.arrived().await;
    let impatient = set("slow:2");
    settle().await;
    pause();
    advance(BUDGET * 7 / 10).await;
    resume();
    let patient = set("slow:3");
    settle().await;
    let shared = gateway.hold(Matcher::argument("slow:2"));
    first.release();
    ahead.await.unwrap().unwrap();
    shared.arrived().await;
    pause();
    let error = impatient.await.unwrap().unwrap_err();
    resume();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    shared.release();
    patient.await.unwrap().unwrap();
    let requests = gateway.requests();
    // What became of the first write is unknown, so its invalidation is sent afterwards.
    let carrier = |key: &str| {
        let mut requests = requests.iter();
        requests.find(|it| it.commands.iter().flatten().any(|argument| argument == key))
    };
    let shared = carrier("slow:3").unwrap();
    assert_eq!(shared.commands.len(), 2, "{shared:?}");
}

#[tokio::test]
async fn repeats_stay_within_the_budget() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let budget = Duration::from_secs(1);
    let pond = builder.budget(budget).retries(1_000).build().unwrap();
    gateway.refuse().await;
    let bodies = AtomicU32::new(7);
    let (value, lasted) = lasts(pond.scope(read(1, &bodies))).await;
    assert_eq!(value, 7);
    assert!(lasted < budget + Duration::from_millis(10), "{lasted:?}");
}

#[tokio::test]
async fn after_repeated_failures_nobody_waits_until_the_server_is_tried_again() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let clock = ManualClock::new();
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = builder
        .budget(BUDGET)
        .retries(0)
        .clock(clock.clone())
        .build()
        .unwrap();
    gateway.inject(Matcher::any().always(), Fault::ResetBefore);
    let bodies = AtomicU32::new(0);
    pond.scope(async {
        for expected in 0..20 {
            assert_eq!(read(1, &bodies).await, expected);
        }
        let asked = gateway.requests().len();
        assert!(asked < 10, "{asked} requests");
        let error = pond.get::<u32>("slow:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(
            error.to_string().contains("circuit breaker open"),
            "{error}"
        );
        assert_eq!(gateway.requests().len(), asked);
        gateway.heal();
        clock.advance(Duration::from_secs(60));
        assert_eq!(read(1, &bodies).await, 20);
        assert_eq!(read(1, &bodies).await, 20);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_never_answers_soon_costs_nothing_any_more() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let _hold = gateway.hold_before(Matcher::any().always());
    let bodies = AtomicU32::new(0);
    let ((), lasted) = lasts(pond.scope(async {
        for id in 0..100 {
            read(id, &bodies).await;
        }
    }))
    .await;
    assert!(lasted < BUDGET * 10, "{lasted:?}");
    assert_eq!(bodies.load(Ordering::SeqCst), 100);
}

#[tokio::test]
async fn waiters_of_a_slow_read_wait_no_longer_than_its_leader() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let pond = pond(&gateway);
    let _hold = gateway.hold_before(Matcher::any().always());
    let (values, lasted) = lasts(async {
        let calls: Vec<_> = (0..20)
            .map(|_| pond.spawn(async { read(1, &AtomicU32::new(7)).await }))
            .collect();
        let mut values = Vec::new();
        for call in calls {
            values.push(call.await.unwrap());
        }
        values
    })
    .await;
    assert_eq!(values, [7; 20]);
    assert!(is_the_budget(lasted), "{lasted:?}");
}

#[tokio::test]
async fn a_wait_for_a_load_and_a_read_of_its_own_share_one_budget() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    pond.set("slow:1", &5, ttl::SHORT).await.unwrap();
    let call = || pond.spawn(async { read(1, &AtomicU32::new(7)).await });
    let slow_read = gateway.hold("MGET");
    let first = call();
    slow_read.arrived().await;
    let start = Instant::now();
    // It comes too late for what that read finds.
    let late = call();
    settle().await;
    pause();
    advance(BUDGET * 6 / 10).await;
    resume();
    let never = gateway.hold_before(Matcher::any().always());
    slow_read.release();
    assert_eq!(first.await.unwrap(), 5);
    never.arrived().await;
    pause();
    assert_eq!(late.await.unwrap(), 7);
    let lasted = start.elapsed();
    // With a budget each it would be at least 16 s.
    assert!(lasted < BUDGET * 11 / 10, "{lasted:?}");
}

#[tokio::test]
async fn a_cache_that_keeps_a_crowd_waiting_costs_it_one_budget_and_no_herd() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway);
    let never = gateway.hold_before(Matcher::any().always());
    let bodies = Arc::new(AtomicU32::new(0));
    let call = || {
        let (pond, bodies) = (pond.clone(), bodies.clone());
        tokio::spawn(async move {
            let load = async || {
                bodies.fetch_add(1, Ordering::SeqCst);
                sleep(BUDGET).await;
                Ok::<_, std::fmt::Error>(7)
            };
            pond.get_or_set("slow:1", ttl::MEDIUM, load).await
        })
    };
    let first = call();
    never.arrived().await;
    pause();
    let start = Instant::now();
    let early: Vec<_> = (0..20).map(|_| call()).collect();
    sleep(BUDGET * 6 / 10).await;
    let young: Vec<_> = (0..20).map(|_| call()).collect();
    settle().await;
    // The youngest reads on. Those who have waited since the beginning cannot wait for it that long.
    first.abort();
    for call in early {
        assert_eq!(call.await.unwrap(), Ok(7));
    }
    let lasted = start.elapsed();
    assert!(lasted < BUDGET * 21 / 10, "{lasted:?}");
    for call in young {
        assert_eq!(call.await.unwrap(), Ok(7));
    }
    resume();
    // That of the first who could not wait any longer, and that of the youngest.
    assert_eq!(bodies.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_outage_is_said_once_and_the_next_one_again() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let builder = builder.retries(0).clock(clock.clone()).budget(BUDGET);
    let pond = builder.build().unwrap();
    let (log, _guard) = Log::of_this_thread();
    let bodies = AtomicU32::new(0);
    for outage in 1..=2 {
        gateway.refuse().await;
        for _ in 0..20 {
            pond.scope(read(1, &bodies)).await;
        }
        let said = log.text().matches("the cache did not answer").count();
        assert_eq!(said, outage, "{}", log.text());
        gateway.accept().await;
        clock.advance(Duration::from_secs(10));
        pond.scope(read(2, &bodies)).await;
    }
}
