//! What each setting changes on the wire. runtime/docs/settings.md lists them; the defaults that are only
//! numbers are held by a test beside that list.

#![cfg(feature = "upstash")]

mod support;

use millpond::limit::{Limit, Outcome, Reason};
use millpond::{Builder, ErrorKind, ManualClock, Millpond, Reply};
use millpond_gateway::{Fault, Gateway, Matcher, needs_redis};
use std::time::Duration;
use support::{builder, gateway, settle, within_a_minute};
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, pause, resume};

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Limit = Limit::fixed_window("SETTING", 2, MINUTE);

/// How many commands each request held.
fn sizes(gateway: &Gateway) -> Vec<usize> {
    let requests = gateway.requests();
    requests.iter().map(|it| it.commands.len()).collect()
}

fn names(gateway: &Gateway) -> Vec<String> {
    let commands = gateway.commands().into_iter();
    commands.map(|mut command| command.swap_remove(0)).collect()
}

/// Starts `INCR n` in a task of its own.
fn increment(pond: &Millpond) -> JoinHandle<Result<Reply, millpond::Error>> {
    let pond = pond.clone();
    tokio::spawn(async move { pond.command(["INCR", "n"]).await })
}

/// The default settings, with budgets that a busy machine cannot exhaust.
fn default(gateway: &Gateway) -> Builder {
    builder(gateway).limit_budget(Duration::from_secs(5))
}

#[tokio::test]
async fn calls_made_while_one_is_under_way_leave_together_unless_that_is_off() {
    let redis = needs_redis!();
    for (on, expected) in [(true, vec![1, 9]), (false, vec![1; 10])] {
        let gateway = gateway(redis).await;
        let pond = if on {
            default(&gateway)
        } else {
            // Writes leave one at a time where reads must see them.
            let off = default(&gateway).auto_pipelining(false);
            off.read_your_writes(false)
        };
        let pond = pond.build().unwrap();
        let hold = gateway.hold(Matcher::any().always());
        let calls: Vec<_> = (0..10).map(|_| increment(&pond)).collect();
        hold.arrivals(if on { 1 } else { 10 }).await;
        settle().await;
        hold.release();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(sizes(&gateway), expected, "auto-pipelining: {on}");
    }
}

#[tokio::test]
async fn a_read_shows_the_token_of_the_last_write() {
    let gateway = gateway(needs_redis!()).await;
    let pond = default(&gateway).build().unwrap();
    pond.get::<u32>("k").await.unwrap();
    pond.set("k", &1, MINUTE).await.unwrap();
    pond.get::<u32>("k").await.unwrap();
    pond.get::<u32>("k").await.unwrap();
    pond.set("k", &2, MINUTE).await.unwrap();
    pond.get::<u32>("k").await.unwrap();
    let requests = gateway.requests();
    let reads = requests
        .iter()
        .filter(|it| !it.has_command("EVALSHA") && !it.has_command("EVAL"));
    let tokens: Vec<&str> = reads
        .filter_map(|it| it.header("upstash-sync-token"))
        .collect();
    let [before, once, again, then] = tokens[..] else {
        panic!("four reads, each with a token: {tokens:?}");
    };
    assert_eq!(before, "");
    assert!(
        !once.is_empty() && once == again && again != then,
        "{tokens:?}"
    );
}

#[tokio::test]
async fn without_read_your_writes_no_token_is_shown() {
    let gateway = gateway(needs_redis!()).await;
    let pond = default(&gateway).read_your_writes(false).build().unwrap();
    pond.set("k", &1, MINUTE).await.unwrap();
    pond.get::<u32>("k").await.unwrap();
    let requests = gateway.requests();
    assert!(requests.len() >= 2);
    for request in requests {
        assert_eq!(request.header("upstash-sync-token"), None, "{request:?}");
    }
}

#[tokio::test]
async fn a_request_that_failed_is_sent_again_five_times_or_as_often_as_it_was_said() {
    let redis = needs_redis!();
    for (retries, expected) in [(None, 6), (Some(7), 8), (Some(1), 2), (Some(0), 1)] {
        let gateway = gateway(redis).await;
        // The number is what matters here, so the pauses are short.
        let builder = default(&gateway).backoff(Duration::from_millis(1));
        let builder = match retries {
            Some(retries) => builder.retries(retries),
            None => builder,
        };
        let pond = builder.build().unwrap();
        gateway.inject(Matcher::any().always(), Fault::status(503));
        let error = within_a_minute(pond.get::<u32>("k")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert_eq!(gateway.requests().len(), expected, "{retries:?}");
        assert_eq!(pond.stats().retries, expected as u64 - 1);
    }
}

#[tokio::test]
async fn a_write_that_may_have_run_is_not_sent_again_whatever_the_number() {
    let gateway = gateway(needs_redis!()).await;
    let pond = default(&gateway).retries(100).build().unwrap();
    gateway.inject(Matcher::any().always(), Fault::ResetAfter);
    let error = pond.command(["INCR", "n"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "{error}");
    assert_eq!(gateway.requests().len(), 1);
}

/// The pauses of a call that fails and fails again, to the millisecond. Time stands still while the
/// server is asked, and is moved on by hand during each pause.
async fn pauses(builder: Builder, gateway: &Gateway, count: u32) -> Vec<Duration> {
    gateway.inject(Matcher::any().always(), Fault::status(503));
    // From here on the clock is the test's: a timer that began by the real one would not be moved.
    pause();
    advance(Duration::from_millis(1)).await;
    resume();
    let pond = builder.retries(count).build().unwrap();
    let reader = pond.clone();
    let call = tokio::spawn(async move { reader.get::<u32>("k").await });
    let mut pauses = Vec::new();
    for number in 1..=u64::from(count) {
        // The pause begins in the same poll in which the answer is counted.
        while pond.stats().requests < number {
            tokio::task::yield_now().await;
        }
        pause();
        let start = Instant::now();
        while pond.stats().retries < number {
            advance(Duration::from_millis(1)).await;
        }
        pauses.push(start.elapsed());
        resume();
    }
    assert!(call.await.unwrap().is_err());
    gateway.heal();
    pauses
}

#[tokio::test]
async fn each_pause_is_twice_the_one_before_and_none_is_predictable() {
    let gateway = gateway(needs_redis!()).await;
    // What a timer may be late, and the step in which time is moved on.
    let late = Duration::from_millis(3);
    let assert_doubles = |pauses: &[Duration], first: Duration| {
        let mut longest = first;
        for pause in pauses {
            let fits = (longest / 2..=longest + late).contains(pause);
            assert!(fits, "{pauses:?}, from {first:?} on");
            longest *= 2;
        }
    };
    within_a_minute(async {
        let one = pauses(default(&gateway), &gateway, 5).await;
        assert_doubles(&one, Duration::from_millis(50));
        let other = pauses(default(&gateway), &gateway, 5).await;
        assert_doubles(&other, Duration::from_millis(50));
        assert_ne!(one, other, "jitter keeps processes out of step");
        let first = Duration::from_millis(400);
        let longer = pauses(default(&gateway).backoff(first), &gateway, 3).await;
        assert_doubles(&longer, first);
    })
    .await;
}

#[tokio::test]
async fn a_call_waits_half_a_second_and_a_check_a_second_or_as_long_as_it_was_said() {
    let redis = needs_redis!();
    let gateway = gateway(redis).await;
    let unset = || Millpond::builder().upstash(gateway.url(), gateway.token());
    let _hold = gateway.hold_before(Matcher::any().always());
    let ms = Duration::from_millis;
    let budgets = [
        (unset(), ms(500), ms(1_000)),
        (unset().budget(ms(70)).limit_budget(ms(90)), ms(70), ms(90)),
    ];
    for (builder, of_calls, of_checks) in budgets {
        let pond = builder.build().unwrap();
        pause();
        let start = Instant::now();
        pond.get::<u32>("k").await.unwrap_err();
        let call = start.elapsed();
        let start = Instant::now();
        let decision = pond.limiter(&LIMIT).check("u").await.unwrap();
        let check = start.elapsed();
        resume();
        assert_eq!(decision.outcome(), Outcome::Degraded);
        for (lasted, budget) in [(call, of_calls), (check, of_checks)] {
            let fits = (budget..budget + ms(20)).contains(&lasted);
            assert!(fits, "{lasted:?} with a budget of {budget:?}");
        }
    }
}

#[tokio::test]
async fn a_guard_lives_five_minutes_or_as_long_as_it_was_said() {
    let gateway = gateway(needs_redis!()).await;
    for (builder, expected) in [
        (default(&gateway), "300000"),
        (default(&gateway).guard_life(MINUTE * 2), "120000"),
    ] {
        gateway.clear();
        builder.build().unwrap().delete("k").await.unwrap();
        let commands = gateway.commands();
        assert_eq!(commands[0][..2], ["SET", "{k}:guard"]);
        assert_eq!(commands[0][3..], ["PX", expected]);
    }
}

#[tokio::test]
async fn checks_are_counted_for_the_console_unless_that_is_off() {
    let redis = needs_redis!();
    let clock = ManualClock::new();
    let hour = clock.unix_ms() / 3_600_000 * 3_600_000;
    for on in [true, false] {
        let gateway = gateway(redis).await;
        let builder = default(&gateway).clock(clock.clone());
        let builder = builder.limit_prefix("@acme");
        let builder = if on {
            builder
        } else {
            builder.limit_analytics(false)
        };
        let pond = builder.build().unwrap();
        for _ in 0..3 {
            pond.limiter(&LIMIT).check("u").await.unwrap();
        }
        pond.flush().await.unwrap();
        let key = format!("@acme:{}:events:{hour}", LIMIT.kind());
        let range = ["ZRANGE", &key, "0", "-1", "WITHSCORES"];
        let counted = gateway.database().command(range).await.unwrap();
        let millpond_gateway::Reply::Array(counted) = counted else {
            panic!("members and scores");
        };
        let counted: Vec<_> = counted
            .iter()
            .filter_map(millpond_gateway::Reply::text)
            .collect();
        let expected = [
            r#"{"identifier":"u","success":false}"#,
            "1",
            r#"{"identifier":"u","success":true}"#,
            "2",
        ];
        let expected = if on { &expected[..] } else { &[] };
        assert_eq!(counted, expected, "analytics: {on}");
    }
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn elsewhere_than_on_upstash_checks_are_counted_for_nobody_unless_that_is_on() {
    let redis = needs_redis!();
    let clock = ManualClock::new();
    let key = format!(
        "@upstash/ratelimit:{}:events:{}",
        LIMIT.kind(),
        clock.unix_ms()
    );
    let over_resp = || Millpond::builder().redis(redis.database().url());
    for (builder, members) in [
        (Millpond::builder(), 0),
        (over_resp(), 0),
        (over_resp().limit_analytics(true), 1),
        (Millpond::builder().limit_analytics(true), 1),
    ] {
        let builder = builder.clock(clock.clone()).budget(MINUTE);
        let pond = builder
            .limit_budget(Duration::from_secs(5))
            .build()
            .unwrap();
        pond.limiter(&LIMIT).check("u").await.unwrap();
        pond.flush().await.unwrap();
        let counted = pond.command(["ZCARD", &key].map(str::to_owned)).await;
        assert_eq!(counted.unwrap(), Reply::Int(members), "{pond:?}");
    }
}

#[tokio::test]
async fn a_known_refusal_sends_nothing_unless_every_check_is_to_ask() {
    let redis = needs_redis!();
    let clock = ManualClock::new();
    for on in [true, false] {
        let gateway = gateway(redis).await;
        let builder = default(&gateway).limit_analytics(false);
        let builder = builder.clock(clock.clone());
        let builder = if on {
            builder
        } else {
            builder.limit_block_cache(false)
        };
        let pond = builder.build().unwrap();
        let limiter = pond.limiter(&LIMIT);
        limiter.check_n("u", 2).await.unwrap();
        limiter.check("u").await.unwrap();
        gateway.clear();
        for _ in 0..3 {
            let refused = limiter.check("u").await.unwrap();
            let reason = if on {
                Reason::Blocked
            } else {
                Reason::Exhausted
            };
            assert_eq!(refused.reason(), Some(reason));
        }
        let sent = if on { vec![] } else { vec!["EVALSHA"; 3] };
        assert_eq!(names(&gateway), sent, "block cache: {on}");
        assert_eq!(pond.stats().limits.blocked, if on { 3 } else { 0 });
    }
}

#[tokio::test]
async fn without_a_block_cache_a_budget_that_others_give_back_is_seen_at_once() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let builder = default(&gateway).clock(clock.clone());
    let pond = builder.limit_block_cache(false).build().unwrap();
    let limiter = pond.limiter(&LIMIT);
    limiter.check_n("u", 2).await.unwrap();
    assert!(!limiter.check("u").await.unwrap().is_allowed());
    let key = format!("@upstash/ratelimit:SETTING:u:{}", clock.unix_ms() / 60_000);
    gateway.database().command(["DEL", &key]).await.unwrap();
    assert!(limiter.check("u").await.unwrap().is_allowed());
}

/// The `waitUntil` of a serverless platform: what has not left by then never leaves.
#[tokio::test]
async fn flush_returns_when_all_that_waited_has_arrived() {
    let gateway = gateway(needs_redis!()).await;
    let pond = default(&gateway).retries(0).build().unwrap();
    within_a_minute(async {
        pond.set("k", &1, MINUTE).await.unwrap();
        gateway.inject(Matcher::command("DEL").always(), Fault::status(503));
        pond.delete("k").await.unwrap_err();
        assert_eq!(pond.stats().pending_invalidations, 1);
        pond.limiter(&LIMIT).check("u").await.unwrap();
        gateway.heal();
        let hold = gateway.hold(Matcher::when(|request| {
            let mut arguments = request.commands.iter().flatten();
            arguments.any(|argument| argument.contains(":events:"))
        }));
        let flush = tokio::spawn({
            let pond = pond.clone();
            async move { pond.flush().await }
        });
        hold.arrived().await;
        settle().await;
        assert!(!flush.is_finished(), "the answer is still on its way");
        hold.release();
        flush.await.unwrap().unwrap();
    })
    .await;
    assert_eq!(pond.stats().pending_invalidations, 0);
    assert_eq!(pond.stats().limits.events_lost, 0);
    let stored = gateway.database().command(["EXISTS", "k"]).await.unwrap();
    assert_eq!(stored, millpond_gateway::Reply::Int(0));
}

#[tokio::test]
async fn the_embedded_engine_holds_no_more_than_it_was_told_to() {
    let pond = Millpond::builder().memory().memory_bytes(64 * 1024);
    let pond = pond.build().unwrap();
    let kilobyte = "x".repeat(1_000);
    for n in 0..200 {
        let set = ["SET".to_owned(), format!("k:{n}"), kilobyte.clone()];
        pond.command(set).await.unwrap();
    }
    let Reply::Int(kept) = pond.command(["DBSIZE"]).await.unwrap() else {
        panic!("DBSIZE answers with a number");
    };
    assert!((1..64).contains(&kept), "{kept} keys of a kilobyte each");
    let last = pond.get::<String>("k:199").await.unwrap();
    assert_eq!(last, Some(kilobyte), "what was not used for long goes");
}
