//! Callers that call again as soon as they have an answer.

use futures_util::future::join_all;
use std::time::{Duration, Instant};

/// What a call takes, in µs, and how many end in a second.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) per_second: f64,
}

/// So many callers, for so long; each makes at least one call that counts. The first one of each does not.
pub(crate) async fn measure(
    callers: u32,
    lasts: Duration,
    call: impl AsyncFn(u32, u32),
) -> Measured {
    let call = &call;
    join_all((0..callers).map(|caller| call(caller, 0))).await;
    let began = Instant::now();
    let each = (0..callers).map(async |caller| {
        let mut times = Vec::new();
        for number in 0.. {
            let start = Instant::now();
            call(caller, number).await;
            times.push(start.elapsed());
            if began.elapsed() >= lasts {
                break;
            }
        }
        times
    });
    let mut times: Vec<Duration> = join_all(each).await.into_iter().flatten().collect();
    let taken = began.elapsed();
    times.sort_unstable();
    let at = |per_mille: usize| {
        let time = times[(times.len() - 1) * per_mille / 1_000];
        time.as_secs_f64() * 1e6
    };
    Measured {
        p50: at(500),
        p99: at(990),
        p999: at(999),
        per_second: f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX)) / taken.as_secs_f64(),
    }
}
