//! What limits do while the store cannot answer: what the service chose, and in time.

mod support;

use millpond::limit::{self, Decision, Limit, OnOutage, Outcome, Reason};
use millpond::{ErrorKind, ManualClock, Millpond};
use millpond_gateway::{Fault, Gateway, needs_redis};
use std::time::Duration;
use support::gateway;

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Limit = Limit::fixed_window("OUTAGE", 10, MINUTE);

fn process(gateway: &Gateway) -> Millpond {
    process_at(gateway, &ManualClock::new())
}

fn process_at(gateway: &Gateway, clock: &ManualClock) -> Millpond {
    Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .clock(clock.clone())
        .limit_budget(Duration::from_secs(5))
        .retries(0)
        .build()
        .unwrap()
}

fn assert_has_no_budget(decision: &Decision) {
    assert_eq!(decision.outcome(), Outcome::Degraded);
    assert_eq!((decision.limit(), decision.remaining()), (None, None));
    assert_eq!(decision.reset(), None);
    assert_eq!(decision.ietf_headers(), []);
    let told: Vec<_> = decision
        .headers()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(told.is_empty() || told == ["retry-after"], "{told:?}");
}

#[tokio::test]
async fn whatever_goes_wrong_the_decision_is_degraded() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    let limiter = pond.limiter(&LIMIT);
    for fault in [
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Truncated,
        Fault::html(),
        Fault::error(500, "ERR internal"),
        Fault::error(401, "WRONGPASS invalid or missing auth token"),
        Fault::json("{}"),
        Fault::json(r#"[{"result":"T0s="}]"#),
        Fault::json(r#"{"result":[1]}"#),
        Fault::json(r#"{"result":[7,null,null]}"#),
        Fault::json(r#"[{"error":"ERR max daily request limit exceeded"}]"#),
    ] {
        gateway.inject("EVALSHA", fault.clone());
        let decision = limiter.check(format!("{fault:?}")).await.unwrap();
        assert!(decision.is_allowed(), "{fault:?}");
        assert!(
            matches!(decision.reason(), Some(Reason::Outage(_))),
            "{fault:?}"
        );
        assert_has_no_budget(&decision);
        gateway.heal();
    }
    assert_eq!(pond.stats().limits.degraded, 11);
}

#[tokio::test]
async fn a_local_limiter_takes_over_and_the_store_takes_it_back() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let pond = process_at(&gateway, &clock);
    let limiter = pond.limiter(&LIMIT);
    assert_eq!(limiter.check("u").await.unwrap().remaining(), Some(9));

    gateway.refuse().await;
    for _ in 0..10 {
        assert!(limiter.check("u").await.unwrap().is_allowed());
    }
    let refused = limiter.check("u").await.unwrap();
    assert!(!refused.is_allowed());
    assert_has_no_budget(&refused);
    assert_eq!(refused.retry_after(), Some(MINUTE));
    assert!(limiter.check("other").await.unwrap().is_allowed());
    let refusal = refused.into_result().unwrap_err();
    assert_eq!(refusal.status(), 429, "this process did count");

    gateway.accept().await;
    // The circuit breaker tries again after half a minute at the latest.
    clock.advance(Duration::from_secs(30));
    let counted = limiter.check("u").await.unwrap();
    assert_eq!(
        (counted.outcome(), counted.remaining()),
        (Outcome::Allowed, Some(8))
    );
}

#[tokio::test]
async fn processes_that_share_an_outage_divide_the_limit() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    gateway.refuse().await;
    for (processes, allowed) in [(0, 10), (1, 10), (4, 2), (100, 1)] {
        let limiter = pond.limiter(&LIMIT.share(processes));
        let mut passed = 0;
        while limiter.check(processes).await.unwrap().is_allowed() {
            passed += 1;
        }
        assert_eq!(passed, allowed, "{processes} processes");
    }
}

#[tokio::test]
async fn a_limit_can_let_everyone_through() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    gateway.refuse().await;
    let limiter = pond.limiter(&LIMIT.on_outage(OnOutage::Allow));
    for _ in 0..20 {
        let decision = limiter.check("u").await.unwrap();
        assert!(decision.is_allowed());
        assert_has_no_budget(&decision);
    }
}

#[tokio::test]
async fn a_limit_can_refuse_and_does_not_call_it_too_many_requests() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    gateway.refuse().await;
    let limiter = pond.limiter(&LIMIT.on_outage(OnOutage::Deny));
    let decision = limiter.check("u").await.unwrap();
    assert!(!decision.is_allowed());
    assert_has_no_budget(&decision);
    let refusal = decision.into_result().unwrap_err();
    assert_eq!(refusal.status(), 503);
    let body = r#"{"error":"Rate limit unavailable","message":"The rate limit cannot be checked. Please try again later","retryAfter":1}"#;
    assert_eq!(refusal.body(), body);
}

#[tokio::test]
async fn of_several_limits_each_has_to_agree_in_an_outage() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    gateway.refuse().await;
    let open = limit::API.on_outage(OnOutage::Allow);
    let both = pond.limiter(&open).and(&LIMIT);
    for _ in 0..10 {
        assert!(both.check("u").await.unwrap().is_allowed());
    }
    assert!(!both.check("u").await.unwrap().is_allowed());
    let closed = pond
        .limiter(&open)
        .and(&limit::AUTH.on_outage(OnOutage::Deny));
    assert!(!closed.check("u").await.unwrap().is_allowed());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_budget() {
    let gateway = gateway(needs_redis!()).await;
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = builder.build().unwrap();
    let hold = gateway.hold_before("EVALSHA");
    let before = tokio::time::Instant::now();
    let decision = pond.limiter(&LIMIT).check("u").await.unwrap();
    // The request may have left.
    let cause = Some(Reason::Outage(ErrorKind::OutcomeUnknown));
    assert_eq!(decision.reason(), cause);
    let second = Duration::from_secs(1);
    assert!(before.elapsed() <= second + Duration::from_millis(100));
    drop(hold);
}

#[tokio::test]
async fn a_refusal_that_is_known_holds_during_an_outage() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    let limiter = pond.limiter(&LIMIT);
    limiter.check_n("u", 10).await.unwrap();
    limiter.check("u").await.unwrap();
    gateway.refuse().await;
    let decision = limiter.check("u").await.unwrap();
    assert_eq!(
        (decision.outcome(), decision.reason()),
        (Outcome::Refused, Some(Reason::Blocked))
    );
}

#[tokio::test]
async fn what_is_not_a_check_reports_the_failure() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway);
    let limiter = pond.limiter(&LIMIT);
    let decision = limiter.check("u").await.unwrap();
    gateway.refuse().await;
    let kind = ErrorKind::Unavailable;
    assert_eq!(limiter.peek("u").await.unwrap_err().kind(), kind);
    assert_eq!(limiter.refund(&decision).await.unwrap_err().kind(), kind);
    assert_eq!(limiter.reset("u").await.unwrap_err().kind(), kind);
}
