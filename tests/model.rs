//! A model test: random interleavings of loads, invalidations, writes, tags, evictions and reads by hand in several
//! simulated processes on one database, with values that are loaded again in the background and old ones that are used
//! meanwhile, against the truth. After an acknowledged change no call that begins later returns
//! something older, from whichever path; where the process keeps values, that holds for its own changes, and for those
//! of others when its time is over.
//!
//! A run follows its seed, which a failure prints: `MILLPOND_MODEL_SEED=7 MILLPOND_MODEL_STEPS=1000000 cargo test --test model`.

#![cfg(feature = "upstash")]

#[path = "history/dice.rs"]
mod dice;
mod support;

use dice::Dice;
use millpond::{ManualClock, Millpond, Tag, cached, invalidates, updates};
use millpond_gateway::{Gateway, needs_redis};
use std::collections::VecDeque;
use std::time::Duration;
use support::source::{Bodies, Body, Source, source};
use support::{gateway, settle};
use tokio::task::JoinHandle;

const PROCESSES: usize = 2;
const KEYS: usize = 3;
/// Loads under way at most.
const LOADS: usize = 10;

/// What a body asks the source for.
#[millpond::tag("half:<half>")]
fn half(half: usize) -> Tag;

#[cached(prefix = "model", key = "<id>", tags(half(id % 2), "all"), all, skip(source))]
async fn read(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

#[cached(
    prefix = "model",
    key = "<id>",
    tags(half(id % 2), "all"),
    all,
    flight = "off",
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_alone(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// Loaded again in the background on every hit.
#[cached(
    prefix = "model",
    key = "<id>",
    ttl = "1h",
    jitter = 0,
    refresh_ahead = 0.000_000_001,
    tags(half(id % 2), "all"),
    all,
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_ahead(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// Old after a millisecond, and used for an hour.
#[cached(
    prefix = "model",
    key = "<id>",
    ttl = "1ms",
    jitter = 0,
    stale_while_revalidate = "1h",
    tags(half(id % 2), "all"),
    all,
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_old(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// Old after a millisecond, and used where the body takes another.
#[cached(
    prefix = "model",
    key = "<id>",
    ttl = "1ms",
    jitter = 0,
    stale_if_error = "1h",
    soft_timeout = "1ms",
    tags(half(id % 2), "all"),
    all,
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_or_old(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// Kept in the process for a minute: what the own process changed is never seen as it was, and what others changed not
/// after a minute.
#[cached(
    prefix = "model",
    key = "<id>",
    local = "1m",
    tags(half(id % 2), "all"),
    all,
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_near(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// The same of values that may be old.
#[cached(
    prefix = "model",
    key = "<id>",
    ttl = "2m",
    local = "1m",
    stale_while_revalidate = "1h",
    tags(half(id % 2), "all"),
    all,
    shares = read,
    invalidate = false,
    skip(source)
)]
async fn read_near_or_old(id: usize, source: &Source<u64>) -> u64 {
    source.answer().await
}

/// Of both halves, and each key by the version that its body saw.
#[cached(batch = ids, of = read(ids))]
async fn read_many(ids: &[usize], source: &Source<[u64; KEYS]>) -> Vec<Option<u64>> {
    let seen = source.answer().await;
    ids.iter().map(|id| Some(seen[*id])).collect()
}

/// The same of what this process keeps.
#[cached(batch = ids, of = read_near(ids))]
async fn read_many_near(ids: &[usize], source: &Source<[u64; KEYS]>) -> Vec<Option<u64>> {
    let seen = source.answer().await;
    ids.iter().map(|id| Some(seen[*id])).collect()
}

#[invalidates(half(id % 2))]
async fn change_half(id: usize) {}

#[updates(read(id))]
async fn replace(id: usize, by: u64) -> u64 {
    by
}

#[updates(read(id), half(id % 2))]
async fn replace_and_change_half(id: usize, by: u64) -> u64 {
    by
}

/// A call under way: its body has seen the truth already, and says so later.
struct Call {
    id: usize,
    /// The truth when it was called: nothing older may come back.
    least: u64,
    task: JoinHandle<u64>,
    body: Option<(Body<u64>, u64)>,
    bodies: Bodies<u64>,
}

/// A body in the background.
struct Background {
    id: usize,
    body: Option<(Body<u64>, u64)>,
    bodies: Bodies<u64>,
}

/// A batch under way, of all keys.
struct Many {
    ids: Vec<usize>,
    least: [u64; KEYS],
    task: JoinHandle<Vec<Option<u64>>>,
    body: Option<(Body<[u64; KEYS]>, [u64; KEYS])>,
    bodies: Bodies<[u64; KEYS]>,
}

struct Model {
    gateway: Gateway,
    processes: Vec<Millpond>,
    clocks: Vec<ManualClock>,
    /// Of each process and key, what is not older than its own last change, nor than a minute.
    known: [[u64; KEYS]; PROCESSES],
    /// The version of each key that the database of the service holds.
    truth: [u64; KEYS],
    calls: VecDeque<Call>,
    backgrounds: VecDeque<Background>,
    many: Vec<Many>,
    dice: Dice,
    log: Vec<String>,
}

impl Model {
    fn say(&mut self, what: String) {
        self.log.push(what);
    }

    #[track_caller]
    fn check(&self, id: usize, found: u64, least: u64, how: &str) {
        let newest = self.truth[id];
        let shown = self.log.len().saturating_sub(25);
        assert!(
            (least..=newest).contains(&found),
            "{how} of key {id} gave {found}, and {least} was acknowledged before:\n{}",
            self.log[shown..].join("\n")
        );
    }

    async fn step(&mut self) {
        let process = self.dice.below(PROCESSES);
        let id = self.dice.below(KEYS);
        let pond = self.processes[process].clone();
        let what = self.dice.below(54);
        // As time goes on, values become old.
        for clock in &self.clocks {
            clock.advance(Duration::from_millis(2));
        }
        let before = self.truth;
        self.say(format!(
            "{what}: process {process}, key {id}, truth {:?}",
            self.truth
        ));
        match what {
            0..=6 => self.call(process, id, usize::from(what == 6)).await,
            23..=40 => self.call(process, id, what % 3 + 2).await,
            41..=49 => self.call(process, id, what % 2 + 5).await,
            50 => {
                self.clocks[process].advance(Duration::from_secs(60));
                self.known[process] = self.truth;
            }
            7..=8 => self.answer().await,
            9..=10 => {
                // As a mutation does it: the change, then the invalidation.
                self.truth[id] += 1;
                pond.scope(async { read::invalidate(id).await })
                    .await
                    .unwrap();
            }
            11..=12 => {
                self.change_all_of(id % 2);
                pond.scope(change_half(id)).await;
            }
            13 => {
                self.truth.iter_mut().for_each(|version| *version += 1);
                let everything = self.dice.below(2) == 0;
                pond.scope(async {
                    if everything {
                        read::invalidate_all().await
                    } else {
                        Tag::new("all").invalidate().await
                    }
                })
                .await
                .unwrap();
            }
            14 => {
                self.truth[id] += 1;
                let by = self.truth[id];
                pond.scope(async { read::entry(id).put(&by).await })
                    .await
                    .unwrap();
            }
            15 => {
                self.truth[id] += 1;
                pond.scope(replace(id, self.truth[id])).await;
            }
            16 => {
                self.change_all_of(id % 2);
                pond.scope(replace_and_change_half(id, self.truth[id]))
                    .await;
            }
            17 => {
                let evicted = [
                    format!("model:{id}"),
                    format!("@tag:half:{}", id % 2),
                    "@tag:all".to_owned(),
                    "@tag:@all:model:<>".to_owned(),
                ];
                let at = self.dice.below(evicted.len());
                pond.command(["DEL", &evicted[at]]).await.unwrap();
            }
            20..=22 => self.call_many(process, id, false).await,
            51..=53 => self.call_many(process, id, true).await,
            _ => self.read_by_hand(&pond, id, what == 18).await,
        }
        for (id, before) in before.into_iter().enumerate() {
            if self.truth[id] > before {
                self.known[process][id] = self.truth[id];
            }
        }
    }

    /// A change of every key in a half.
    fn change_all_of(&mut self, half: usize) {
        for (id, version) in self.truth.iter_mut().enumerate() {
            *version += u64::from(id % 2 == half);
        }
    }

    /// A call begins; its body, if it runs one, sees the truth of now.
    async fn call(&mut self, process: usize, id: usize, how: usize) {
        if self.calls.len() >= LOADS {
            return self.answer().await;
        }
        let (source, bodies) = source();
        let least = if how < 5 {
            self.truth[id]
        } else {
            self.known[process][id]
        };
        let task = self.processes[process].spawn(async move {
            match how {
                0 => read(id, &source).await,
                1 => read_alone(id, &source).await,
                2 => read_ahead(id, &source).await,
                3 => read_old(id, &source).await,
                4 => read_or_old(id, &source).await,
                5 => read_near(id, &source).await,
                _ => read_near_or_old(id, &source).await,
            }
        });
        self.calls.push_back(Call {
            id,
            least,
            task,
            body: None,
            bodies,
        });
        self.look_after().await;
    }

    /// A batch of some keys, one of them twice.
    async fn call_many(&mut self, process: usize, first: usize, near: bool) {
        if self.many.len() >= LOADS {
            return self.answer().await;
        }
        let (source, bodies) = source();
        let mut ids: Vec<usize> = (0..KEYS).filter(|_| self.dice.below(3) > 0).collect();
        ids.insert(0, first);
        let asked = ids.clone();
        let task = self.processes[process].spawn(async move {
            if near {
                read_many_near(&asked, &source).await
            } else {
                read_many(&asked, &source).await
            }
        });
        self.many.push(Many {
            ids,
            least: if near {
                self.known[process]
            } else {
                self.truth
            },
            task,
            body: None,
            bodies,
        });
        self.look_after().await;
    }

    /// As for calls: a body sees the truth of when it began.
    async fn look_after_many(&mut self) {
        for at in (0..self.many.len()).rev() {
            let many = &mut self.many[at];
            if many.body.is_none() && many.bodies.count() > 0 {
                let body = many.bodies.next().await;
                many.body = Some((body, self.truth));
            }
            if many.task.is_finished() {
                let many = self.many.swap_remove(at);
                let found = many.task.await.unwrap();
                assert_eq!(found.len(), many.ids.len());
                for (id, found) in many.ids.into_iter().zip(found) {
                    let found = found.expect("the body leaves out nothing");
                    self.check(id, found, many.least[id], "a batch");
                }
            }
        }
    }

    fn answer_many(&mut self) {
        let waiting: Vec<usize> = (0..self.many.len())
            .filter(|&at| self.many[at].body.is_some())
            .collect();
        if !waiting.is_empty() {
            let at = waiting[self.dice.below(waiting.len())];
            if let Some((body, seen)) = self.many[at].body.take() {
                body.answer(seen);
            }
        }
    }

    fn answer_background(&mut self) {
        let waiting: Vec<usize> = (0..self.backgrounds.len())
            .filter(|&at| self.backgrounds[at].body.is_some())
            .collect();
        if !waiting.is_empty() {
            let at = waiting[self.dice.below(waiting.len())];
            if let Some((body, seen)) = self.backgrounds[at].body.take() {
                body.answer(seen);
            }
        }
    }

    /// Bodies that have begun see the truth of now; calls that are over are checked.
    async fn look_after(&mut self) {
        // Requests take real time, which yielding does not wait for.
        for _ in 0..3 {
            settle().await;
            self.gateway.idle().await;
        }
        self.look_after_many().await;
        for at in (0..self.calls.len()).rev() {
            let call = &mut self.calls[at];
            if call.body.is_none() && call.bodies.count() > 0 {
                let body = call.bodies.next().await;
                call.body = Some((body, self.truth[call.id]));
            }
            if call.task.is_finished()
                && let Some(call) = self.calls.remove(at)
            {
                let found = call.task.await.unwrap();
                self.check(call.id, found, call.least, "a call");
                // Its body may have begun in the background, or may do so yet.
                self.backgrounds.push_back(Background {
                    id: call.id,
                    body: call.body,
                    bodies: call.bodies,
                });
            }
        }
        for background in &mut self.backgrounds {
            if background.body.is_none() && background.bodies.count() > 0 {
                let body = background.bodies.next().await;
                background.body = Some((body, self.truth[background.id]));
            }
        }
        // Those of calls that are over for long begin no more.
        while self.backgrounds.len() > 8 * LOADS {
            self.backgrounds.pop_front();
        }
    }

    /// One of the bodies returns what it saw.
    async fn answer(&mut self) {
        self.look_after().await;
        self.answer_many();
        self.answer_background();
        let waiting: Vec<usize> = (0..self.calls.len())
            .filter(|&at| self.calls[at].body.is_some())
            .collect();
        if !waiting.is_empty() {
            let at = waiting[self.dice.below(waiting.len())];
            if let Some((body, seen)) = self.calls[at].body.take() {
                body.answer(seen);
            }
        }
        self.look_after().await;
    }

    async fn read_by_hand(&mut self, pond: &Millpond, id: usize, by_entry: bool) {
        let least = self.truth[id];
        let found = if by_entry {
            let entry = async { read::entry(id).get().await };
            pond.scope(entry).await.unwrap().into_value()
        } else {
            pond.get::<u64>(format!("model:{id}")).await.unwrap()
        };
        if let Some(found) = found {
            self.check(id, found, least, "a read by hand");
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn nothing_older_than_what_was_acknowledged_comes_back() {
    let gateway = gateway(needs_redis!()).await;
    let seed = number("MILLPOND_MODEL_SEED").unwrap_or_else(dice::seed);
    let steps = number("MILLPOND_MODEL_STEPS").unwrap_or(1_500);
    println!("MILLPOND_MODEL_SEED={seed}");
    let clocks: Vec<ManualClock> = (0..PROCESSES).map(|_| ManualClock::new()).collect();
    let processes = clocks
        .iter()
        .map(|clock| support::builder(&gateway).clock(clock.clone()).build())
        .collect::<Result<_, _>>()
        .unwrap();
    let dice = Dice::new(seed).fork();
    let mut model = Model {
        gateway,
        processes,
        clocks,
        known: [[1; KEYS]; PROCESSES],
        truth: [1; KEYS],
        calls: VecDeque::new(),
        backgrounds: VecDeque::new(),
        many: Vec::new(),
        dice,
        log: vec![format!("seed {seed}")],
    };
    for _ in 0..steps {
        model.step().await;
    }
    while !model.calls.is_empty() || !model.many.is_empty() {
        model.answer().await;
    }
    let stats = model
        .processes
        .iter()
        .map(|pond| pond.stats().prefix("model"));
    let counts = stats.map(|it| [it.hits, it.local_hits, it.stale, it.refused]);
    let counts = counts.fold([0; 4], |sums, each| {
        std::array::from_fn(|at| sums[at] + each[at])
    });
    println!("hits, local hits, old values, refused fills: {counts:?}");
    // A run without any of them would have tested nothing.
    assert!(!counts.contains(&0), "{counts:?}");
}
