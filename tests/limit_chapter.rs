//! The chapter on limits of docs/interop.md, with the published `@upstash/ratelimit` beside millpond on one database: what is
//! shared, what differs, and what is not shared. Budgets and events as such: `limit_interop`; expiry: `limit_differential`.

#[path = "support/npm.rs"]
mod npm;
mod support;

use millpond::limit::Limit;
use millpond::{Builder, ManualClock, Millpond};
use millpond_gateway::{Gateway, Reply, needs_redis};
use npm::Npm;
use serde_json::{Value, json};
use std::time::Duration;
use support::{gateway, needs_npm};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// 2026-01-01T00:00:00Z
const NOW: u64 = 1_767_225_600_000;

fn builder(gateway: &Gateway, clock: &ManualClock) -> Builder {
    Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .clock(clock.clone())
        .limit_budget(Duration::from_secs(5))
}

fn npm_limiter(prefix: &str, algorithm: &str, units: u64, window: Duration) -> Value {
    let window = u64::try_from(window.as_millis()).unwrap();
    json!({
        "do": "limit", "prefix": prefix, "algorithm": algorithm, "units": units, "refill": 1,
        "window": window, "id": "u", "cost": 1, "now": NOW,
    })
}

fn with(mut step: Value, fields: Value) -> Value {
    let (Value::Object(step_fields), Value::Object(fields)) = (&mut step, fields) else {
        panic!("both are objects");
    };
    step_fields.extend(fields);
    step
}

async fn command(gateway: &Gateway, command: &[&str]) -> Reply {
    gateway.database().command(command).await.unwrap()
}

/// The first table: each row is taken from both sides.
#[tokio::test]
async fn each_row_of_the_table_is_one_budget() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::at(NOW);
    let mut npm = Npm::start(&gateway);
    let plain = builder(&gateway, &clock).build().unwrap();
    let acme = builder(&gateway, &clock)
        .limit_prefix("@acme")
        .build()
        .unwrap();
    let staging = builder(&gateway, &clock)
        .namespace("staging")
        .build()
        .unwrap();
    let fixed = |kind| Limit::fixed_window(kind, 5, HOUR);
    let bucket = Limit::token_bucket("BUCKET", 1, MINUTE, 5);
    let rows = [
        (
            &plain,
            fixed("FIXED"),
            "@upstash/ratelimit:FIXED",
            "fixed",
            HOUR,
        ),
        (&acme, fixed("FIXED"), "@acme:FIXED", "fixed", HOUR),
        (
            &plain,
            fixed("X").under("@hexwave/ratelimit:expensive"),
            "@hexwave/ratelimit:expensive",
            "fixed",
            HOUR,
        ),
        (
            &plain,
            fixed("Y").under("@upstash/ratelimit"),
            "@upstash/ratelimit",
            "fixed",
            HOUR,
        ),
        (
            &staging,
            fixed("FIXED"),
            "staging:@upstash/ratelimit:FIXED",
            "fixed",
            HOUR,
        ),
        (
            &staging,
            fixed("Z").under("any"),
            "staging:any",
            "fixed",
            HOUR,
        ),
        (
            &plain,
            Limit::sliding_window("SLIDING", 5, HOUR),
            "@upstash/ratelimit:SLIDING",
            "sliding",
            HOUR,
        ),
        (
            &plain,
            bucket,
            "@upstash/ratelimit:BUCKET",
            "bucket",
            MINUTE,
        ),
    ];
    for (pond, limit, prefix, algorithm, window) in rows {
        let theirs = npm_limiter(prefix, algorithm, 5, window);
        for taken in [1, 3] {
            let decision = pond.limiter(&limit).check("u").await.unwrap();
            assert_eq!(decision.remaining(), Some(5 - taken), "{prefix}");
            assert_eq!(npm.call(&theirs).await["remaining"], 4 - taken, "{prefix}");
        }
    }
    // Keys and values.
    let window = NOW / 3_600_000;
    let key = format!("@upstash/ratelimit:SLIDING:u:{window}");
    assert_eq!(command(&gateway, &["GET", &key]).await.text().unwrap(), "4");
    let bucket = command(
        &gateway,
        &[
            "HMGET",
            "@upstash/ratelimit:BUCKET:u",
            "refilledAt",
            "tokens",
        ],
    )
    .await;
    let Reply::Array(fields) = bucket else {
        panic!("two fields")
    };
    let fields: Vec<_> = fields.iter().map(|field| field.text().unwrap()).collect();
    assert_eq!(fields, [NOW.to_string(), "1".to_owned()]);
}

/// "What differs."
#[tokio::test]
async fn npm_takes_for_what_it_refuses_and_millpond_does_not() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::at(NOW);
    let (pond, mut npm) = (
        builder(&gateway, &clock).build().unwrap(),
        Npm::start(&gateway),
    );
    for (algorithm, limit) in [
        ("fixed", Limit::fixed_window("FIXED", 5, HOUR)),
        ("sliding", Limit::sliding_window("SLIDING", 5, HOUR)),
    ] {
        let prefix = format!("@upstash/ratelimit:{}", limit.kind());
        let theirs = npm_limiter(&prefix, algorithm, 5, HOUR);
        let limiter = pond.limiter(&limit);
        for id in ["ours", "theirs"] {
            limiter.check_n(id, 3).await.unwrap();
        }
        assert!(!limiter.check_n("ours", 4).await.unwrap().is_allowed());
        let batch = with(theirs.clone(), json!({ "id": "theirs", "cost": 4 }));
        assert_eq!(npm.call(&batch).await["success"], false);
        let counter = async |id: &str| {
            let key = format!("{prefix}:{id}:{}", NOW / 3_600_000);
            command(&gateway, &["GET", &key]).await.text().unwrap()
        };
        assert_eq!(counter("ours").await, "3", "{algorithm}");
        assert_eq!(counter("theirs").await, "7", "{algorithm}");
        assert!(limiter.check_n("ours", 2).await.unwrap().is_allowed());
        // What npm took for a refusal is gone for both.
        assert!(!limiter.check("theirs").await.unwrap().is_allowed());
    }
    // One call that a sliding window refuses is not counted by either.
    let theirs = npm_limiter("@upstash/ratelimit:SLIDING", "sliding", 5, HOUR);
    let refused = npm.call(&with(theirs, json!({ "id": "ours" }))).await;
    assert_eq!(refused["success"], false);
    let key = format!("@upstash/ratelimit:SLIDING:ours:{}", NOW / 3_600_000);
    assert_eq!(command(&gateway, &["GET", &key]).await.text().unwrap(), "5");
}

#[tokio::test]
async fn npm_shows_a_bucket_as_it_was_stored() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::at(NOW);
    let (pond, mut npm) = (
        builder(&gateway, &clock).build().unwrap(),
        Npm::start(&gateway),
    );
    let limit = Limit::token_bucket("BUCKET", 1, MINUTE, 5);
    pond.limiter(&limit).check_n("u", 5).await.unwrap();
    clock.advance(2 * MINUTE);
    let theirs = npm_limiter("@upstash/ratelimit:BUCKET", "bucket", 5, MINUTE);
    let look = with(
        theirs.clone(),
        json!({ "do": "remaining", "now": NOW + 120_000 }),
    );
    assert_eq!(npm.call(&look).await["remaining"], 0);
    assert_eq!(
        pond.limiter(&limit).peek("u").await.unwrap().remaining(),
        Some(2)
    );
    let take = with(theirs, json!({ "now": NOW + 120_000 }));
    assert_eq!(
        npm.call(&take).await["remaining"],
        1,
        "a call sees what flowed in"
    );
}

/// "Events."
#[tokio::test]
async fn npm_keeps_its_events_for_ever_and_millpond_for_thirty_days() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::at(NOW);
    let (pond, mut npm) = (
        builder(&gateway, &clock).build().unwrap(),
        Npm::start(&gateway),
    );
    let theirs = npm_limiter("theirs", "fixed", 5, HOUR);
    npm.call(&with(theirs, json!({ "analytics": true }))).await;
    let ours = Limit::fixed_window("FIXED", 5, HOUR).under("ours");
    pond.limiter(&ours).check("u").await.unwrap();
    pond.flush().await.unwrap();
    let left = async |prefix: &str| {
        let key = format!("{prefix}:events:{NOW}");
        assert_eq!(command(&gateway, &["ZCARD", &key]).await, Reply::Int(1));
        match command(&gateway, &["PTTL", &key]).await {
            Reply::Int(left) => left,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(left("theirs").await, -1);
    let days = left("ours").await / (24 * 3_600_000);
    assert!((29..=30).contains(&days), "{days}");
}

/// "What is not shared."
#[tokio::test]
async fn dynamic_limits_deny_lists_and_regions_are_not_shared() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::at(NOW);
    let (pond, mut npm) = (
        builder(&gateway, &clock).build().unwrap(),
        Npm::start(&gateway),
    );
    let limit = |prefix| Limit::fixed_window("FIXED", 5, HOUR).under(prefix);

    let dynamic = npm_limiter("dynamic-limits", "fixed", 5, HOUR);
    let dynamic = with(dynamic, json!({ "dynamic": true }));
    let set = json!({ "do": "setDynamicLimit", "limit": 1 });
    npm.call(&with(dynamic.clone(), set)).await;
    assert_eq!(npm.call(&dynamic).await["success"], true);
    assert_eq!(
        npm.call(&dynamic).await["success"],
        false,
        "npm reads {}",
        "the limit of 1"
    );
    let ours = pond
        .limiter(&limit("dynamic-limits"))
        .check("u")
        .await
        .unwrap();
    assert_eq!((ours.is_allowed(), ours.limit()), (true, Some(5)));
    let key = command(&gateway, &["GET", "dynamic-limits:dynamic:global"]).await;
    assert_eq!(key.text().unwrap(), "1");

    let denied = npm_limiter("denying", "fixed", 5, HOUR);
    let denied = with(denied, json!({ "protected": true, "id": "denied" }));
    npm.call(&with(denied.clone(), json!({ "do": "deny" })))
        .await;
    assert_eq!(npm.call(&denied).await["success"], false);
    let ours = pond
        .limiter(&limit("denying"))
        .check("denied")
        .await
        .unwrap();
    assert!(ours.is_allowed());

    let regions = npm_limiter("regions", "fixed", 5, HOUR);
    let regions = npm.call(&with(regions, json!({ "do": "regions" }))).await;
    assert_eq!(regions["success"], true, "{regions}");
    let key = format!("regions:u:{}", NOW / 3_600_000);
    assert_eq!(
        command(&gateway, &["TYPE", &key]).await.text().unwrap(),
        "hash"
    );
    // A limit of ours on it is decided as in an outage, and destroys nothing.
    let ours = pond.limiter(&limit("regions")).check("u").await.unwrap();
    assert_eq!(ours.outcome(), millpond::limit::Outcome::Degraded);
    assert_eq!(
        command(&gateway, &["TYPE", &key]).await.text().unwrap(),
        "hash"
    );
}
