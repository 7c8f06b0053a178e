//! The same sequences of (time, identifier, cost) through the embedded engine's arithmetic, the scripts
//! on a real Redis, and the published `@upstash/ratelimit`: decisions, keys and values. Lifetimes are never shorter
//! than npm's, and up to 10 s longer.

#[path = "support/npm.rs"]
mod npm;
mod support;

use bytes::Bytes;
use millpond::limit::{Algorithm, Decision, Limit, Reason};
use millpond::{ManualClock, Millpond, Reply as OurReply};
use millpond_gateway::{Connection, Database, Gateway, RedisServer, Reply};
use npm::Npm;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use support::needs_npm;

/// `SplitMix64`: a sequence that fails is named by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).unwrap()]
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    algorithm: Algorithm,
    units: u64,
    window: u64,
    refill: u64,
}

impl Case {
    fn random(random: &mut Random, algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            units: random.pick(&[1, 2, 3, 5, 7, 10, 10, 100, 1_000]),
            // Long enough that Redis's own clock expires nothing during a sequence.
            window: random.pick(&[60_000, 60_000, 61_001, 99_991, 3_600_000, 86_400_000]),
            refill: random.pick(&[1, 2, 3, 7, 50]),
        }
    }

    fn limit(self) -> Limit {
        let window = Duration::from_millis(self.window);
        match self.algorithm {
            Algorithm::FixedWindow => Limit::fixed_window("K", self.units, window),
            Algorithm::SlidingWindow => Limit::sliding_window("K", self.units, window),
            Algorithm::TokenBucket => Limit::token_bucket("K", self.refill, window, self.units),
            other => unreachable!("{other:?} is not compared"),
        }
    }

    fn step(self, what: &str, id: &str, cost: u64, now: u64) -> Value {
        let algorithm = match self.algorithm {
            Algorithm::FixedWindow => "fixed",
            Algorithm::SlidingWindow => "sliding",
            Algorithm::TokenBucket => "bucket",
            other => unreachable!("{other:?} is not compared"),
        };
        json!({
            "do": what, "prefix": "@upstash/ratelimit:K", "algorithm": algorithm, "units": self.units,
            "window": self.window, "refill": self.refill, "id": id, "cost": cost, "now": now,
        })
    }

    /// The next time of a call: the same, a little later, at a tenth of a window (where floats round),
    /// around its end, or after windows without a call.
    fn later(self, random: &mut Random, now: u64) -> u64 {
        let tenth = self.window.div_ceil(10);
        now + match random.below(20) {
            0..10 => 0,
            10..13 => random.below(self.window / 4),
            13..17 => tenth - now % tenth,
            17 | 18 => self.window - now % self.window - random.below(2),
            _ => random.below(self.window * 3),
        }
    }
}

/// One database of the real Redis, and the lifetimes that its keys were last given.
struct Shelf {
    number: u32,
    connection: Connection,
    lifetimes: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
}

impl Shelf {
    async fn open(port: u16, number: u32) -> Self {
        let connection = Connection::open(port, number).await.unwrap();
        Self {
            number,
            connection,
            lifetimes: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    async fn call(&mut self, args: &[&str]) -> Reply {
        let args: Vec<_> = args
            .iter()
            .map(|arg| Bytes::copy_from_slice(arg.as_bytes()))
            .collect();
        match self.connection.call(&args).await.unwrap() {
            Reply::Error(text) => panic!("{text}: {args:?}"),
            reply => reply,
        }
    }

    /// Redis's own clock hardly moves here; what has expired by the test's clock is deleted.
    async fn expire(&mut self, now: u64) {
        let (gone, kept): (BTreeMap<_, _>, _) = std::mem::take(&mut self.ends)
            .into_iter()
            .partition(|(_, end)| *end <= now);
        self.ends = kept;
        for key in gone.keys() {
            self.call(&["DEL", key]).await;
            self.lifetimes.remove(key);
        }
    }

    async fn contents(&mut self) -> BTreeMap<String, Vec<String>> {
        let dump = "local all = {}
            for i, key in ipairs(redis.call('KEYS', '*')) do
              local counter = redis.call('TYPE', key).ok == 'string'
              local value = counter and {redis.call('GET', key)} or redis.call('HGETALL', key)
              all[i] = {key, value, redis.call('PTTL', key)}
            end
            return all";
        let Reply::Array(items) = self.call(&["EVAL", dump, "0"]).await else {
            panic!("no list")
        };
        let entry = |item: &Reply| {
            let Reply::Array(item) = item else {
                panic!("no entry")
            };
            let [key, Reply::Array(value), Reply::Int(left)] = item.as_slice() else {
                panic!("{item:?}")
            };
            let key = key.text().unwrap();
            assert!(*left > 0, "{key} never expires");
            (key, value.iter().filter_map(Reply::text).collect())
        };
        items.iter().map(entry).collect()
    }
}

/// Sees every command that the server runs, those inside scripts too.
struct Monitor {
    connection: Connection,
    markers: u64,
}

impl Monitor {
    async fn open(port: u16) -> Self {
        let mut connection = Connection::open(port, 0).await.unwrap();
        connection.call(&[Bytes::from("MONITOR")]).await.unwrap();
        Self {
            connection,
            markers: 0,
        }
    }

    /// Notes the lifetimes that were set since the last call.
    async fn note(&mut self, shelves: &mut [&mut Shelf], now: u64) {
        self.markers += 1;
        let marker = format!("marker-{}", self.markers);
        shelves[0].call(&["ECHO", &marker]).await;
        loop {
            let line = self.connection.receive().await.unwrap().text().unwrap();
            if line.contains(&marker) {
                return;
            }
            // 1700000000.123456 [5 lua] "PEXPIRE" "key" "60000"
            let (origin, command) = line.split_once("] ").unwrap();
            let origin = origin.split_once('[').unwrap().1;
            let number = origin.split_once(' ').unwrap().0;
            let args: Vec<_> = command.trim_matches('"').split("\" \"").collect();
            let [name, key, lifetime] = args.as_slice() else {
                continue;
            };
            if !name.eq_ignore_ascii_case("PEXPIRE") {
                continue;
            }
            for shelf in shelves.iter_mut() {
                if shelf.number.to_string() == number {
                    let lifetime: u64 = lifetime.parse().unwrap();
                    shelf.lifetimes.insert((*key).to_owned(), lifetime);
                    shelf.ends.insert((*key).to_owned(), now + lifetime);
                }
            }
        }
    }
}

/// What both have to say of a decision.
fn ours(decision: &Decision) -> Value {
    let reset = decision.reset().unwrap().duration_since(UNIX_EPOCH);
    json!({
        "success": decision.is_allowed(), "limit": decision.limit(),
        "remaining": decision.remaining(),
        "reset": u64::try_from(reset.unwrap().as_millis()).unwrap(),
    })
}

struct Bench {
    redis: RedisServer,
    /// For us; npm has another one, on another database.
    gateway: Gateway,
    npm: Npm,
}

async fn sequence(bench: &mut Bench, seed: u64, algorithm: Algorithm, cost_is_one: bool) {
    let random = &mut Random(seed);
    let case = Case::random(random, algorithm);
    let limit = case.limit();
    let mut now = 1_767_225_600_000 + random.below(10_000_000_000);
    let clock = ManualClock::at(now);
    let pond = || {
        Millpond::builder()
            .clock(clock.clone())
            .limit_budget(Duration::from_secs(5))
            .limit_analytics(false)
    };
    let upstash = || pond().upstash(bench.gateway.url(), bench.gateway.token());
    // Two processes: what one remembers of a refusal, the other has to ask for.
    let processes = [upstash().build().unwrap(), upstash().build().unwrap()];
    let embedded = pond().memory().build().unwrap();
    let mut theirs = Shelf::open(bench.redis.port(), 0).await;
    let mut on_redis = Shelf::open(bench.redis.port(), 1).await;
    theirs.call(&["FLUSHALL"]).await;
    let mut monitor = Monitor::open(bench.redis.port()).await;
    let (mut refused, mut refused_batch) = (false, false);
    for step in 0..60 {
        now = case.later(random, now);
        // Both clocks: budgets of the embedded engine age by the monotonic one.
        clock.advance(Duration::from_millis(now - clock.unix_ms()));
        theirs.expire(now).await;
        on_redis.expire(now).await;
        let id = random.pick(&["u", "u", "2001:db8::1"]);
        let most = if cost_is_one { 1 } else { case.units.min(12) };
        let cost = 1 + random.below(most);
        let place = format!("seed {seed} step {step}: {case:?} now {now} id {id} cost {cost}");

        let one = random.pick(&[0, 1]);
        let decision = processes[one]
            .limiter(&limit)
            .check_n(id, cost)
            .await
            .unwrap();
        let by_arithmetic = embedded.limiter(&limit).check_n(id, cost).await.unwrap();
        if cost_is_one {
            assert_eq!(ours(&decision), ours(&by_arithmetic), "{place}");
            assert_eq!(decision.retry_at(), by_arithmetic.retry_at(), "{place}");
        } else if decision.is_allowed() || decision.reason() == Some(Reason::Exhausted) {
            assert_eq!(ours(&decision), ours(&by_arithmetic), "{place}");
            // What one process remembers of a refusal can be older than what the other knows.
            assert!(decision.retry_at() >= by_arithmetic.retry_at(), "{place}");
        }
        assert_eq!(decision.is_allowed(), by_arithmetic.is_allowed(), "{place}");

        // After a refused batch the two sides have taken different amounts.
        if refused_batch {
            monitor.note(&mut [&mut theirs, &mut on_redis], now).await;
            continue;
        }
        let answer = bench.npm.call(&case.step("limit", id, cost, now)).await;
        if decision.is_allowed() || cost == 1 {
            assert_eq!(ours(&decision), answer, "{place}");
        } else {
            assert_eq!(answer["success"], false, "{place}");
            refused_batch = true;
        }
        refused |= !decision.is_allowed();
        monitor.note(&mut [&mut theirs, &mut on_redis], now).await;
        // npm counts what a fixed window refuses, and batches that a sliding one refuses.
        if refused_batch || (refused && algorithm == Algorithm::FixedWindow) {
            continue;
        }
        let contents = on_redis.contents().await;
        assert_eq!(theirs.contents().await, contents, "{place}");
        for (key, lifetime) in &on_redis.lifetimes {
            let theirs = theirs.lifetimes[key];
            assert!(
                (theirs..=theirs + 10_000).contains(lifetime),
                "{place}: {key}"
            );
        }
        // Kept as long on both sides: a bucket that begins anew counts its intervals from another time.
        theirs.ends.clone_from(&on_redis.ends);
        for (key, value) in contents {
            assert_eq!(stored(&embedded, &key).await, value, "{place}");
            let left = ask(&embedded, "PTTL", &key).await;
            let end = i64::try_from(on_redis.ends[&key] - now).unwrap();
            assert_eq!(left, OurReply::Int(end), "{place}");
        }
        // npm does not refill a bucket that it only looks at.
        if algorithm != Algorithm::TokenBucket {
            let answer = bench.npm.call(&case.step("remaining", id, cost, now)).await;
            let peek = processes[one].limiter(&limit).peek(id).await.unwrap();
            assert_eq!(answer["remaining"], json!(peek.remaining()), "{place}");
            assert_eq!(answer["reset"], ours(&peek)["reset"], "{place}");
        }
    }
}

async fn stored(pond: &Millpond, key: &str) -> Vec<String> {
    let reply = match ask(pond, "TYPE", key).await {
        OurReply::Bulk(kind) if kind == "hash" => ask(pond, "HGETALL", key).await,
        _ => ask(pond, "GET", key).await,
    };
    let items = match reply {
        OurReply::Array(items) => items,
        one => vec![one],
    };
    let text = |item| match item {
        OurReply::Bulk(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        OurReply::Int(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    items.into_iter().map(text).collect()
}

async fn ask(pond: &Millpond, name: &str, key: &str) -> OurReply {
    pond.command([name.to_owned(), key.to_owned()])
        .await
        .unwrap()
}

async fn compare(algorithm: Algorithm) {
    needs_npm!();
    if !RedisServer::available() {
        return;
    }
    let redis = RedisServer::start().unwrap();
    let for_npm = Gateway::start(&Database::at(redis.port(), 0))
        .await
        .unwrap();
    let gateway = Gateway::start(&Database::at(redis.port(), 1))
        .await
        .unwrap();
    let npm = Npm::start(&for_npm);
    let mut bench = Bench {
        redis,
        gateway,
        npm,
    };
    for seed in 0..40 {
        sequence(&mut bench, seed, algorithm, seed % 2 == 0).await;
    }
}

#[tokio::test]
async fn fixed_windows_are_those_of_npm() {
    compare(Algorithm::FixedWindow).await;
}

#[tokio::test]
async fn sliding_windows_are_those_of_npm() {
    compare(Algorithm::SlidingWindow).await;
}

#[tokio::test]
async fn token_buckets_are_those_of_npm() {
    compare(Algorithm::TokenBucket).await;
}
