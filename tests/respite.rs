//! A provider that wants to be left alone is: nothing is sent before the time is over, and everybody is told
//! why.

#![cfg(feature = "upstash")]

mod support;

use millpond::{ErrorKind, ManualClock, Millpond};
use millpond_gateway::{Fault, Gateway, Matcher, needs_redis};
use std::time::Duration;
use support::gateway;
use support::log::Log;

fn pond(gateway: &Gateway, clock: &ManualClock) -> Millpond {
    let builder = support::builder(gateway).clock(clock.clone());
    builder.build().unwrap()
}

/// Nothing is sent for as long as it was asked; then the next call is an ordinary one.
async fn is_left_alone(
    gateway: &Gateway,
    pond: &Millpond,
    clock: &ManualClock,
    seconds: u64,
    why: &str,
) {
    gateway.heal();
    let before = gateway.requests().len();
    for second in [0, seconds - 1] {
        clock.advance(Duration::from_secs(second));
        for _ in 0..10 {
            let error = pond.command(["INCR", "n"]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    assert_eq!(gateway.requests().len(), before);
    let outage = pond.stats().outage.unwrap();
    assert!(outage.contains(why), "{outage}");
    clock.advance(Duration::from_secs(1));
    pond.command(["INCR", "n"]).await.unwrap();
    assert_eq!(gateway.requests().len(), before + 1);
    assert_eq!(pond.stats().outage, None);
}

#[tokio::test]
async fn retry_after_is_kept_whatever_its_form_and_status() {
    let date = "Fri, 31 Dec 9999 23:59:59 GMT".to_owned();
    for (fault, seconds, why) in [
        (Fault::try_later(429, "30"), 30, "status 429"),
        (Fault::try_later(503, "2"), 2, "status 503"),
        // Ten minutes are the most that nobody looks for.
        (Fault::try_later(429, date), 600, "status 429"),
        (Fault::try_later(429, "86400"), 600, "status 429"),
    ] {
        let gateway = gateway(needs_redis!()).await;
        let clock = ManualClock::new();
        let pond = pond(&gateway, &clock);
        gateway.inject(Matcher::any().always(), fault.clone());
        let error = pond.command(["GET", "n"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?} {error}");
        assert_eq!(gateway.requests().len(), 1, "{fault:?}");
        is_left_alone(&gateway, &pond, &clock, seconds, why).await;
    }
}

#[tokio::test]
async fn a_refused_command_did_not_run_and_says_so() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway, &ManualClock::new());
    gateway.inject("INCR", Fault::try_later(429, "30"));
    let error = pond.command(["INCR", "n"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn without_a_time_it_is_tried_again_as_ever() {
    for after in ["0", "soon", ""] {
        let gateway = gateway(needs_redis!()).await;
        let pond = pond(&gateway, &ManualClock::new());
        gateway.inject(Matcher::any(), Fault::try_later(429, after));
        assert_eq!(pond.get::<u32>("k").await.unwrap(), None, "{after:?}");
        assert_eq!(gateway.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_plan_that_is_used_up_is_looked_at_once_a_minute() {
    let used_up = "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.";
    for fault in [
        Fault::error(400, used_up),
        Fault::json(format!(r#"[{{"error":"{used_up}"}}]"#)),
        Fault::error(
            400,
            "ERR max requests limit exceeded. Limit: 500000, Usage: 500000.",
        ),
    ] {
        let gateway = gateway(needs_redis!()).await;
        let clock = ManualClock::new();
        let pond = pond(&gateway, &clock);
        gateway.inject(Matcher::any().always(), fault.clone());
        let error = pond.command(["INCR", "n"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?} {error}");
        assert!(
            error
                .to_string()
                .contains("the plan of the database is used up"),
            "{error}"
        );
        assert_eq!(gateway.requests().len(), 1, "{fault:?}");
        is_left_alone(&gateway, &pond, &clock, 60, "plan of the database").await;
    }
}

#[tokio::test]
async fn what_waits_behind_a_refused_request_is_not_sent_either() {
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway, &ManualClock::new());
    let hold = gateway.hold_before(Matcher::any());
    let spawn = |command: &'static [&'static str]| {
        let pond = pond.clone();
        tokio::spawn(async move { pond.command(command.iter().copied()).await })
    };
    let first = spawn(&["SET", "a", "1"]);
    hold.arrived().await;
    let behind: Vec<_> = (0..5).map(|_| spawn(&["INCR", "n"])).collect();
    support::settle().await;
    hold.fail(Fault::try_later(429, "30"));
    for call in behind.into_iter().chain([first]) {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    assert_eq!(gateway.requests().len(), 1);
}

#[tokio::test]
async fn the_log_says_why_once_and_when_it_is_over() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let pond = pond(&gateway, &clock);
    let (log, _guard) = Log::of_this_thread();
    gateway.inject(Matcher::any(), Fault::try_later(429, "30"));
    for _ in 0..20 {
        pond.get::<u32>("k").await.unwrap_err();
    }
    clock.advance(Duration::from_secs(30));
    assert_eq!(pond.get::<u32>("k").await.unwrap(), None);
    let text = log.text();
    let lines = |part: &str| text.lines().filter(|line| line.contains(part)).count();
    assert_eq!(
        lines("nothing is sent to the store for 30000 ms"),
        1,
        "{text}"
    );
    assert!(text.contains("status 429"));
    assert_eq!(lines("the store answers again refused="), 1, "{text}");
}
