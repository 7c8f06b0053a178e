//! What a limiter promises, on the embedded engine and on a real Redis behind the gateway.

mod support;

use futures_util::future::join_all;
use millpond::limit::{self, Limit, OnOutage, Outcome, Reason};
use millpond::{ErrorKind, ManualClock, Millpond, Reply};
use millpond_gateway::{Gateway, needs_redis};
use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};
use support::gateway;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);

const ALGORITHMS: [Limit; 3] = [
    Limit::sliding_window("SLIDING", 10, MINUTE),
    Limit::fixed_window("FIXED", 10, MINUTE),
    Limit::token_bucket("BUCKET", 10, MINUTE, 10),
];

fn embedded() -> (ManualClock, Millpond) {
    let clock = ManualClock::new();
    let pond = Millpond::builder().clock(clock.clone()).build().unwrap();
    (clock, pond)
}

/// A process that talks to the gateway, with a budget that a busy machine cannot exhaust.
fn process(gateway: &Gateway, clock: &ManualClock) -> Millpond {
    Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .clock(clock.clone())
        .limit_budget(Duration::from_secs(5))
        .limit_analytics(false)
        .build()
        .unwrap()
}

async fn keys(gateway: &Gateway) -> Vec<String> {
    let reply = gateway.database().command(["KEYS", "*"]).await.unwrap();
    let millpond_gateway::Reply::Array(keys) = reply else {
        panic!("{reply:?}")
    };
    let mut keys: Vec<_> = keys
        .iter()
        .filter_map(millpond_gateway::Reply::text)
        .collect();
    keys.sort();
    keys
}

fn names(gateway: &Gateway) -> Vec<String> {
    let commands = gateway.commands();
    commands
        .into_iter()
        .map(|mut command| command.swap_remove(0))
        .collect()
}

#[tokio::test]
async fn a_check_is_one_command_whatever_the_algorithm() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway, &ManualClock::new());
    // The first use of a script on a server needs its text.
    pond.limiter(&limit::API).check("warm-up").await.unwrap();
    for limit in ALGORITHMS {
        gateway.clear();
        for _ in 0..3 {
            assert!(pond.limiter(&limit).check("u").await.unwrap().is_allowed());
        }
        assert_eq!(names(&gateway), ["EVALSHA"; 3], "{limit:?}");
    }
}

#[tokio::test]
async fn nothing_is_sent_while_a_caller_is_known_to_be_refused() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let pond = process(&gateway, &clock);
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        limiter.check_n("u", 10).await.unwrap();
        let refused = limiter.check("u").await.unwrap();
        assert_eq!(refused.reason(), Some(Reason::Exhausted));
        gateway.clear();
        for _ in 0..5 {
            let blocked = limiter.check("u").await.unwrap();
            assert_eq!(blocked.reason(), Some(Reason::Blocked));
            assert_eq!(blocked.retry_at(), refused.retry_at());
            assert_eq!(blocked.remaining(), Some(0));
        }
        assert!(gateway.commands().is_empty(), "{limit:?}");
        assert!(limiter.check("other").await.unwrap().is_allowed());
        clock.advance(refused.retry_after().unwrap());
        assert!(limiter.check("u").await.unwrap().is_allowed(), "{limit:?}");
    }
    let stats = pond.stats().limits;
    assert_eq!((stats.blocked, stats.refusals), (15, 18));
}

#[tokio::test]
async fn a_refused_large_call_does_not_lock_out_small_ones() {
    let (_, pond) = embedded();
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        limiter.check_n("u", 6).await.unwrap();
        let refused = limiter.check_n("u", 5).await.unwrap();
        assert_eq!(
            (refused.is_allowed(), refused.remaining()),
            (false, Some(4))
        );
        assert!(limiter.check_n("u", 4).await.unwrap().is_allowed());
        assert!(!limiter.check("u").await.unwrap().is_allowed());
    }
}

#[tokio::test]
async fn several_limits_take_together_or_not_at_all() {
    let minute = Limit::sliding_window("EXPORT", 3, MINUTE);
    let day = Limit::fixed_window("EXPORT", 5, DAY);
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let real = process(&gateway, &clock);
    let over_resp = Millpond::builder().redis(needs_redis!().database().url());
    let over_resp = over_resp.clock(clock.clone()).build().unwrap();
    let embedded = Millpond::builder().clock(clock.clone()).build().unwrap();
    for pond in [real, over_resp, embedded] {
        let both = pond.limiter(&minute).and(&day);
        for left in [2, 1, 0] {
            let decision = both.check("u").await.unwrap();
            assert_eq!(
                (decision.limit(), decision.remaining()),
                (Some(3), Some(left))
            );
        }
        let refused = both.check("u").await.unwrap();
        assert_eq!((refused.is_allowed(), refused.limit()), (false, Some(3)));
        let of_day = pond.limiter(&day).peek("u").await.unwrap();
        assert_eq!(
            of_day.remaining(),
            Some(2),
            "the day paid nothing for the refusal"
        );

        clock.advance(MINUTE * 2);
        assert!(both.check_n("u", 2).await.unwrap().is_allowed());
        let refused = both.check("u").await.unwrap();
        assert_eq!(refused.limit(), Some(5), "the day is the strictest now");
        let of_minute = pond.limiter(&minute).peek("u").await.unwrap();
        assert_eq!(of_minute.remaining(), Some(1));
        clock.advance(DAY);
    }
}

#[tokio::test]
async fn two_limits_on_the_same_budget_are_an_error() {
    let (_, pond) = embedded();
    let limiter = pond.limiter(&limit::API).and(&limit::AUTH).and(&limit::API);
    let error = limiter.check("u").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn windows_that_slide_and_fixed_ones_are_on_the_same_budget() {
    let sliding = Limit::sliding_window("EXPORT", 10, MINUTE);
    let fixed = Limit::fixed_window("EXPORT", 20, MINUTE);
    let (_, pond) = embedded();
    pond.limiter(&sliding).check_n("u", 4).await.unwrap();
    let left = pond.limiter(&fixed).peek("u").await.unwrap().remaining();
    assert_eq!(left, Some(16));

    let error = pond.limiter(&sliding).and(&fixed).check("u").await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn a_bucket_and_a_window_under_one_name_are_an_error() {
    let sliding = Limit::sliding_window("EXPORT", 10, MINUTE);
    let bucket = Limit::token_bucket("EXPORT", 10, MINUTE, 10);
    let (_, pond) = embedded();
    let both = pond.limiter(&sliding).and(&bucket).check("u").await;
    assert_eq!(both.unwrap_err().kind(), ErrorKind::InvalidValue);
    assert!(pond.limiter(&sliding).check("u").await.is_ok());
    let error = pond.limiter(&bucket).check("u").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("EXPORT"), "{error}");
    let elsewhere = bucket.under("@upstash/ratelimit:EXPORT");
    assert!(pond.limiter(&elsewhere).check("u").await.is_err());
    let elsewhere = bucket.under("@upstash/ratelimit:UPLOAD");
    assert!(pond.limiter(&elsewhere).check("u").await.is_ok());
}

#[tokio::test]
async fn concurrent_checks_leave_together() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway, &ManualClock::new());
    pond.limiter(&limit::API).check("warm-up").await.unwrap();
    gateway.clear();
    let limiter = pond.limiter(&limit::API);
    let decisions = join_all((0..50).map(|_| limiter.check("u"))).await;
    assert!(
        decisions
            .into_iter()
            .all(|decision| decision.unwrap().is_allowed())
    );
    assert_eq!(gateway.commands().len(), 50);
    // The first leaves alone, the others while it is under way.
    assert_eq!(gateway.requests().len(), 2);
}

#[tokio::test]
async fn many_tasks_of_two_processes_never_pass_more_than_the_limit() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let ponds = [process(&gateway, &clock), process(&gateway, &clock)];
    for limit in ALGORITHMS {
        let limiters = [ponds[0].limiter(&limit), ponds[1].limiter(&limit)];
        let calls = (0..100).map(|n| limiters[n % 2].check("u"));
        let decisions = join_all(calls).await;
        let allowed = decisions
            .iter()
            .filter(|decision| decision.as_ref().unwrap().is_allowed());
        assert_eq!(allowed.count(), 10, "{limit:?}");
    }
}

#[tokio::test]
async fn identifiers_may_hold_anything_and_never_meet() {
    let long = "x".repeat(10_000);
    let longer = "x".repeat(40_000);
    let other_longer = "x".repeat(40_001);
    let ids = [
        "u",
        "u:1",
        "u:",
        ":u",
        "u:29453760",
        "2001:db8::1",
        "::1",
        "ada@example.com",
        "Zürich 🏔",
        "*",
        "u*",
        "[u]",
        "{u}",
        "{",
        "}",
        "%7B",
        "u\0",
        "u\r\n",
        " ",
        "\"",
        &long,
        &longer,
        &other_longer,
    ];
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let embedded = Millpond::builder().clock(clock.clone()).build().unwrap();
    for pond in [process(&gateway, &clock), embedded] {
        for limit in ALGORITHMS {
            for id in ids {
                let decision = pond.limiter(&limit).check(id).await.unwrap();
                assert_eq!(decision.remaining(), Some(9), "{id:.20}");
            }
        }
    }
    let keys = keys(&gateway).await;
    assert_eq!(keys.len(), ids.len() * ALGORITHMS.len());
    assert!(keys.contains(&"@upstash/ratelimit:FIXED:2001:db8::1:29453760".to_owned()));
    assert!(keys.contains(&"@upstash/ratelimit:BUCKET:Zürich 🏔".to_owned()));
}

#[tokio::test]
async fn every_key_expires() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway, &ManualClock::new());
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        let decision = limiter.check_n("u", 4).await.unwrap();
        limiter.refund(&decision).await.unwrap();
        let nobody = limiter.check_n("nobody", 4).await.unwrap();
        limiter.reset("nobody").await.unwrap();
        limiter.refund(&nobody).await.unwrap();
        limiter.check_n("u", 2).await.unwrap();
        limiter.check_n("u", 10).await.unwrap();
    }
    let keys = keys(&gateway).await;
    assert_eq!(keys.len(), 3, "a refund creates nothing: {keys:?}");
    for key in keys {
        let left = gateway.database().command(["PTTL", &key]).await.unwrap();
        assert!(
            matches!(left, millpond_gateway::Reply::Int(1..)),
            "{key}: {left:?}"
        );
    }
}

#[tokio::test]
async fn a_peek_takes_nothing_and_says_what_is_left() {
    let (clock, pond) = embedded();
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        assert_eq!(limiter.peek("u").await.unwrap().remaining(), Some(10));
        limiter.check_n("u", 7).await.unwrap();
        for _ in 0..20 {
            let seen = limiter.peek("u").await.unwrap();
            assert_eq!((seen.is_allowed(), seen.remaining()), (true, Some(3)));
        }
        limiter.check_n("u", 3).await.unwrap();
        let seen = limiter.peek("u").await.unwrap();
        assert_eq!(
            (seen.outcome(), seen.remaining()),
            (Outcome::Refused, Some(0))
        );
        assert!(seen.retry_at().is_some());
    }
    // Unlike npm, which shows a bucket as it was stored.
    clock.advance(MINUTE);
    let bucket = pond.limiter(&ALGORITHMS[2]);
    assert_eq!(bucket.peek("u").await.unwrap().remaining(), Some(10));
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_again_and_no_more() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let embedded = Millpond::builder().clock(clock.clone()).build().unwrap();
    for pond in [process(&gateway, &clock), embedded] {
        for limit in ALGORITHMS {
            let limiter = pond.limiter(&limit);
            let all = limiter.check_n("u", 10).await.unwrap();
            assert!(!limiter.check("u").await.unwrap().is_allowed());
            limiter.refund_n(&all, 3).await.unwrap();
            assert!(
                limiter.check_n("u", 3).await.unwrap().is_allowed(),
                "no longer blocked"
            );
            limiter.refund(&all).await.unwrap();
            assert_eq!(limiter.peek("u").await.unwrap().remaining(), Some(7));
            limiter.refund(&all).await.unwrap();
            limiter.refund(&all.clone()).await.unwrap();
            let left = limiter.peek("u").await.unwrap().remaining();
            assert_eq!(left, Some(7), "nothing is given back twice");
        }
    }
}

#[tokio::test]
async fn units_go_back_to_the_window_that_they_were_taken_from() {
    let gateway = gateway(needs_redis!()).await;
    let (clock, pond) = embedded();
    let plain = Millpond::builder().redis(needs_redis!().database().url());
    let plain = plain.clock(clock.clone()).build().unwrap();
    for pond in [pond, process(&gateway, &clock), plain] {
        let [sliding, fixed, bucket] = ALGORITHMS.map(|limit| pond.limiter(&limit));
        let earlier = sliding.check_n("u", 10).await.unwrap();
        clock.advance(MINUTE);
        assert!(!sliding.check("u").await.unwrap().is_allowed());
        sliding.refund_n(&earlier, 4).await.unwrap();
        let left = sliding.peek("u").await.unwrap().remaining();
        assert_eq!(left, Some(4), "the window before still counts");
        clock.advance(MINUTE);
        sliding.check_n("u", 4).await.unwrap();
        sliding.refund(&earlier).await.unwrap();
        assert_eq!(sliding.peek("u").await.unwrap().remaining(), Some(6));

        let earlier = fixed.check_n("u", 7).await.unwrap();
        clock.advance(MINUTE);
        fixed.check_n("u", 5).await.unwrap();
        fixed.refund(&earlier).await.unwrap();
        let left = fixed.peek("u").await.unwrap().remaining();
        assert_eq!(
            left,
            Some(5),
            "a unit of an earlier window is none of this one"
        );

        let earlier = bucket.check_n("u", 7).await.unwrap();
        clock.advance(MINUTE);
        bucket.check_n("u", 5).await.unwrap();
        bucket.refund(&earlier).await.unwrap();
        let left = bucket.peek("u").await.unwrap().remaining();
        assert_eq!(
            left,
            Some(5),
            "what has flowed in again does not come back too"
        );
        clock.advance(MINUTE * 5);
    }
}

#[tokio::test]
async fn a_reset_deletes_by_name_and_searches_nothing() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway, &ManualClock::new());
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        limiter.check_n("u", 10).await.unwrap();
        limiter.check_n("u:1", 10).await.unwrap();
        assert!(!limiter.check("u").await.unwrap().is_allowed());
        gateway.clear();
        limiter.reset("u").await.unwrap();
        assert_eq!(names(&gateway), ["DEL"]);
        assert_eq!(limiter.check("u").await.unwrap().remaining(), Some(9));
        assert!(
            !limiter.check("u:1").await.unwrap().is_allowed(),
            "another caller's"
        );
    }
}

#[tokio::test]
async fn a_call_above_the_limit_is_refused_for_good_and_sends_nothing() {
    let gateway = gateway(needs_redis!()).await;
    let pond = process(&gateway, &ManualClock::new());
    for cost in [11, u64::MAX] {
        let refused = pond
            .limiter(&ALGORITHMS[0])
            .check_n("u", cost)
            .await
            .unwrap();
        assert_eq!(refused.reason(), Some(Reason::CostAboveLimit));
        assert_eq!((refused.retry_at(), refused.limit()), (None, Some(10)));
    }
    assert!(gateway.commands().is_empty());
}

#[tokio::test]
async fn a_call_that_costs_nothing_takes_nothing() {
    let (_, pond) = embedded();
    for limit in ALGORITHMS {
        let limiter = pond.limiter(&limit);
        limiter.check_n("u", 10).await.unwrap();
        assert!(limiter.check_n("u", 0).await.unwrap().is_allowed());
        assert_eq!(limiter.peek("u").await.unwrap().remaining(), Some(0));
    }
}

#[tokio::test]
async fn nobody_is_no_identifier() {
    let (_, pond) = embedded();
    let limiter = pond.limiter(&limit::API);
    let nobody_else = limiter.clone().and_for(&limit::AUTH, "");
    for error in [
        limiter.check("").await.unwrap_err(),
        limiter.peek(String::new()).await.unwrap_err(),
        limiter.reset("").await.unwrap_err(),
        nobody_else.check("u").await.unwrap_err(),
        limiter.check(Unprintable).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidKey);
    }
    assert!(limiter.check(42).await.unwrap().is_allowed());
}

struct Unprintable;

impl std::fmt::Display for Unprintable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

#[tokio::test]
async fn start_up_can_replace_a_built_in_limit() {
    let wide = Limit::fixed_window("AUTH", 50, MINUTE).on_outage(OnOutage::Deny);
    let pond = Millpond::builder().limit(wide).build().unwrap();
    let decision = pond.limiter(&limit::AUTH).check("u").await.unwrap();
    assert_eq!(decision.remaining(), Some(49));
    let plan = limit::AUTH.checked(7, MINUTE).unwrap();
    let decision = pond.limiter(&plan).check("u").await.unwrap();
    assert_eq!(
        decision.limit(),
        Some(7),
        "what was worked out for this call stays"
    );
}

#[tokio::test]
async fn plans_of_one_kind_share_what_was_taken() {
    let (_, pond) = embedded();
    let (free, paid) = (
        limit::GENERATION,
        limit::GENERATION.checked(100, MINUTE).unwrap(),
    );
    pond.limiter(&free).check_n("u", 10).await.unwrap();
    assert!(!pond.limiter(&free).check("u").await.unwrap().is_allowed());
    let upgraded = pond.limiter(&paid).check("u").await.unwrap();
    assert_eq!(
        upgraded.remaining(),
        Some(89),
        "the refusal of the free plan does not block"
    );
}

#[tokio::test]
async fn a_namespace_goes_in_front_of_the_prefix() {
    let gateway = gateway(needs_redis!()).await;
    let builder = Millpond::builder().upstash(gateway.url(), gateway.token());
    let builder = builder.limit_prefix("@acme").namespace("staging");
    let pond = builder
        .clock(ManualClock::new())
        .limit_analytics(false)
        .build()
        .unwrap();
    pond.limiter(&ALGORITHMS[1]).check("u").await.unwrap();
    assert_eq!(keys(&gateway).await, ["staging:@acme:FIXED:u:29453760"]);
}

/// Others set the clock of a shared database with theirs; an embedded engine has only this process.
#[tokio::test]
async fn a_step_of_the_wall_clock_neither_gives_an_embedded_budget_back_nor_keeps_it() {
    for step in [-3_600_000_i64, -61_000, 61_000, 3_600_000] {
        for limit in ALGORITHMS {
            let (clock, pond) = embedded();
            let limiter = pond.limiter(&limit);
            let taken = limiter.check_n("u", 10).await.unwrap();
            clock.set_unix_ms(clock.unix_ms().saturating_add_signed(step));
            let refused = limiter.check("u").await.unwrap();
            assert!(!refused.is_allowed(), "{limit:?}, {step}");
            assert_eq!(limiter.peek("u").await.unwrap().remaining(), Some(0));
            // What callers are told is the time of the wall clock.
            let wall = UNIX_EPOCH + Duration::from_millis(clock.unix_ms());
            let wait = refused.retry_after().unwrap();
            assert!(wait <= 2 * MINUTE, "{limit:?}, {step}: {wait:?}");
            assert_eq!(refused.retry_at(), Some(wall + wait), "{limit:?}, {step}");
            assert!(refused.reset() <= Some(wall + MINUTE), "{limit:?}, {step}");
            assert!(refused.reset() > Some(wall), "{limit:?}, {step}");
            // Units go back to the window that they came from.
            limiter.refund_n(&taken, 1).await.unwrap();
            assert!(limiter.check("u").await.unwrap().is_allowed());
            clock.advance(2 * MINUTE);
            let after = limiter.check_n("u", 10).await.unwrap();
            assert!(after.is_allowed(), "{limit:?}, {step}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_until_ready_gets_the_next_unit() {
    let (clock, pond) = embedded();
    let limit = Limit::token_bucket("JOBS", 1, Duration::from_millis(50), 1);
    let limiter = pond.limiter(&limit);
    limiter.check("job").await.unwrap();
    let began = tokio::time::Instant::now();
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        clock.advance(Duration::from_millis(50));
    };
    let (decision, ()) = tokio::join!(limiter.until_ready("job", MINUTE), meanwhile);
    assert!(decision.unwrap().is_allowed());
    let waited = began.elapsed().as_millis();
    assert!((50..60).contains(&waited), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn patience_ends_the_wait_and_a_hopeless_one_does_not_begin() {
    let (_clock_that_stands_still, pond) = embedded();
    let limit = Limit::token_bucket("JOBS", 1, Duration::from_millis(50), 1);
    let limiter = pond.limiter(&limit);
    limiter.check("job").await.unwrap();
    for (patience, expected) in [(0, 0..1), (49, 0..1), (50, 50..51), (120, 100..120)] {
        let began = tokio::time::Instant::now();
        let patience = Duration::from_millis(patience);
        let decision = limiter.until_ready("job", patience).await.unwrap();
        assert!(!decision.is_allowed());
        let waited = began.elapsed().as_millis();
        assert!(expected.contains(&waited), "{waited}");
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends_the_check_too() {
    // Connects, and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let pond = Millpond::builder().upstash(url, "token");
    let pond = pond.limit_budget(Duration::from_secs(5)).build().unwrap();
    let began = tokio::time::Instant::now();
    let patience = Duration::from_secs(2);
    let decision = pond.limiter(&limit::API).until_ready("u", patience).await;
    assert_eq!(began.elapsed().as_secs(), 2);
    let decision = decision.unwrap();
    assert!(!decision.is_allowed());
    assert_eq!(decision.reason(), Some(Reason::Outage(ErrorKind::Timeout)));
    let stats = pond.stats().limits;
    assert_eq!((stats.checks, stats.refusals, stats.degraded), (1, 1, 1));
}

#[tokio::test]
async fn garbage_under_a_key_of_a_limit_degrades_and_takes_from_no_other() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let embedded = Millpond::builder().clock(clock.clone()).build().unwrap();
    let (first, second) = (ALGORITHMS[0], ALGORITHMS[1]);
    let key = format!("@upstash/ratelimit:FIXED:u:{}", clock.unix_ms() / 60_000);
    for pond in [process(&gateway, &clock), embedded] {
        for garbage in [["HSET", "field", "value"].as_slice(), &["SET", "text"]] {
            let mut command = vec![garbage[0].to_owned(), key.clone()];
            command.extend(garbage[1..].iter().map(|arg| (*arg).to_owned()));
            pond.command(command).await.unwrap();
            let both = pond.limiter(&first).and(&second);
            let decision = both.check("u").await.unwrap();
            assert_eq!(decision.outcome(), Outcome::Degraded, "{garbage:?}");
            let other = pond.limiter(&first).peek("u").await.unwrap();
            assert_eq!(other.remaining(), Some(10), "{garbage:?}");
            pond.command(["DEL".to_owned(), key.clone()]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn analytics_of_many_callers_leave_in_many_requests() {
    let gateway = gateway(needs_redis!()).await;
    let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
    let pond = pond.clock(ManualClock::new()).limit_analytics(true);
    let pond = pond.limit_budget(Duration::from_secs(5)).build().unwrap();
    // Of each kind, a hundred callers have a name.
    let kinds = [
        limit::API,
        limit::PUBLIC,
        limit::GENERATION,
        limit::AUTH,
        ALGORITHMS[0],
        ALGORITHMS[1],
    ];
    for limit in kinds {
        let limiter = pond.limiter(&limit);
        join_all((0..100).map(|id| limiter.check(id))).await;
    }
    gateway.clear();
    pond.flush().await.unwrap();
    assert_eq!(pond.stats().limits.events_lost, 0);
    assert!(gateway.requests().len() >= 3, "256 sums at most in each");
    for limit in kinds {
        let key = format!(
            "@upstash/ratelimit:{}:events:{}",
            limit.kind(),
            1_767_225_600_000_u64
        );
        let members = gateway.database().command(["ZCARD", &key]).await;
        assert_eq!(members.unwrap(), millpond_gateway::Reply::Int(100), "{key}");
    }
}

#[tokio::test]
async fn times_are_those_of_the_clock() {
    let (clock, pond) = embedded();
    clock.advance(Duration::from_secs(15));
    let limiter = pond.limiter(&ALGORITHMS[1]);
    let decision = limiter.check_n("u", 10).await.unwrap();
    let end = UNIX_EPOCH + Duration::from_millis(clock.unix_ms() + 45_000);
    assert_eq!(decision.reset(), Some(end));
    let refused = limiter.check("u").await.unwrap();
    assert_eq!(refused.retry_at(), Some(end));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(45)));
}

#[tokio::test]
async fn the_scripts_and_their_native_twins_store_the_same() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let real = process(&gateway, &clock);
    let embedded = Millpond::builder().clock(clock.clone()).build().unwrap();
    for pond in [&real, &embedded] {
        for limit in ALGORITHMS {
            let limiter = pond.limiter(&limit);
            let decision = limiter.check_n("u", 7).await.unwrap();
            limiter.refund_n(&decision, 2).await.unwrap();
        }
    }
    let kept: HashSet<_> = keys(&gateway).await.into_iter().collect();
    for key in kept {
        let name = if key.contains("BUCKET") {
            "HGETALL"
        } else {
            "GET"
        };
        let command = || [name.to_owned(), key.clone()];
        let (there, here) = (
            real.command(command()).await,
            embedded.command(command()).await,
        );
        assert_eq!(there.unwrap(), here.unwrap(), "{key}");
    }
    let one = embedded.command([
        "GET".to_owned(),
        "@upstash/ratelimit:FIXED:u:29453760".to_owned(),
    ]);
    assert_eq!(one.await.unwrap(), Reply::Bulk("5".into()));
}
