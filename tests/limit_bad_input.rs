//! What callers, configurations and clocks can say that no limit expects: an error or a refusal, never a panic, and never
//! a unit too many, on each engine.

mod support;

use millpond::limit::{Limit, Outcome, Reason};
use millpond::{ErrorKind, ManualClock, Millpond};
use millpond_gateway::{RedisServer, needs_redis};
use std::time::{Duration, SystemTime};
use support::gateway;

const MINUTE: Duration = Duration::from_secs(60);
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);
const MOST: u64 = 1_000_000_000_000_000;

const ALGORITHMS: [Limit; 3] = [
    Limit::fixed_window("FIXED", 10, MINUTE),
    Limit::sliding_window("SLIDING", 10, MINUTE),
    Limit::token_bucket("BUCKET", 10, MINUTE, 10),
];

/// The embedded engine, and the others where there is a server.
async fn on_every_engine(
    redis: &'static RedisServer,
    clock: &ManualClock,
    test: impl AsyncFn(&Millpond, &str),
) {
    let builder = || {
        Millpond::builder()
            .clock(clock.clone())
            .limit_budget(Duration::from_secs(5))
            .limit_analytics(true)
    };
    let over_rest = gateway(redis).await;
    #[cfg(feature = "redis")]
    let database = redis.database();
    for (name, builder) in [
        ("embedded", builder().memory()),
        (
            "REST",
            builder().upstash(over_rest.url(), over_rest.token()),
        ),
        #[cfg(feature = "redis")]
        ("RESP", builder().redis(database.url())),
    ] {
        test(&builder.build().unwrap(), name).await;
    }
}

#[tokio::test]
async fn numbers_of_a_configuration_that_make_no_limit_are_errors() {
    let redis = needs_redis!();
    for limit in ALGORITHMS {
        for (units, window, words) in [
            (0, MINUTE, "zero"),
            (MOST + 1, MINUTE, "at most 1_000_000_000_000_000"),
            (u64::MAX, CENTURY, "at most 1_000_000_000_000_000"),
            (1, Duration::ZERO, "at least 1 ms"),
            (1, Duration::from_nanos(1), "millisecond"),
            (1, Duration::from_micros(1_500), "millisecond"),
            (1, CENTURY + Duration::from_millis(1), "100 years"),
            (1, Duration::from_secs(u64::MAX), "100 years"),
            (1, Duration::MAX, "millisecond"),
        ] {
            let error = limit.checked(units, window).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidValue);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
    on_every_engine(redis, &ManualClock::new(), async |pond, engine| {
        for limit in ALGORITHMS {
            for (units, window) in [
                (1, Duration::from_millis(1)),
                (MOST, Duration::from_millis(1)),
                (1, CENTURY),
                (MOST, CENTURY),
            ] {
                let limit = limit.checked(units, window).unwrap();
                let limiter = pond.limiter(&limit);
                let id = format!("{units} {window:?}");
                let all = limiter.check_n(&id, units).await.unwrap();
                assert_eq!(all.outcome(), Outcome::Allowed, "{engine} {limit:?}");
                assert_eq!(all.remaining(), Some(0), "{engine} {limit:?}");
                let refused = limiter.check(&id).await.unwrap();
                assert_eq!(refused.outcome(), Outcome::Refused, "{engine} {limit:?}");
                let wait = refused.retry_after().unwrap();
                assert!(wait > Duration::ZERO && wait <= 2 * window, "{wait:?}");
                limiter.refund(&all).await.unwrap();
                assert_eq!(limiter.peek(&id).await.unwrap().remaining(), Some(units));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn identifiers_are_any_text_and_each_is_somebody_else() {
    let redis = needs_redis!();
    let mut ids: Vec<String> = (0..=0x24F)
        .filter_map(char::from_u32)
        .map(String::from)
        .collect();
    ids.extend(
        [
            "\u{202e}",
            "\u{feff}",
            "\u{ffff}",
            "\u{10ffff}",
            "e\u{301}",
            "é",
            "K",
            "\u{212a}",
        ]
        .map(String::from),
    );
    ids.extend(
        [
            "\0\0", "\r\n", "u ", " u", "u", "U", "%", "%25", "%~", "%others", "{}", "{a}b", "a:1",
            "a:1:2",
        ]
        .map(String::from),
    );
    ids.extend([256, 257, 100_000].map(|length| "x".repeat(length)));
    ids.sort();
    ids.dedup();
    on_every_engine(redis, &ManualClock::new(), async |pond, engine| {
        for limit in ALGORITHMS {
            let limiter = pond.limiter(&limit);
            for taken in [4, 8] {
                for id in &ids {
                    let decision = limiter.check_n(id, 4).await.unwrap();
                    assert_eq!(decision.remaining(), Some(10 - taken), "{engine} {id:.20?}");
                }
            }
            let error = limiter.check("").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidKey);
        }
        pond.flush().await.unwrap();
        assert_eq!(pond.stats().limits.events_lost, 0, "{engine}");
    })
    .await;
}

#[tokio::test]
async fn a_cost_over_the_limit_takes_nothing_and_says_that_waiting_is_in_vain() {
    let redis = needs_redis!();
    on_every_engine(redis, &ManualClock::new(), async |pond, engine| {
        for limit in ALGORITHMS {
            let limiter = pond.limiter(&limit);
            for cost in [11, MOST, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
                let refused = limiter.check_n("u", cost).await.unwrap();
                assert_eq!(refused.reason(), Some(Reason::CostAboveLimit), "{engine}");
                assert_eq!((refused.retry_at(), refused.remaining()), (None, None));
                limiter.refund(&refused).await.unwrap();
                // Beside another limit, of which nothing is taken either.
                let other = Limit::fixed_window("OTHER", MOST, MINUTE);
                let both = pond.limiter(&other).and_for(&limit, "u");
                assert!(!both.check_n("u", cost).await.unwrap().is_allowed());
                assert_eq!(
                    pond.limiter(&other).peek("u").await.unwrap().remaining(),
                    Some(MOST)
                );
            }
            // Each of them fits, and their sum does not.
            let twice = pond.limiter(&limit).and_for(&limit, "u");
            let refused = twice.check_n("u", 6).await.unwrap();
            assert_eq!(refused.reason(), Some(Reason::CostAboveLimit), "{engine}");
            let refused = twice.check_n("u", u64::MAX).await.unwrap();
            assert_eq!(refused.reason(), Some(Reason::CostAboveLimit), "{engine}");
            assert_eq!(
                limiter.peek("u").await.unwrap().remaining(),
                Some(10),
                "{engine}"
            );
            let all = limiter.check_n("u", 10).await.unwrap();
            limiter.refund_n(&all, u64::MAX).await.unwrap();
            assert_eq!(
                limiter.peek("u").await.unwrap().remaining(),
                Some(10),
                "{engine}"
            );
        }
    })
    .await;
}

/// The clock of a machine without a battery, of one whose clock somebody set wrong, and of one that lies.
#[tokio::test]
async fn a_clock_that_is_far_off_panics_nowhere_and_admits_no_more_than_the_limit() {
    let redis = needs_redis!();
    for now in [
        0,
        1,
        59_999,
        i64::MAX as u64 / 1_000_000,
        253_402_300_799_999,
        253_402_300_800_000,
        (1 << 53) + 1,
        i64::MAX as u64,
        u64::MAX - 1,
        u64::MAX,
    ] {
        let clock = ManualClock::at(now);
        on_every_engine(redis, &clock, async |pond, engine| {
            for limit in ALGORITHMS {
                let limiter = pond.limiter(&limit);
                let place = format!("{engine} {} at {now}", limit.kind());
                assert_eq!(
                    limiter.peek("u").await.unwrap().remaining(),
                    Some(10),
                    "{place}"
                );
                let mut admitted = 0;
                let mut last = None;
                for _ in 0..14 {
                    let decision = limiter.check("u").await.unwrap();
                    assert_ne!(
                        decision.outcome(),
                        Outcome::Degraded,
                        "{place}: {decision:?}"
                    );
                    admitted += u32::from(decision.is_allowed());
                    assert!(decision.reset() > Some(SystemTime::UNIX_EPOCH), "{place}");
                    if let Some(wait) = decision.retry_after() {
                        assert!(wait <= 3 * MINUTE, "{place}: {wait:?}");
                    }
                    last = decision.is_allowed().then_some(decision).or(last);
                }
                assert_eq!(admitted, 10, "{place}");
                limiter.refund(&last.unwrap()).await.unwrap();
                assert!(limiter.check("u").await.unwrap().is_allowed(), "{place}");
                assert!(!limiter.check("u").await.unwrap().is_allowed(), "{place}");
                limiter.reset("u").await.unwrap();
            }
        })
        .await;
    }
}

/// What other software, or a clock that was wrong, left behind.
#[tokio::test]
async fn stored_numbers_that_no_limit_writes_panic_nowhere() {
    let redis = needs_redis!();
    let clock = ManualClock::new();
    let numbers = [
        "-1",
        "0",
        "-9223372036854775808",
        "9223372036854775807",
        "1e300",
        "-1e300",
        "0.5",
        "nan",
        "inf",
        "x",
        "",
    ];
    on_every_engine(redis, &clock, async |pond, engine| {
        let window = clock.unix_ms() / 60_000;
        for number in numbers {
            for (limit, key) in [
                (ALGORITHMS[0], window),
                (ALGORITHMS[1], window),
                (ALGORITHMS[1], window - 1),
            ] {
                let name = format!("@upstash/ratelimit:{}:u:{key}", limit.kind());
                pond.command(["SET", &name, number, "PX", "60000"])
                    .await
                    .unwrap();
                let decision = pond.limiter(&limit).check("u").await.unwrap();
                assert!(
                    decision.retry_after() <= Some(2 * MINUTE),
                    "{engine} {number}"
                );
                pond.command(["DEL", &name]).await.unwrap();
                pond.limiter(&limit).reset("u").await.unwrap();
            }
            for fields in [[number, "5"], ["1767225600000", number], [number, number]] {
                let name = "@upstash/ratelimit:BUCKET:u";
                pond.command(["HSET", name, "refilledAt", fields[0], "tokens", fields[1]])
                    .await
                    .unwrap();
                let _ = pond.limiter(&ALGORITHMS[2]).peek("u").await;
                let decision = pond.limiter(&ALGORITHMS[2]).check("u").await.unwrap();
                let _ = pond.limiter(&ALGORITHMS[2]).refund(&decision).await;
                pond.limiter(&ALGORITHMS[2]).reset("u").await.unwrap();
            }
        }
        let well = pond.limiter(&ALGORITHMS[2]).check("u").await.unwrap();
        assert_eq!(
            well.remaining(),
            Some(9),
            "{engine}: as if nothing had happened"
        );
    })
    .await;
}
