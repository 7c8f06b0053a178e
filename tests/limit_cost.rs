//! What a check executes on the server, beside a limiter of `@upstash/ratelimit` with the same numbers. docs/interop.md has
//! the table.

#[path = "support/npm.rs"]
mod npm;
mod support;

use millpond::limit::Limit;
use millpond::{ManualClock, Millpond};
use millpond_gateway::{Gateway, RedisServer, Reply, needs_redis};
use npm::Npm;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use support::{gateway, needs_npm};

const MINUTE: Duration = Duration::from_secs(60);
const NOW: u64 = 1_767_225_600_000;

const LIMITS: [(&str, &str, Limit); 3] = [
    (
        "fixed window",
        "fixed",
        Limit::fixed_window("FIXED", 3, MINUTE),
    ),
    (
        "sliding window",
        "sliding",
        Limit::sliding_window("SLIDING", 3, MINUTE),
    ),
    (
        "token bucket",
        "bucket",
        Limit::token_bucket("BUCKET", 3, MINUTE, 3),
    ),
];

const PAGE: &str = "runtime/docs/interop.md";
const BEGIN: &str = "<!-- by tests/limit_cost.rs -->\n";
const END: &str = "<!-- end of the costs -->\n";

struct Bench {
    gateway: Gateway,
    npm: Npm,
    _server: RedisServer,
}

impl Bench {
    async fn start() -> Self {
        // Scripts and counts are the server's, so it is one of its own.
        let server = RedisServer::start().unwrap();
        let gateway = gateway(&server).await;
        let npm = Npm::start(&gateway);
        Self {
            gateway,
            npm,
            _server: server,
        }
    }

    /// A process that remembers nothing of the others.
    fn process(&self) -> Millpond {
        Millpond::builder()
            .upstash(self.gateway.url(), self.gateway.token())
            .clock(ManualClock::at(NOW))
            .limit_budget(Duration::from_secs(5))
            .limit_analytics(false)
            .build()
            .unwrap()
    }

    async fn executed(&self) -> u64 {
        let info = self
            .gateway
            .database()
            .command(["INFO", "commandstats"])
            .await;
        let info = info.unwrap().text().unwrap();
        let calls = info.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let counts = matches!(
                name,
                "evalsha"
                    | "eval"
                    | "get"
                    | "mget"
                    | "incrby"
                    | "pexpire"
                    | "hmget"
                    | "hset"
                    | "del"
            );
            counts.then(|| rest.split(',').next()?.parse::<u64>().ok())?
        });
        calls.sum()
    }

    async fn ours(&self, pond: &Millpond, limit: &Limit, id: &str, cost: u64) -> (bool, u64) {
        let before = self.executed().await;
        let decision = pond.limiter(limit).check_n(id, cost).await.unwrap();
        (decision.is_allowed(), self.executed().await - before)
    }

    async fn theirs(&mut self, algorithm: &str, id: &str, cost: u64) -> (bool, u64) {
        let before = self.executed().await;
        let step = json!({
            "do": "limit", "prefix": format!("npm-{algorithm}"), "algorithm": algorithm, "units": 3, "refill": 3,
            "window": 60_000, "id": id, "cost": cost, "now": NOW,
        });
        let answer = self.npm.call(&step).await;
        (
            answer["success"] == Value::Bool(true),
            self.executed().await - before,
        )
    }

    async fn counter(&self, prefix: &str, id: &str) -> String {
        let key = format!("{prefix}:{id}:{}", NOW / 60_000);
        let held = self
            .gateway
            .database()
            .command(["GET", &key])
            .await
            .unwrap();
        held.text().unwrap()
    }
}

#[tokio::test]
async fn no_check_executes_more_than_npms_but_for_a_refusal_that_costs_nothing() {
    needs_npm!();
    let _ = needs_redis!();
    let mut bench = Bench::start().await;
    let mut table = String::from(
        "| | first in a window | next | refused, expected | refused, used up elsewhere |\n\
         |---|---|---|---|---|\n",
    );
    let (one, two) = (bench.process(), bench.process());
    for (name, algorithm, limit) in LIMITS {
        // So that the server knows the scripts.
        bench.theirs(algorithm, "warm", 1).await;
        bench.ours(&one, &limit, "warm", 1).await;

        let mut theirs = Vec::new();
        for allowed in [true, true, true, false, false] {
            let (success, cost) = bench.theirs(algorithm, "u", 1).await;
            assert_eq!(success, allowed, "{name}");
            theirs.push(cost);
        }
        assert_eq!((theirs[1], theirs[3]), (theirs[2], theirs[4]), "{name}");
        let mut ours = Vec::new();
        for allowed in [true, true, true, false, false] {
            let (success, cost) = bench.ours(&one, &limit, "u", 1).await;
            assert_eq!(success, allowed, "{name}");
            ours.push(cost);
        }
        let (success, elsewhere) = bench.ours(&two, &limit, "u", 1).await;
        assert!(!success, "{name}");
        let (_, again) = bench.ours(&two, &limit, "u", 1).await;
        assert_eq!((ours[1], ours[4], again), (ours[2], 0, 0), "{name}");
        writeln!(
            table,
            "| {name}, npm | {} | {} | {} | {} |\n| {name}, millpond | {} | {} | {} | {elsewhere} |",
            theirs[0], theirs[1], theirs[3], theirs[3], ours[0], ours[1], ours[3]
        )
        .unwrap();
        for (at, what) in [(0, "first"), (1, "next"), (3, "refused")] {
            assert!(
                ours[at] <= theirs[at],
                "{name}, {what}: {ours:?}, npm {theirs:?}"
            );
        }
        // The one exception: npm's limiter saves a command since the refused call stays taken.
        let most = theirs[3] + u64::from(algorithm == "fixed");
        assert!(elsewhere <= most, "{name}: {elsewhere}, npm {}", theirs[3]);
    }
    for id in ["ours", "theirs"] {
        bench.ours(&one, &LIMITS[0].2, id, 1).await;
        bench.theirs("fixed", id, 1).await;
    }
    assert!(!bench.ours(&two, &LIMITS[0].2, "ours", 3).await.0);
    assert!(!bench.theirs("fixed", "theirs", 3).await.0);
    assert_eq!(bench.counter("@upstash/ratelimit:FIXED", "ours").await, "1");
    assert_eq!(
        bench.counter("npm-fixed", "theirs").await,
        "4",
        "two that were left are gone"
    );

    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table begins");
    let (_, after) = rest.split_once(END).expect("the table ends");
    let wanted = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(page, wanted).unwrap();
    } else {
        assert!(
            wanted == text,
            "UPDATE_EXPECT=1 writes this table into {PAGE}:\n{table}"
        );
    }
}

/// Two, three and four limits: one decision here, a limiter after the other there.
#[tokio::test]
async fn several_limits_execute_less_than_npms_limiters_one_after_the_other() {
    needs_npm!();
    let _ = needs_redis!();
    let mut bench = Bench::start().await;
    let pond = bench.process();
    let hour = Limit::sliding_window("HOUR", 3, 60 * MINUTE);
    let sliding = pond.limiter(&LIMITS[1].2);
    let together = [
        (sliding.clone().and(&LIMITS[0].2), vec!["sliding", "fixed"]),
        (
            sliding.clone().and(&LIMITS[0].2).and(&hour),
            vec!["sliding", "fixed", "sliding"],
        ),
        (
            sliding.and(&LIMITS[0].2).and(&hour).and(&LIMITS[2].2),
            vec!["sliding", "fixed", "sliding", "bucket"],
        ),
    ];
    for algorithm in ["sliding", "fixed", "bucket"] {
        bench.theirs(algorithm, "warm", 1).await;
    }
    pond.limiter(&LIMITS[0].2).check("warm").await.unwrap();
    for (limiter, algorithms) in together {
        let id = format!("u{}", algorithms.len());
        for call in ["first", "next"] {
            let before = bench.executed().await;
            assert!(limiter.check(&id).await.unwrap().is_allowed());
            let ours = bench.executed().await - before;
            let mut theirs = 0;
            for (at, algorithm) in algorithms.iter().enumerate() {
                let (success, cost) = bench.theirs(algorithm, &format!("{id} {at}"), 1).await;
                assert!(success);
                theirs += cost;
            }
            assert!(
                ours < theirs,
                "{call} of {algorithms:?}: {ours}, npm {theirs}"
            );
            println!("{call} of {algorithms:?}: {ours}, npm {theirs}");
        }
    }
    let nothing = bench.gateway.database().command(["GET", "nothing"]).await;
    assert_eq!(nothing.unwrap(), Reply::Nil);
}
