//! Ten thousand callers of one key that is not cached yet.

use crate::Outcome;
use crate::targets::Measured;
use millpond::Millpond;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const CALLERS: usize = 10_000;
const BODY: Duration = Duration::from_millis(100);
const ROUNDS: u64 = 7;

static BODIES: AtomicU32 = AtomicU32::new(0);

#[millpond::cached(local = "1h", prefix = "stampede", ttl = "1h", key = "<round>")]
async fn slow(round: u64) -> u64 {
    BODIES.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(BODY).await;
    round
}

/// How long the last of them waits, against the body; the least of some rounds.
pub(crate) fn measured() -> Outcome<[Measured; 2]> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let pond = Millpond::memory();
    let last = runtime.block_on(async {
        let mut least = f64::INFINITY;
        for round in 0..ROUNDS {
            let began = Instant::now();
            let mut callers = JoinSet::new();
            for _ in 0..CALLERS {
                callers.spawn(pond.scope(slow(round)));
            }
            callers.join_all().await;
            least = least.min(began.elapsed().as_secs_f64() / BODY.as_secs_f64());
        }
        least
    });
    let bodies = f64::from(BODIES.load(Ordering::Relaxed)) / f64::from(u32::try_from(ROUNDS)?);
    let row = |of, value, most| Measured {
        path: "stampede of 10,000, `local` on",
        against: "one body",
        of,
        value: Some(value),
        most,
    };
    Ok([
        row("bodies", bodies, 1.0),
        row("time of the last caller", last, 2.0),
    ])
}
