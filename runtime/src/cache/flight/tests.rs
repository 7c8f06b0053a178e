//! A seeded simulation of one key: callers, changes here and elsewhere, bodies that fail and panic,
//! callers that give up, a store that takes its time. Whatever happens, no caller gets a value that is
//! older than a change acknowledged before it called, and nobody waits longer than the rules allow.

use crate::client::Client;
use crate::clock::Clock;
use crate::limit::{Deployment, LimitSettings};
use crate::pond::Millpond;
use crate::runtime::BoxFuture;
use crate::settings::Settings;
use crate::stats::Registry;
use crate::store::memory::Memory;
use crate::store::{Batch, Replies, Store};
use crate::ttl;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const BODY: u64 = 100;
/// The longest that a command takes, there and back together.
const STORE: u64 = 10;
const KEY: &str = "hot:1";
/// What bodies panic with.
const WANTED: &str = "wanted";

/// `SplitMix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// The embedded engine at a distance: commands take a while to arrive, and answers to come back.
struct Distant {
    engine: Arc<Memory>,
    random: Mutex<Random>,
}

impl Store for Distant {
    fn send(&self, batch: Batch) -> BoxFuture<Replies> {
        let (there, back) = {
            let mut random = self.random.lock().unwrap();
            (random.below(STORE / 2), random.below(STORE / 2))
        };
        let engine = Arc::clone(&self.engine);
        Box::pin(async move {
            sleep(Duration::from_millis(there)).await;
            let replies = engine.send(batch).await;
            sleep(Duration::from_millis(back)).await;
            replies
        })
    }
}

/// What goes on: how often, in percent of the bodies or of the callers.
#[derive(Clone, Copy, Debug, Default)]
struct World {
    /// Milliseconds between changes; 0 for none.
    changes: u64,
    fails: u64,
    panics: u64,
    gives_up: u64,
    callers: u64,
    /// Milliseconds between callers, at most.
    pause: u64,
}

/// The data behind the cache: its version, and the version that the last acknowledged change made.
#[derive(Default)]
struct Data {
    version: AtomicU64,
    acknowledged: AtomicU64,
    bodies: AtomicUsize,
    lasted: Mutex<Vec<u64>>,
}

/// Notes how long a call took, also when it panics.
struct Watch<'a>(&'a Data, Instant);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let lasted = u64::try_from(self.1.elapsed().as_millis()).unwrap();
        self.0.lasted.lock().unwrap().push(lasted);
    }
}

/// How long the calls took whose callers did not give up, in milliseconds, sorted; and how many
/// bodies ran.
struct Measured {
    lasted: Vec<u64>,
    bodies: usize,
}

impl Measured {
    fn percentile(&self, percent: usize) -> u64 {
        let last = self.lasted.len().saturating_sub(1);
        self.lasted.get(last * percent / 100).copied().unwrap_or(0)
    }
}

async fn simulate(seed: u64, world: World) -> Measured {
    let mut random = Random(seed);
    let registry = Registry::default();
    let meter = Arc::clone(&registry.meter);
    let distant = Distant {
        engine: Arc::new(Memory::new(Clock::System, 1 << 20, meter)),
        random: Mutex::new(Random(random.next())),
    };
    let client = Client::new(Ok(Box::new(distant)), Settings::default(), registry, false);
    let pond = Millpond::on(client, &LimitSettings::default(), Deployment::default());
    let data = Arc::<Data>::default();
    let changes = keep_changing(
        pond.clone(),
        Arc::clone(&data),
        Random(random.next()),
        world,
    );
    let changes = (world.changes > 0).then(|| tokio::spawn(changes));
    let mut calls = Vec::new();
    for _ in 0..world.callers {
        let own = Random(random.next());
        calls.push(tokio::spawn(call(
            pond.clone(),
            Arc::clone(&data),
            own,
            world,
        )));
        sleep(Duration::from_millis(random.below(world.pause + 1))).await;
    }
    for call in calls {
        if let Err(ended) = call.await {
            let is_wanted = ended.into_panic().downcast_ref() == Some(&WANTED);
            assert!(is_wanted, "seed {seed}, {world:?}");
        }
    }
    if let Some(changes) = changes {
        changes.abort();
    }
    // The last waiters may still have to be dropped.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pond.0.cache.flights.len(), 0, "seed {seed}, {world:?}");
    let mut lasted = data.lasted.lock().unwrap().clone();
    lasted.sort_unstable();
    Measured {
        lasted,
        bodies: data.bodies.load(Ordering::SeqCst),
    }
}

/// One caller.
async fn call(pond: Millpond, data: Arc<Data>, random: Random, world: World) {
    let random = Mutex::new(random);
    let number = |bound| random.lock().unwrap().below(bound);
    let happens = |percent| number(100) < percent;
    let body = async || {
        data.bodies.fetch_add(1, Ordering::SeqCst);
        let lasts = BODY / 2 + number(BODY / 2);
        let reads = number(lasts);
        sleep(Duration::from_millis(reads)).await;
        let version = data.version.load(Ordering::SeqCst);
        sleep(Duration::from_millis(lasts - reads)).await;
        if happens(world.panics) {
            // Without the message of a panic.
            std::panic::resume_unwind(Box::new(WANTED));
        }
        if happens(world.fails) {
            return Err(Broken);
        }
        Ok(version)
    };
    let acknowledged = data.acknowledged.load(Ordering::SeqCst);
    let gives_up = happens(world.gives_up);
    let patience = if gives_up {
        BODY * 12 / 10
    } else {
        BODY * 10_000
    };
    let watch = Watch(&data, Instant::now());
    let call = pond.get_or_set(KEY, ttl::MEDIUM, body);
    match timeout(Duration::from_millis(patience), call).await {
        Ok(Ok(version)) => assert!(version >= acknowledged, "{version} after {acknowledged}"),
        Ok(Err(Broken)) => {}
        Err(_) => std::mem::forget(watch),
    }
}

/// Not `Clone`: every caller gets an error of its own.
#[derive(Debug)]
struct Broken;

/// Changes the data and invalidates, here or as another process does it.
async fn keep_changing(pond: Millpond, data: Arc<Data>, mut numbers: Random, world: World) {
    loop {
        let pause = world.changes / 2 + numbers.below(world.changes);
        sleep(Duration::from_millis(pause)).await;
        let version = data.version.fetch_add(1, Ordering::SeqCst) + 1;
        if numbers.below(2) == 0 {
            pond.delete(KEY).await.unwrap();
        } else {
            let (guard, nonce) = (format!("{{{KEY}}}:guard"), version.to_string());
            let set = ["SET", &guard, &nonce, "PX", "300000"].map(str::to_owned);
            pond.command(set).await.unwrap();
            pond.command(["DEL", KEY]).await.unwrap();
        }
        data.acknowledged.fetch_max(version, Ordering::SeqCst);
    }
}

/// Runs this world with several seeds; the worst that was measured.
fn worst(world: World) -> (u64, u64, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let seeds = std::env::var("MILLPOND_SEEDS").ok();
    let seeds = seeds.and_then(|it| it.parse().ok()).unwrap_or(5);
    let (mut median, mut longest, mut bodies) = (0, 0, 0);
    for seed in 0..seeds {
        let measured = runtime.block_on(simulate(seed, world));
        median = median.max(measured.percentile(50));
        longest = longest.max(measured.percentile(100));
        bodies = bodies.max(measured.bodies);
    }
    eprintln!("{world:?}: median {median} ms, longest {longest} ms, {bodies} bodies");
    (median, longest, bodies)
}

/// Two bodies and the ways to the store: what a call takes that meets no failure.
const TWO: u64 = 2 * (BODY + 2 * STORE);

#[test]
fn changes_alone_cost_a_caller_two_bodies_at_most() {
    for (changes, pause) in [(60, 0), (60, 5), (60, 20), (20, 5), (10, 2), (300, 5)] {
        let world = World {
            changes,
            pause,
            callers: 300,
            ..World::default()
        };
        let (_, longest, _) = worst(world);
        assert!(longest <= TWO, "{world:?}: {longest} ms");
    }
}

#[test]
fn failures_and_panics_end_within_the_logarithm_of_the_callers() {
    for (fails, panics) in [(100, 0), (0, 100), (50, 50), (30, 0), (5, 5)] {
        for changes in [0, 60] {
            let world = World {
                changes,
                fails,
                panics,
                callers: 500,
                ..World::default()
            };
            let (_, longest, _) = worst(world);
            // log2 500 + 1 bodies, each with its read and its fill.
            assert!(
                longest <= 10 * (BODY + 2 * STORE),
                "{world:?}: {longest} ms"
            );
        }
    }
}

#[test]
fn callers_who_come_and_go_take_two_bodies_in_the_middle() {
    for (fails, panics, gives_up) in [
        (0, 0, 50),
        (20, 5, 20),
        (60, 20, 20),
        (90, 0, 80),
        (100, 0, 100),
    ] {
        for changes in [0, 60] {
            let world = World {
                changes,
                fails,
                panics,
                gives_up,
                callers: 1_500,
                pause: 2,
            };
            let (median, longest, _) = worst(world);
            assert!(median <= TWO, "{world:?}: {median} ms");
            assert!(
                longest <= 12 * (BODY + 2 * STORE),
                "{world:?}: {longest} ms"
            );
        }
    }
}
