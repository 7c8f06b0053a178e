//! The same sequences of (time, identifier, cost) through the arithmetic, the scripts on a real
//! Redis, and the published `@upstash/ratelimit`: decisions, keys, values and lifetimes.

#[path = "../runtime/src/limit/algorithm.rs"]
#[allow(dead_code, unreachable_pub)]
mod algorithm;
#[path = "support/npm.rs"]
mod npm;

use algorithm::{Algorithm, Change, Held, Rule, Verdict};
use bytes::Bytes;
use millpond_gateway::{Connection, Database, Gateway, RedisServer, Reply};
use npm::Npm;
use serde_json::json;
use std::collections::BTreeMap;

const CHECK: &str = include_str!("../runtime/src/store/scripts/limit_check.lua");

/// SplitMix64: a failing sequence is named by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

fn word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::FixedWindow => "fixed",
        Algorithm::SlidingWindow => "sliding",
        Algorithm::TokenBucket => "bucket",
    }
}

fn keys(rule: Rule, base: &str, now: u64) -> Vec<String> {
    let index = rule.index(now);
    match rule.algorithm {
        Algorithm::TokenBucket => vec![base.to_owned()],
        Algorithm::FixedWindow => vec![format!("{base}:{index}")],
        Algorithm::SlidingWindow => {
            vec![format!("{base}:{index}"), format!("{base}:{}", index - 1)]
        }
    }
}

type Contents = BTreeMap<String, Vec<String>>;

/// What is stored in one database, and how long each key was last told to live.
struct Store {
    number: u32,
    connection: Connection,
    lifetimes: BTreeMap<String, u64>,
    ends: BTreeMap<String, u64>,
}

impl Store {
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

    /// Redis's own clock stands nearly still here, so what has expired by the test's clock is deleted.
    async fn expire(&mut self, now: u64) {
        let gone: Vec<_> = self
            .ends
            .iter()
            .filter(|(_, end)| **end <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.call(&["DEL", &key]).await;
            self.ends.remove(&key);
            self.lifetimes.remove(&key);
        }
    }

    async fn contents(&mut self) -> Contents {
        let dump = "local all = {}
            for i, key in ipairs(redis.call('KEYS', '*')) do
              local kind = redis.call('TYPE', key).ok
              local value = kind == 'string' and {redis.call('GET', key)} or redis.call('HGETALL', key)
              all[i] = {key, value, redis.call('PTTL', key)}
            end
            return all";
        let Reply::Array(items) = self.call(&["EVAL", dump, "0"]).await else {
            panic!()
        };
        let mut contents = BTreeMap::new();
        for item in items {
            let Reply::Array(item) = item else { panic!() };
            let [key, Reply::Array(value), Reply::Int(ttl)] = item.as_slice() else {
                panic!()
            };
            let key = key.text().unwrap();
            assert!(*ttl > 0, "{key} never expires");
            contents.insert(key, value.iter().filter_map(Reply::text).collect());
        }
        contents
    }
}

/// Everything that runs on the server, scripts' commands included.
struct Monitor(Connection, u64);

impl Monitor {
    async fn open(port: u16) -> Self {
        let mut connection = Connection::open(port, 0).await.unwrap();
        connection.call(&[Bytes::from("MONITOR")]).await.unwrap();
        Self(connection, 0)
    }

    /// Notes the lifetimes that were set since the last call.
    async fn note(&mut self, stores: &mut [&mut Store], now: u64) {
        self.1 += 1;
        let marker = format!("marker-{}", self.1);
        stores[0].call(&["ECHO", &marker]).await;
        loop {
            let Reply::Status(line) = self.0.receive().await.unwrap() else {
                panic!()
            };
            if line.contains(&marker) {
                return;
            }
            let (head, command) = line.split_once("] ").unwrap();
            let number: u32 = head
                .split_once('[')
                .unwrap()
                .1
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            let args: Vec<_> = command.trim_matches('"').split("\" \"").collect();
            if args[0].eq_ignore_ascii_case("PEXPIRE")
                && let Some(store) = stores.iter_mut().find(|store| store.number == number)
            {
                let lifetime = args[2].parse().unwrap();
                store.lifetimes.insert(args[1].to_owned(), lifetime);
                store.ends.insert(args[1].to_owned(), now + lifetime);
            }
        }
    }
}

async fn by_script(store: &mut Store, rule: Rule, base: &str, now: u64, cost: u64) -> (bool, Held) {
    let keys = keys(rule, base, now);
    let mut args = vec!["EVAL".to_owned(), CHECK.to_owned(), keys.len().to_string()];
    args.extend(keys);
    args.extend([now.to_string(), word(rule.algorithm).to_owned()]);
    args.extend([rule.units, rule.window, rule.refill, cost].map(|number| number.to_string()));
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let Reply::Array(items) = store.call(&args).await else {
        panic!()
    };
    let [Reply::Int(took), first, second] = items.as_slice() else {
        panic!("{items:?}")
    };
    let number = |reply: &Reply| reply.text().map(|text| text.parse().unwrap());
    (*took == 1, Held(number(first), number(second)))
}

/// The arithmetic over a map, which is all that an engine adds to it.
#[derive(Default)]
struct Model(BTreeMap<String, (Held, u64)>);

impl Model {
    fn check(&mut self, rule: Rule, base: &str, now: u64, cost: u64) -> (Held, Verdict) {
        self.0.retain(|_, (_, end)| *end > now);
        let keys = keys(rule, base, now);
        let found = |at: usize| {
            keys.get(at)
                .and_then(|key| self.0.get(key))
                .map(|(held, _)| *held)
        };
        let held = match rule.algorithm {
            Algorithm::TokenBucket => found(0).unwrap_or_default(),
            _ => Held(
                found(0).and_then(|held| held.0),
                found(1).and_then(|held| held.0),
            ),
        };
        let verdict = rule.check(held, now, cost);
        match verdict.change {
            Some(Change::Count { add, lifetime }) => {
                let slot = self
                    .0
                    .entry(keys[0].clone())
                    .or_insert((Held(Some(0), None), now + lifetime));
                slot.0.0 = slot.0.0.map(|units| units + i64::try_from(add).unwrap());
            }
            Some(Change::Fill {
                refilled_at,
                tokens,
                lifetime,
            }) => {
                let held = Held(Some(refilled_at), Some(tokens));
                self.0
                    .insert(keys[0].clone(), (held, now + lifetime.unwrap()));
            }
            Some(Change::Uncount { .. }) => panic!("a check gives nothing back"),
            None => {}
        }
        (held, verdict)
    }
}

fn random_rule(random: &mut Random, algorithm: Algorithm) -> Rule {
    let units = random.pick(&[1, 2, 3, 5, 7, 10, 100, 1_000]);
    // Long enough that Redis's own clock expires nothing during a sequence.
    let window = random.pick(&[60_000, 61_001, 99_991, 3_600_000, 86_400_000]);
    let refill = match algorithm {
        Algorithm::TokenBucket => random.pick(&[1, 2, 3, 7, 50]),
        _ => units,
    };
    Rule::new(algorithm, units, window, refill).unwrap()
}

fn later(random: &mut Random, rule: Rule, now: u64) -> u64 {
    let by = match random.below(10) {
        0..5 => 0,
        5..8 => random.below(rule.window / 4),
        8 => random.below(rule.window * 3),
        _ => rule.window - now % rule.window - random.below(2),
    };
    now + by
}

async fn sequence(
    seed: u64,
    algorithm: Algorithm,
    only_one: bool,
    redis: &RedisServer,
    npm: &mut Npm,
) {
    let random = &mut Random(seed);
    let rule = random_rule(random, algorithm);
    let mut theirs = Store::open(redis.port(), 0).await;
    let mut ours = Store::open(redis.port(), 1).await;
    theirs.call(&["FLUSHALL"]).await;
    let mut monitor = Monitor::open(redis.port()).await;
    let mut model = Model::default();
    let mut now = 1_767_225_600_000 + random.below(10_000_000_000);
    let mut refused = false;
    for step in 0..60 {
        now = later(random, rule, now);
        let id = random.pick(&["u", "u", "2001:db8::1"]);
        let cost = if only_one {
            1
        } else {
            1 + random.below(rule.units.min(12))
        };
        let place = format!("seed {seed} step {step}: {rule:?} now {now} id {id} cost {cost}");
        let base = format!("p:{id}");
        theirs.expire(now).await;
        ours.expire(now).await;

        let answer = npm
            .call(&json!({
                "do": "limit", "prefix": "p", "algorithm": word(algorithm), "units": rule.units,
                "window": rule.window, "refill": rule.refill, "id": id, "cost": cost, "now": now,
            }))
            .await;
        let (took, held) = by_script(&mut ours, rule, &base, now, cost).await;
        let (model_held, verdict) = model.check(rule, &base, now, cost);
        assert_eq!((took, held), (verdict.allowed, model_held), "{place}");

        if !refused || only_one {
            assert_eq!(answer["success"], verdict.allowed, "{place}");
            assert_eq!(answer["limit"], rule.units, "{place}");
            assert_eq!(answer["reset"], verdict.reset, "{place}");
            if verdict.allowed || cost == 1 {
                assert_eq!(answer["remaining"], verdict.remaining, "{place}");
            }
        }
        refused |= !verdict.allowed;
        monitor.note(&mut [&mut theirs, &mut ours], now).await;
        // npm counts what it refuses: always in a fixed window, in the others only batches.
        if !refused || (only_one && algorithm != Algorithm::FixedWindow) {
            assert_eq!(theirs.contents().await, ours.contents().await, "{place}");
            assert_eq!(theirs.lifetimes, ours.lifetimes, "{place}");
        }
        if refused && !only_one {
            // From here on the two have taken different amounts; only script and arithmetic go on.
            refused = true;
        }
    }
}

#[tokio::test]
async fn the_three_agree() {
    let redis = RedisServer::start().unwrap();
    let gateway = Gateway::start(&Database::at(redis.port(), 0))
        .await
        .unwrap();
    let Some(mut npm) = Npm::start(&gateway.url(), gateway.token()) else {
        return;
    };
    for seed in 0..40 {
        for algorithm in [
            Algorithm::FixedWindow,
            Algorithm::SlidingWindow,
            Algorithm::TokenBucket,
        ] {
            sequence(seed, algorithm, seed % 2 == 0, &redis, &mut npm).await;
        }
    }
}
