//! One budget for a Rust and a TypeScript service, and one console for both.

#[path = "support/npm.rs"]
mod npm;
mod support;

use millpond::limit::Limit;
use millpond::{ManualClock, Millpond};
use millpond_gateway::{Gateway, needs_redis};
use npm::Npm;
use serde_json::{Value, json};
use std::time::Duration;
use support::{gateway, needs_npm};

const MINUTE: Duration = Duration::from_secs(60);

const LIMITS: [(&str, Limit); 3] = [
    ("sliding", Limit::sliding_window("SLIDING", 4, MINUTE)),
    ("fixed", Limit::fixed_window("FIXED", 4, MINUTE)),
    ("bucket", Limit::token_bucket("BUCKET", 4, MINUTE, 4)),
];

const IDS: [&str; 5] = [
    "u",
    "2001:db8::1",
    "ada@example.com",
    "Zürich 🏔",
    "a:1 *{x}\"%\n",
];

fn pond(gateway: &Gateway, clock: &ManualClock) -> Millpond {
    Millpond::builder()
        .upstash(gateway.url(), gateway.token())
        .clock(clock.clone())
        .limit_budget(Duration::from_secs(5))
        .build()
        .unwrap()
}

fn step(what: &str, algorithm: &str, limit: &Limit, id: &str, clock: &ManualClock) -> Value {
    json!({
        "do": what, "prefix": format!("@upstash/ratelimit:{}", limit.kind()), "algorithm": algorithm,
        "units": 4, "window": 60_000, "refill": 4, "id": id, "cost": 1, "now": clock.unix_ms(),
    })
}

#[tokio::test]
async fn what_npm_used_up_is_used_up_here() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let (pond, mut npm) = (pond(&gateway, &clock), Npm::start(&gateway));
    for (algorithm, limit) in LIMITS {
        for id in IDS {
            for left in [3, 2, 1, 0] {
                let answer = npm
                    .call(&step("limit", algorithm, &limit, id, &clock))
                    .await;
                assert_eq!(answer["remaining"], left);
            }
            let decision = pond.limiter(&limit).check(id).await.unwrap();
            assert!(!decision.is_allowed(), "{algorithm} {id}");
        }
    }
}

#[tokio::test]
async fn what_we_used_up_is_used_up_for_npm() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let (pond, mut npm) = (pond(&gateway, &clock), Npm::start(&gateway));
    for (algorithm, limit) in LIMITS {
        for id in IDS {
            for _ in 0..4 {
                assert!(pond.limiter(&limit).check(id).await.unwrap().is_allowed());
            }
            let answer = npm
                .call(&step("limit", algorithm, &limit, id, &clock))
                .await;
            assert_eq!(answer["success"], false, "{algorithm} {id}");
        }
    }
}

#[tokio::test]
async fn npm_reads_the_events_that_we_counted() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let (pond, mut npm) = (pond(&gateway, &clock), Npm::start(&gateway));
    let limit = LIMITS[0].1;
    for id in IDS {
        for _ in 0..6 {
            pond.limiter(&limit).check(id).await.unwrap();
        }
    }
    pond.flush().await.unwrap();
    let prefix = format!("@upstash/ratelimit:{}", limit.kind());
    let usage = json!({
        "do": "usage", "prefix": prefix, "algorithm": "fixed", "units": 4,
        "window": 60_000, "analytics": true, "now": clock.unix_ms(),
    });
    let usage = npm.call(&usage).await;
    for id in IDS {
        assert_eq!(usage[id], json!({ "success": 4, "blocked": 2 }), "{id}");
    }
}

#[tokio::test]
async fn events_of_both_languages_are_the_same_members() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let (pond, mut npm) = (pond(&gateway, &clock), Npm::start(&gateway));
    let prefix = format!("@upstash/ratelimit:{}", LIMITS[1].1.kind());
    for id in IDS {
        pond.limiter(&LIMITS[1].1).check(id).await.unwrap();
        let theirs = json!({
            "do": "limit", "prefix": prefix, "algorithm": "fixed", "units": 4,
            "window": 60_000, "analytics": true, "id": id, "cost": 1, "now": clock.unix_ms(),
        });
        npm.call(&theirs).await;
    }
    pond.flush().await.unwrap();
    let key = format!("{prefix}:events:{}", clock.unix_ms());
    let members = gateway.database().command(["ZCARD", &key]).await.unwrap();
    assert_eq!(members, millpond_gateway::Reply::Int(5));
}

#[tokio::test]
async fn events_leave_in_one_batch_a_second_later() {
    fn is_sums(command: &[String]) -> bool {
        command[0] == "EVALSHA" && command[3].contains(":events:")
    }
    let gateway = gateway(needs_redis!()).await;
    let pond = pond(&gateway, &ManualClock::new());
    for _ in 0..3 {
        for id in IDS {
            pond.limiter(&LIMITS[1].1).check(id).await.unwrap();
        }
    }
    gateway
        .wait_for(|requests| {
            let mut commands = requests.iter().flat_map(|request| &request.commands);
            commands.any(|command| is_sums(command))
        })
        .await;
    gateway.idle().await;
    let requests = gateway.requests();
    let commands = requests.iter().flat_map(|request| &request.commands);
    let sums: Vec<_> = commands.filter(|command| is_sums(command)).collect();
    assert_eq!(sums.len(), 1);
    for id in IDS {
        let id = serde_json::to_string(id).unwrap();
        let told = sums[0].iter().filter(|argument| **argument == id);
        assert_eq!(told.count(), 1, "one sum for {id}");
    }
}

#[tokio::test]
async fn a_limit_under_any_prefix_shares_its_budget_with_the_limiter_of_that_prefix() {
    needs_npm!();
    let gateway = gateway(needs_redis!()).await;
    let clock = ManualClock::new();
    let (pond, mut npm) = (pond(&gateway, &clock), Npm::start(&gateway));
    let hour = Duration::from_secs(3_600);
    for prefix in [
        "@hexwave/ratelimit:expensive",
        "@upstash/ratelimit",
        "plain",
    ] {
        let limits = [
            ("fixed", Limit::fixed_window("EXPENSIVE", 5, hour)),
            ("sliding", Limit::sliding_window("EXPENSIVE", 5, hour)),
        ];
        for (algorithm, limit) in limits {
            let limit = limit.under(prefix);
            let theirs = json!({
                "do": "limit", "prefix": prefix, "algorithm": algorithm, "units": 5,
                "window": 3_600_000, "id": algorithm, "cost": 1, "now": clock.unix_ms(),
            });
            for _ in 0..2 {
                assert_eq!(npm.call(&theirs).await["success"], true);
                assert!(
                    pond.limiter(&limit)
                        .check(algorithm)
                        .await
                        .unwrap()
                        .is_allowed()
                );
            }
            assert_eq!(npm.call(&theirs).await["remaining"], 0);
            let refused = pond.limiter(&limit).check(algorithm).await.unwrap();
            assert!(!refused.is_allowed(), "{prefix} {algorithm}");
            let theirs = npm.call(&theirs).await;
            assert_eq!(theirs["success"], false);
        }
    }
}

#[tokio::test]
async fn a_thousand_addresses_are_two_hundred_members_and_hashed_where_it_is_asked_for() {
    let redis = needs_redis!();
    for hashed in [false, true] {
        let gateway = gateway(redis).await;
        let pond = Millpond::builder().upstash(gateway.url(), gateway.token());
        let pond = pond
            .clock(ManualClock::new())
            .limit_analytics_hashed(hashed);
        let pond = pond.limit_budget(Duration::from_secs(5)).build().unwrap();
        let limiter = pond.limiter(&LIMITS[1].1);
        for address in 0..1_000 {
            limiter.check(format!("10.0.0.{address}")).await.unwrap();
        }
        pond.flush().await.unwrap();
        let hour = ManualClock::new().unix_ms();
        let key = format!("@upstash/ratelimit:{}:events:{hour}", LIMITS[1].1.kind());
        let members = gateway
            .database()
            .command(["ZRANGE", &key, "0", "-1"])
            .await;
        let millpond_gateway::Reply::Array(members) = members.unwrap() else {
            panic!("no members")
        };
        let members: Vec<_> = members
            .iter()
            .filter_map(millpond_gateway::Reply::text)
            .collect();
        assert_eq!(members.len(), 101, "a hundred came first");
        assert!(members.iter().any(|member| member.contains("%others")));
        let named = members
            .iter()
            .filter(|member| member.contains("10.0.0."))
            .count();
        assert_eq!(named, if hashed { 0 } else { 100 });
        let left = gateway.database().command(["PTTL", &key]).await.unwrap();
        let thirty_days = 30 * 24 * 3_600_000;
        assert!(
            matches!(left, millpond_gateway::Reply::Int(left) if left > thirty_days - 60_000 && left <= thirty_days),
            "{left:?}"
        );
        assert_eq!(pond.stats().limits.events_lost, 0);
    }
}
