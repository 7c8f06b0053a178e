//! Several limits of one call are one decision: all of them take, or none does.

mod support;

use millpond::limit::{Limit, OnOutage, Outcome};
use millpond::{ErrorKind, ManualClock, Millpond, RateLimited, cached, rate_limited};
use millpond_gateway::needs_redis;
use std::time::Duration;
use support::gateway;

const MINUTE: Duration = Duration::from_secs(60);
const EXPORT: Limit = Limit::sliding_window("EXPORT", 3, MINUTE);
const SENT: Limit = Limit::sliding_window("SENT", 5, MINUTE);
const EVERYONE: Limit = Limit::fixed_window("EVERYONE", 100, MINUTE);
const TOKENS: Limit = Limit::token_bucket("TOKENS", 1, MINUTE, 10);

/// On each engine, with what was sent over REST.
async fn on_every_engine(test: impl AsyncFn(&Millpond, &ManualClock)) {
    let over_rest = gateway(needs_redis!()).await;
    let database = needs_redis!().database();
    let clock = ManualClock::new();
    let builder = || {
        Millpond::builder()
            .clock(clock.clone())
            .limit_budget(Duration::from_secs(5))
            .limit_analytics(false)
    };
    for builder in [
        builder().memory(),
        builder().upstash(over_rest.url(), over_rest.token()),
        builder().redis(database.url()),
    ] {
        let pond = builder.build().unwrap();
        let inner = pond.clone();
        pond.scope(test(&inner, &clock)).await;
    }
}

#[rate_limited(kind = EVERYONE)]
#[rate_limited(kind = EXPORT, id = user)]
#[rate_limited(kind = TOKENS, id = user, cost = 2)]
async fn export(user: &str) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[tokio::test]
async fn a_caller_whom_one_limit_refuses_costs_the_others_nothing() {
    on_every_engine(async |pond, clock| {
        for _ in 0..100 {
            let _ = export("mallory").await;
        }
        let window = clock.unix_ms() / 60_000;
        let shared = format!("@upstash/ratelimit:EVERYONE::{window}");
        let taken = pond.command(["GET", shared.as_str()]).await.unwrap();
        assert_eq!(taken, millpond::Reply::Bulk("3".into()));
        let bucket = pond.limiter(&TOKENS).peek("mallory").await.unwrap();
        assert_eq!(bucket.remaining(), Some(4));
        let refused = export("mallory").await.unwrap_err();
        assert_eq!(refused.decision().kind(), "EXPORT", "the strictest is told");
        export("ada").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn attributes_that_stand_together_are_one_command() {
    let gateway = gateway(needs_redis!()).await;
    let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = pond.limit_analytics(false).build().unwrap();
    pond.scope(export("warm up")).await.unwrap();
    gateway.clear();
    pond.scope(export("ada")).await.unwrap();
    let commands = gateway.commands();
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert_eq!(commands[0][0], "EVALSHA");
}

#[rate_limited(kind = SENT, id = from)]
#[rate_limited(kind = SENT, id = to)]
async fn send(from: &str, to: &str) -> Result<(), RateLimited> {
    let _ = (from, to);
    Ok(())
}

#[tokio::test]
async fn parts_that_meet_in_one_counter_are_checked_with_the_sum() {
    on_every_engine(async |pond, _| {
        send("ada", "grace").await.unwrap();
        assert_eq!(
            pond.limiter(&SENT).peek("ada").await.unwrap().remaining(),
            Some(4)
        );
        send("ada", "ada").await.unwrap();
        send("ada", "ada").await.unwrap();
        assert_eq!(
            pond.limiter(&SENT).peek("ada").await.unwrap().remaining(),
            Some(0)
        );
        assert!(send("ada", "grace").await.is_err());
        assert_eq!(
            pond.limiter(&SENT).peek("grace").await.unwrap().remaining(),
            Some(4)
        );
        // One unit is left, and a message to oneself costs two.
        for _ in 0..4 {
            pond.limiter(&SENT).check("alan").await.unwrap();
        }
        assert!(send("alan", "alan").await.is_err());
        assert_eq!(
            pond.limiter(&SENT).peek("alan").await.unwrap().remaining(),
            Some(1)
        );
        assert!(send("alan", "grace").await.is_ok());

        // Windows that slide and fixed ones of one length share their counters.
        let fixed = Limit::fixed_window("MEET", 6, MINUTE);
        let sliding = Limit::sliding_window("MEET", 4, MINUTE);
        let both = pond.limiter(&sliding).and_for(&fixed, "u");
        assert!(both.check("u").await.unwrap().is_allowed());
        assert!(both.check("u").await.unwrap().is_allowed());
        assert!(!both.check("u").await.unwrap().is_allowed());
        assert_eq!(
            pond.limiter(&fixed).peek("u").await.unwrap().remaining(),
            Some(2)
        );
        assert!(both.check("v").await.unwrap().is_allowed());
        assert_eq!(
            pond.limiter(&fixed).peek("v").await.unwrap().remaining(),
            Some(5)
        );
        let bucket = pond.limiter(&TOKENS).and_for(&TOKENS, "u");
        for left in [8, 6, 4, 2, 0] {
            assert_eq!(bucket.check("u").await.unwrap().remaining(), Some(left));
        }
        assert!(!bucket.check("u").await.unwrap().is_allowed());
    })
    .await;
}

#[tokio::test]
async fn a_limiter_takes_several_pairs_at_once() {
    on_every_engine(async |pond, clock| {
        let both = pond.limiter(&EXPORT).and_for(&SENT, "team");
        for left in [2, 1, 0] {
            assert_eq!(both.check("ada").await.unwrap().remaining(), Some(left));
        }
        let refused = both.check("ada").await.unwrap();
        assert_eq!(
            (refused.outcome(), &*refused.kind()),
            (Outcome::Refused, "EXPORT")
        );
        let team = pond.limiter(&SENT).peek("team").await.unwrap();
        assert_eq!(team.remaining(), Some(2));
        let decision = both.check("grace").await.unwrap();
        both.refund(&decision).await.unwrap();
        let team = pond.limiter(&SENT).peek("team").await.unwrap();
        assert_eq!(team.remaining(), Some(2));
        both.check_n("grace", 2).await.unwrap();
        let refused = both.check("grace").await.unwrap();
        assert_eq!(&*refused.kind(), "SENT");
        clock.advance(MINUTE * 3);
        both.check_n("grace", 3).await.unwrap();
        both.reset("grace").await.unwrap();
        let team = pond.limiter(&SENT).peek("team").await.unwrap();
        assert_eq!(team.remaining(), Some(5), "a reset is of all pairs");
    })
    .await;
}

const STRICT: Limit = Limit::sliding_window("STRICT", 5, MINUTE).on_outage(OnOutage::Deny);
const LENIENT: Limit = Limit::sliding_window("LENIENT", 5, MINUTE);

#[rate_limited(kind = LENIENT, id = user, on_outage = "allow")]
#[rate_limited(kind = STRICT, id = user)]
async fn pay(user: &str) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[rate_limited(kind = LENIENT, id = user, on_outage = "allow")]
#[rate_limited(kind = EXPORT, id = user, on_outage = "local")]
async fn look(user: &str) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[tokio::test]
async fn in_an_outage_each_attribute_decides_as_it_says() {
    let gateway = gateway(needs_redis!()).await;
    let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
    // No window ends between the calls.
    let pond = pond.clock(ManualClock::new());
    let pond = pond.budget(Duration::from_millis(100)).build().unwrap();
    gateway.refuse().await;
    pond.scope(async {
        let denied = pay("ada").await.unwrap_err();
        assert_eq!(
            (denied.status(), &*denied.decision().kind()),
            (503, "STRICT")
        );
        for _ in 0..3 {
            look("ada").await.unwrap();
        }
        let refused = look("ada").await.unwrap_err();
        assert_eq!(
            (refused.status(), &*refused.decision().kind()),
            (429, "EXPORT")
        );
    })
    .await;
}

#[rate_limited(kind = SENT, id = user)]
#[cached(prefix = "between", key = "<user>")]
#[rate_limited(kind = EXPORT, id = user)]
async fn between(user: &str) -> Result<u32, RateLimited> {
    let _ = user;
    Ok(1)
}

#[tokio::test]
async fn cached_between_two_attributes_makes_two_decisions() {
    let pond = Millpond::memory();
    pond.scope(async {
        for _ in 0..2 {
            between("ada").await.unwrap();
        }
    })
    .await;
    let left = async |limit| pond.limiter(&limit).peek("ada").await.unwrap().remaining();
    // One of them counts every call, the other one what was not in the cache.
    let mut left = [left(SENT).await, left(EXPORT).await];
    left.sort();
    assert_eq!(pond.stats().limits.checks, 3);
    assert!(
        left == [Some(1), Some(4)] || left == [Some(2), Some(3)],
        "{left:?}"
    );
}

#[rate_limited(kind = SENT, id = user, on = &elsewhere)]
#[rate_limited(kind = EXPORT, id = user)]
async fn in_two_places(user: &str, elsewhere: Millpond) -> Result<(), RateLimited> {
    let _ = user;
    Ok(())
}

#[tokio::test]
async fn attributes_with_another_pond_are_decided_separately() {
    let (here, there) = (Millpond::memory(), Millpond::memory());
    here.scope(in_two_places("ada", there.clone()))
        .await
        .unwrap();
    assert_eq!(here.stats().limits.checks, 1);
    assert_eq!(there.stats().limits.checks, 1);
    let same = here.clone();
    here.scope(in_two_places("ada", same)).await.unwrap();
    assert_eq!(
        here.stats().limits.checks,
        2,
        "one decision where it is the same"
    );
}

#[tokio::test]
async fn a_pair_of_nobody_is_an_error_and_takes_nothing() {
    let pond = Millpond::memory();
    let both = pond.limiter(&EXPORT).and_for(&SENT, "");
    let error = both.check("ada").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    assert_eq!(
        pond.limiter(&EXPORT).peek("ada").await.unwrap().remaining(),
        Some(3)
    );
}
