//! Times side by side. In each round everybody makes their calls, in an order that turns, so that a slow moment of the
//! machine meets all of them.

use crate::contestant::Contestant;
use crate::spread::Spread;
use std::time::{Duration, Instant};

const ROUNDS: usize = 300;
/// How long one contestant is timed in one round.
const SLICE: Duration = Duration::from_millis(3);

/// What one call took in each round, in ns.
pub(crate) struct Rounds {
    names: Vec<&'static str>,
    nanos: Vec<Vec<f64>>,
}

impl Rounds {
    /// One thread, every user.
    pub(crate) fn alone(contestants: &[Contestant]) -> Self {
        Self::run(contestants, |contestant, calls| {
            let began = Instant::now();
            contestant.call(calls);
            began.elapsed()
        })
    }

    /// Two threads, one user: what a call takes in either of them.
    pub(crate) fn together(contestants: &[Contestant]) -> Self {
        Self::run(contestants, |contestant, calls| {
            contestant.together(2, calls)
        })
    }

    fn run(contestants: &[Contestant], time: impl Fn(&Contestant, u64) -> Duration) -> Self {
        let calls: Vec<u64> = contestants
            .iter()
            .map(|contestant| {
                let mut calls = 1_000;
                while time(contestant, calls) < SLICE {
                    calls *= 2;
                }
                calls
            })
            .collect();
        let mut nanos = vec![Vec::with_capacity(ROUNDS); contestants.len()];
        for round in 0..ROUNDS {
            for turn in 0..contestants.len() {
                let which = (round + turn) % contestants.len();
                let taken = time(&contestants[which], calls[which]);
                #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
                nanos[which].push(taken.as_secs_f64() * 1e9 / calls[which] as f64);
            }
        }
        Self {
            names: contestants.iter().map(|it| it.name).collect(),
            nanos,
        }
    }

    fn of(&self, name: &str) -> Option<&[f64]> {
        let at = self.names.iter().position(|it| *it == name)?;
        self.nanos.get(at).map(Vec::as_slice)
    }

    pub(crate) fn nanos(&self, name: &str) -> Option<Spread> {
        self.of(name).map(|own| Spread::of(own.to_vec()))
    }

    /// Within a round each.
    pub(crate) fn ratio(&self, own: &str, peer: &str) -> Option<Spread> {
        let pairs = self.of(own)?.iter().zip(self.of(peer)?);
        Some(Spread::of(pairs.map(|(own, peer)| own / peer).collect()))
    }
}
