//! Times side by side. In each round every contestant makes its calls, in an order that turns, so
//! that a slow moment of the machine meets all of them; ratios are taken within a round.

use crate::contestant::Contestant;
use crate::spread::Spread;
use cpu_time::ThreadTime;
use std::time::{Duration, Instant};

const ROUNDS: usize = 200;
/// How long one contestant is timed in one round.
const SLICE: Duration = Duration::from_millis(5);

/// What the calls of a contestant took.
pub(crate) struct Times {
    pub(crate) name: &'static str,
    pub(crate) wall: Compared,
    /// What this thread computed; a busy machine changes it little.
    pub(crate) cpu: Compared,
}

/// In ns per call, and against the first contestant.
pub(crate) struct Compared {
    pub(crate) nanos: Spread,
    pub(crate) ratio: Spread,
}

/// In ns per call.
#[derive(Clone, Copy)]
struct Round {
    wall: f64,
    cpu: f64,
}

pub(crate) async fn run(contestants: &[Contestant], at_once: usize) -> Vec<Times> {
    let mut calls = Vec::new();
    for contestant in contestants {
        contestant.fill().await;
        calls.push(calls_in_a_slice(contestant, at_once).await);
    }
    let mut rounds = vec![Vec::with_capacity(ROUNDS); contestants.len()];
    for round in 0..ROUNDS {
        for turn in 0..contestants.len() {
            let which = (round + turn) % contestants.len();
            rounds[which].push(timed(&contestants[which], calls[which], at_once).await);
        }
    }
    contestants
        .iter()
        .zip(&rounds)
        .map(|(contestant, own)| Times {
            name: contestant.name,
            wall: compared(own, &rounds[0], |round| round.wall),
            cpu: compared(own, &rounds[0], |round| round.cpu),
        })
        .collect()
}

fn compared(own: &[Round], first: &[Round], time: fn(&Round) -> f64) -> Compared {
    let ratios = own
        .iter()
        .zip(first)
        .map(|(own, first)| time(own) / time(first));
    Compared {
        ratio: Spread::of(ratios.collect()),
        nanos: Spread::of(own.iter().map(time).collect()),
    }
}

async fn calls_in_a_slice(contestant: &Contestant, at_once: usize) -> u64 {
    let mut calls = at_once as u64;
    loop {
        let start = Instant::now();
        contestant.call(calls, at_once).await;
        if start.elapsed() >= SLICE {
            return calls;
        }
        calls *= 2;
    }
}

async fn timed(contestant: &Contestant, calls: u64, at_once: usize) -> Round {
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    contestant.call(calls, at_once).await;
    let (wall, cpu) = (wall.elapsed(), cpu.elapsed());
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let per_call = |time: Duration| time.as_secs_f64() * 1e9 / calls as f64;
    Round {
        wall: per_call(wall),
        cpu: per_call(cpu),
    }
}
