//! A window never admits more than its limit, however late a check arrives and whatever clocks say: on the
//! embedded engine, over REST and over RESP.

mod support;

use millpond::limit::{Limit, OnOutage, Outcome, Reason};
use millpond::{Builder, ErrorKind, ManualClock, Millpond};
use millpond_gateway::{Database, Gateway, RedisServer, Reply, needs_redis};
use std::time::Duration;
use support::gateway;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const LIMITS: [Limit; 6] = [
    Limit::fixed_window("FIXED", 10, SECOND).on_outage(OnOutage::Deny),
    Limit::sliding_window("SLIDING", 10, SECOND).on_outage(OnOutage::Deny),
    Limit::sliding_window("SLIDING5", 10, Duration::from_secs(5)).on_outage(OnOutage::Deny),
    Limit::fixed_window("MINUTE", 10, MINUTE).on_outage(OnOutage::Deny),
    Limit::sliding_window("SLIDINGMINUTE", 10, MINUTE).on_outage(OnOutage::Deny),
    Limit::token_bucket("BUCKET", 1, SECOND, 5).on_outage(OnOutage::Deny),
];

fn builder(clock: &ManualClock) -> Builder {
    Millpond::builder()
        .clock(clock.clone())
        .limit_budget(Duration::from_secs(5))
        .limit_analytics(false)
}

async fn over_rest(redis: &RedisServer) -> (Gateway, Database) {
    let database = redis.database();
    (Gateway::start(&database).await.unwrap(), database)
}

/// The milliseconds that are left of a key, by the server.
async fn left(database: &Database, pattern: &str) -> i64 {
    let keys = database.command(["KEYS", pattern]).await.unwrap();
    let Reply::Array(keys) = keys else {
        panic!("{keys:?}")
    };
    assert_eq!(keys.len(), 1, "{keys:?}");
    let key = keys[0].text().unwrap();
    match database.command(["PTTL", &key]).await.unwrap() {
        Reply::Int(left) => left,
        other => panic!("{other:?}"),
    }
}

/// A counter is kept for whoever read the clock in its window, 5 s slower than the first, and took 5 s.
#[tokio::test]
async fn a_counter_outlives_its_window_by_ten_seconds() {
    let redis = needs_redis!();
    for (limit, within) in [
        (LIMITS[0], 1_000),
        (LIMITS[1], 2_000),
        (LIMITS[2], 10_000),
        (LIMITS[3], 60_000),
        (LIMITS[4], 120_000),
    ] {
        let (gateway, behind) = over_rest(redis).await;
        let plain = redis.database();
        for elapsed in [0_u64, 400, 999] {
            let clock = ManualClock::at(1_767_225_600_000 + elapsed);
            let rest = builder(&clock).upstash(gateway.url(), gateway.token());
            let direct = builder(&clock).redis(plain.url());
            for (pond, database) in [(rest, &behind), (direct, &plain)] {
                let id = format!("u{elapsed}");
                let pond = pond.build().unwrap();
                pond.limiter(&limit).check(&id).await.unwrap();
                let left = left(database, &format!("*:{}:{id}:*", limit.kind())).await;
                let expected = within - i64::try_from(elapsed).unwrap() + 10_000;
                assert!(
                    (expected - 2_000..=expected.max(within + 1_000)).contains(&left),
                    "{limit:?} {elapsed}: {left}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_check_with_a_clock_reading_from_the_window_finds_its_counter() {
    for limit in &LIMITS[..5] {
        // The engine's clock is the first one's; the other is 5 s slow, and its check takes 5 s.
        let clock = ManualClock::at(1_767_225_600_000);
        let pond = builder(&clock).build().unwrap();
        let limiter = pond.limiter(limit);
        assert!(limiter.check_n("u", 10).await.unwrap().is_allowed());
        clock.advance(limit.window() + Duration::from_millis(9_999));
        let index = 1_767_225_600_000 / u64::try_from(limit.window().as_millis()).unwrap();
        let key = format!("@upstash/ratelimit:{}:u:{index}", limit.kind());
        let counter = pond.command(["GET", key.as_str()]).await.unwrap();
        assert_eq!(counter, millpond::Reply::Bulk("10".into()), "{limit:?}");
    }
}

/// 5.2 s after a bucket of 5 was drained, it would have been full, and was gone.
#[tokio::test]
async fn a_late_check_does_not_find_a_drained_bucket_full() {
    let database = needs_redis!().database();
    let clock = ManualClock::new();
    let pond = builder(&clock).redis(database.url()).build().unwrap();
    let bucket = pond.limiter(&LIMITS[5]);
    assert!(bucket.check_n("u", 5).await.unwrap().is_allowed());
    assert!(left(&database, "*:BUCKET:u").await > 14_000);
    // Another process, whose clock is where that one's was.
    let other = builder(&clock).redis(database.url()).build().unwrap();
    assert!(
        !other
            .limiter(&LIMITS[5])
            .check("u")
            .await
            .unwrap()
            .is_allowed()
    );
}

#[tokio::test]
async fn an_answer_later_than_the_budget_admits_nobody() {
    let gateway = gateway(needs_redis!()).await;
    for limit in &LIMITS {
        let clock = ManualClock::new();
        let pond = builder(&clock).upstash(gateway.url(), gateway.token());
        let pond = pond.build().unwrap();
        let limiter = pond.limiter(limit);
        let hold = gateway.hold("EVALSHA");
        let check = tokio::spawn(async move { limiter.check("u").await.unwrap() });
        hold.arrived().await;
        clock.advance(Duration::from_millis(5_001));
        hold.release();
        let decision = check.await.unwrap();
        assert_eq!(decision.outcome(), Outcome::Degraded, "{limit:?}");
        assert!(!decision.is_allowed());
        let reason = Some(Reason::Outage(ErrorKind::Timeout));
        assert_eq!(decision.reason(), reason);

        let limiter = pond.limiter(limit);
        let hold = gateway.hold("EVALSHA");
        let check = tokio::spawn(async move { limiter.check("v").await.unwrap() });
        hold.arrived().await;
        clock.advance(Duration::from_millis(4_900));
        hold.release();
        assert_eq!(check.await.unwrap().outcome(), Outcome::Allowed);
    }
}

/// A process that was frozen: its monotonic clock stood still.
#[tokio::test]
async fn a_check_that_slept_admits_nobody() {
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let pond = builder(&clock).upstash(gateway.url(), gateway.token());
    let limiter = pond.build().unwrap().limiter(&LIMITS[0]);
    let hold = gateway.hold("EVALSHA");
    let check = tokio::spawn(async move { limiter.check("u").await.unwrap() });
    hold.arrived().await;
    clock.set_unix_ms(clock.unix_ms() + 60_000);
    hold.release();
    assert!(!check.await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_budget_over_five_seconds_is_refused_by_the_builder() {
    let wrong = Millpond::builder().limit_budget(Duration::from_millis(5_001));
    let error = wrong.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("limit_budget"), "{error}");
    let right = Millpond::builder().limit_budget(Duration::from_secs(5));
    assert!(right.build().is_ok());
}

#[tokio::test]
async fn what_a_refused_call_took_first_is_taken_back() {
    let redis = needs_redis!();
    let (rest, behind) = over_rest(redis).await;
    let plain = redis.database();
    let clock = ManualClock::new();
    let fixed = Limit::fixed_window("FIXED", 10, MINUTE);
    let other = Limit::fixed_window("OTHER", 2, MINUTE);
    for (pond, database) in [
        (builder(&clock).upstash(rest.url(), rest.token()), &behind),
        (builder(&clock).redis(plain.url()), &plain),
    ] {
        let pond = pond.build().unwrap();
        let limiter = pond.limiter(&fixed);
        limiter.check_n("u", 7).await.unwrap();
        assert!(!limiter.check_n("u", 4).await.unwrap().is_allowed());
        assert_eq!(limiter.peek("u").await.unwrap().remaining(), Some(3));
        // The first of two windows is new, and its counter would have no lifetime.
        pond.limiter(&other).check_n("v", 2).await.unwrap();
        let both = pond.limiter(&fixed).and(&other);
        assert!(!both.check("v").await.unwrap().is_allowed());
        let keys = database.command(["KEYS", "*FIXED:v*"]).await.unwrap();
        assert_eq!(keys, Reply::Array(Vec::new()));
    }
}

/// A bucket was filled by a clock that was an hour fast.
#[tokio::test]
async fn a_clock_that_was_an_hour_fast_locks_nobody_out_for_an_hour() {
    let bucket = Limit::token_bucket("HOURFAST", 1, SECOND, 5);
    let now = 1_767_225_600_000;
    // Over Redis, whose clock does not follow ours: what its key would have lived is over.
    let database = needs_redis!().database();
    let clock = ManualClock::at(now);
    let pond = builder(&clock).redis(database.url()).build().unwrap();
    let limiter = pond.limiter(&bucket);
    clock.set_unix_ms(now + 3_600_000);
    assert!(limiter.check_n("u", 5).await.unwrap().is_allowed());
    assert!(!limiter.check("u").await.unwrap().is_allowed());
    clock.set_unix_ms(now);
    let refused = limiter.check("u").await.unwrap();
    assert!(!refused.is_allowed());
    assert!(
        refused.retry_after() <= Some(Duration::from_secs(15)),
        "{refused:?}"
    );
    database
        .command(["DEL", "@upstash/ratelimit:HOURFAST:u"])
        .await
        .unwrap();
    clock.advance(Duration::from_secs(15));
    assert!(limiter.check("u").await.unwrap().is_allowed());
}

#[tokio::test]
async fn a_clock_that_was_an_hour_fast_locks_nobody_out_of_the_embedded_engine() {
    let limits = [
        Limit::token_bucket("BUCKET", 1, SECOND, 5),
        Limit::fixed_window("FIXED", 5, 5 * SECOND),
        Limit::sliding_window("SLIDING", 5, 5 * SECOND),
    ];
    let now = 1_767_225_600_000;
    for limit in limits {
        let clock = ManualClock::at(now);
        let pond = builder(&clock).memory().build().unwrap();
        let limiter = pond.limiter(&limit);
        clock.set_unix_ms(now + 3_600_000);
        assert!(limiter.check_n("u", 5).await.unwrap().is_allowed());
        let refused = limiter.check("u").await.unwrap();
        assert!(!refused.is_allowed());
        clock.set_unix_ms(now);
        let corrected = limiter.check("u").await.unwrap();
        assert!(!corrected.is_allowed(), "{limit:?}");
        assert_eq!(corrected.retry_after(), refused.retry_after());
        clock.advance(corrected.retry_after().unwrap());
        assert!(limiter.check("u").await.unwrap().is_allowed(), "{limit:?}");
    }
}
