//! Many callers of one key whose source is in trouble.

use crate::Outcome;
use crate::peer::Peer;
use crate::source::{Ends, Source};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CALLERS: usize = 64;
const LASTS: Duration = Duration::from_secs(3);
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(1);

struct Trouble {
    name: &'static str,
    takes: Duration,
    ends: Ends,
    invalidated_every: Option<Duration>,
}

const TROUBLES: [Trouble; 4] = [
    Trouble {
        name: "Constant invalidation: a body takes 20 ms, and the key is invalidated every 5 ms",
        takes: Duration::from_millis(20),
        ends: Ends::Well,
        invalidated_every: Some(Duration::from_millis(5)),
    },
    Trouble {
        name: "A failing source: a body takes 20 ms and returns an error",
        takes: Duration::from_millis(20),
        ends: Ends::InAnError,
        invalidated_every: None,
    },
    Trouble {
        name: "A panicking source: a body takes 20 ms and panics",
        takes: Duration::from_millis(20),
        ends: Ends::InAPanic,
        invalidated_every: None,
    },
    Trouble {
        name: "A slow source: a body takes 500 ms, and the key is invalidated every second",
        takes: Duration::from_millis(500),
        ends: Ends::Well,
        invalidated_every: Some(Duration::from_secs(1)),
    },
];

pub(crate) async fn report() -> Outcome {
    for trouble in &TROUBLES {
        println!("\n### {}\n", trouble.name);
        println!("| | bodies | calls | stale answers | p50 | p99 | max |");
        println!("|---|--:|--:|--:|--:|--:|--:|");
        let contestants = [
            ("millpond", Peer::millpond()),
            ("amalgam-cache", Peer::amalgam()?),
            ("moka", Peer::moka()),
            ("cached", Peer::cached().await),
            ("no cache", Peer::None),
        ];
        for (name, peer) in contestants {
            row(name, &peer, trouble).await?;
        }
    }
    Ok(())
}

async fn row(name: &str, peer: &Peer, trouble: &Trouble) -> Outcome {
    let source = Arc::new(Source::timed(trouble.takes, trouble.ends));
    let is_over = Arc::new(AtomicBool::new(false));
    // What every call that starts from now on must return, or something newer.
    let announced = Arc::new(AtomicU64::new(1));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (peer, source) = (peer.clone(), Arc::clone(&source));
            let (is_over, announced) = (Arc::clone(&is_over), Arc::clone(&announced));
            tokio::spawn(async move {
                let (mut times, mut stale) = (Vec::new(), 0_u64);
                while !is_over.load(Ordering::Relaxed) {
                    let least = announced.load(Ordering::SeqCst);
                    let start = Instant::now();
                    let result = AssertUnwindSafe(peer.get(0, &source)).catch_unwind().await;
                    times.push(start.elapsed());
                    stale += u64::from(matches!(result, Ok(Ok(value)) if value < least));
                    tokio::time::sleep(PAUSE).await;
                }
                (times, stale)
            })
        })
        .collect();
    let start = Instant::now();
    while start.elapsed() < LASTS {
        tokio::time::sleep(trouble.invalidated_every.unwrap_or(LASTS)).await;
        if trouble.invalidated_every.is_some() {
            let version = source.change();
            peer.invalidate(0).await?;
            announced.store(version, Ordering::SeqCst);
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut times, mut stale) = (Vec::new(), 0);
    for caller in callers {
        let (its_times, its_stale) = caller.await?;
        times.extend(its_times);
        stale += its_stale;
    }
    times.sort();
    let (bodies, calls) = (source.bodies(), times.len());
    let at = |percent: usize| shown(times[(times.len() - 1) * percent / 100]);
    println!(
        "| {name} | {bodies} | {calls} | {stale} | {} | {} | {} |",
        at(50),
        at(99),
        at(100)
    );
    Ok(())
}

fn shown(time: Duration) -> String {
    let micros = time.as_micros();
    if micros < 1_000 {
        format!("{micros} µs")
    } else {
        format!("{} ms", micros / 1_000)
    }
}
