//! The local tier against the number of keys, some of which are asked for more often than others.

use crate::chart::{Axis, Series};
use crate::remote::{micros, thousands};
use crate::{Outcome, save};
use millpond::Millpond;
use std::time::Instant;

/// What all of them hold at most, counted in the same way: some 125,000 keys.
const BYTES: u32 = 32 << 20;
/// What millpond counts for an entry beside its key.
const EACH: u32 = 208;
const CALLS: u32 = 1_500_000;
const SLICES: u32 = 10;

const KEYS: Axis = Axis {
    title: "keys",
    shown: thousands,
};

#[millpond::cached(local = "only", prefix = "n", ttl = "1h", key = "<id>", skip(pond), on = pond)]
fn number(pond: &Millpond, id: u64) -> u64 {
    MISSES.set(MISSES.get() + 1);
    id
}

thread_local! {
    static MISSES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn loaded(id: u64) -> u64 {
    MISSES.set(MISSES.get() + 1);
    id
}

/// The key of rank k is asked for about 1/k as often as the first one.
struct Zipf {
    keys: f64,
    state: u64,
}

impl Zipf {
    fn over(keys: f64) -> Self {
        Self { keys, state: 7 }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank, and 53 bits of chance"
    )]
    fn rank(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let chance = ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        (self.keys + 1.0).powf(chance) as u64 - 1
    }
}

/// Half of the calls warm it up; the share of hits among the others, and what a call took, in µs, in the fastest slice.
fn run(keys: f64, get: impl Fn(u64) -> u64) -> (f64, f64) {
    let mut zipf = Zipf::over(keys);
    let mut calls = |count: u32| {
        let began = Instant::now();
        for _ in 0..count {
            let id = zipf.rank();
            assert_eq!(get(id), id);
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(count)
    };
    calls(CALLS);
    MISSES.set(0);
    let slices = (0..SLICES).map(|_| calls(CALLS / SLICES));
    let least = slices.fold(f64::INFINITY, f64::min);
    (1.0 - f64::from(MISSES.get()) / f64::from(CALLS), least)
}

pub(crate) fn draw() -> Outcome {
    let names = ["millpond", "moka", "quick_cache"];
    let (mut ratios, mut times) = (names.map(Series::new), names.map(Series::new));
    for power in 1..=7 {
        let keys = 10_f64.powi(power);
        let pond = Millpond::builder().memory();
        let pond = pond.local_bytes(usize::try_from(BYTES)?).build()?;
        let moka = moka::sync::Cache::<String, u64>::builder()
            .max_capacity(BYTES.into())
            .weigher(|key: &String, _: &u64| EACH + u32::try_from(key.len()).unwrap_or(EACH))
            .build();
        let quick = quick_cache::sync::Cache::<String, u64, _>::with_weighter(
            usize::try_from(BYTES / 256)?,
            BYTES.into(),
            Weight,
        );
        let measured = [
            run(keys, |id| number(&pond, id)),
            run(keys, |id| {
                let key = format!("n:{id}");
                moka.get(&key).unwrap_or_else(|| {
                    moka.insert(key, loaded(id));
                    id
                })
            }),
            run(keys, |id| {
                let key = format!("n:{id}");
                quick.get(&key).unwrap_or_else(|| {
                    quick.insert(key, loaded(id));
                    id
                })
            }),
        ];
        for (which, (ratio, time)) in measured.into_iter().enumerate() {
            ratios[which].points.push((keys, ratio));
            times[which].points.push((keys, time));
        }
    }
    let share = Axis {
        title: "share of hits",
        shown: |share| format!("{:.0} %", share * 100.0),
    };
    let time = Axis {
        title: "time of a call",
        shown: micros,
    };
    let title = "Share of hits under a zipf load, room for 32 MiB";
    save("keys-hits", title, (KEYS, share), &ratios)?;
    let title = "Time of a call under a zipf load, hits and misses";
    save("keys-time", title, (KEYS, time), &times)
}

#[derive(Clone)]
struct Weight;

impl quick_cache::Weighter<String, u64> for Weight {
    fn weight(&self, key: &String, _: &u64) -> u64 {
        u64::from(EACH) + u64::try_from(key.len()).unwrap_or(u64::MAX)
    }
}
