//! An invalidation while a load is under way, and a leader that goes away.

use crate::Outcome;
use crate::peer::{Peer, Unsupported};
use crate::source::{Ends, Source};
use futures_util::future::join_all;
use millpond_gateway::RedisServer;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often each probe is made, all at once, on keys of their own.
const ROUNDS: u64 = 50;
/// How long messages between instances may take.
const SETTLES: Duration = Duration::from_millis(500);
/// Who has no answer after that has none.
const LOST: Duration = Duration::from_secs(10);
const WAITERS: usize = 50;

#[derive(Clone, Copy)]
enum What {
    Key,
    Tag,
}

#[derive(Clone, Copy, PartialEq)]
enum Leader {
    Aborted,
    Panics,
}

struct Contestant {
    name: &'static str,
    here: Peer,
    /// Another instance on the same Redis.
    there: Option<Peer>,
}

pub(crate) async fn report() -> Outcome {
    let redis = RedisServer::start()?;
    let [millpond, other_millpond] = Peer::millpond_on(&redis)?;
    let [amalgam, other_amalgam] = Peer::amalgam_on(&redis, false).await?;
    let [strict, other_strict] = Peer::amalgam_on(&redis, true).await?;
    let pair = |name, here, there| Contestant {
        name,
        here,
        there: Some(there),
    };
    let alone = |name, here| Contestant {
        name,
        here,
        there: None,
    };
    let contestants = [
        alone("millpond, embedded", Peer::millpond()),
        pair("millpond, Redis", millpond, other_millpond),
        alone("amalgam-cache, in memory", Peer::amalgam()?),
        pair("amalgam-cache, Redis", amalgam, other_amalgam),
        pair("amalgam-cache, Redis, strict", strict, other_strict),
        alone("moka", Peer::moka()),
        alone("cached", Peer::cached().await),
    ];
    println!("\n### Races\n");
    println!(
        "| | invalidation during a load | by a tag | in another instance | by a tag, in another instance | leader aborted | \
         leader panics |"
    );
    println!("|---|---|---|---|---|---|---|");
    for contestant in &contestants {
        let mut cells = Vec::new();
        let here = &contestant.here;
        for by in [Some(here), contestant.there.as_ref()] {
            for what in [What::Key, What::Tag] {
                cells.push(match by {
                    Some(by) => invalidated(contestant, by, what).await?,
                    None => "–".to_owned(),
                });
            }
        }
        for leader in [Leader::Aborted, Leader::Panics] {
            cells.push(left_alone(here, leader).await);
        }
        println!("| {} | {} |", contestant.name, cells.join(" | "));
    }
    Ok(())
}

/// Of how many rounds a later call still gets the value from before.
async fn invalidated(contestant: &Contestant, by: &Peer, what: What) -> Outcome<String> {
    // A key is used once in all of this.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let first = NEXT.fetch_add(ROUNDS, std::sync::atomic::Ordering::Relaxed);
    let rounds =
        join_all((first..first + ROUNDS).map(|which| round(contestant, by, what, which))).await;
    let mut stale = 0;
    for round in rounds {
        match round {
            Ok(is_stale) => stale += u32::from(is_stale?),
            Err(Unsupported) => return Ok("no such thing".to_owned()),
        }
    }
    Ok(match stale {
        0 => "current".to_owned(),
        stale => format!("**stale**, {stale} of {ROUNDS}"),
    })
}

async fn round(
    contestant: &Contestant,
    by: &Peer,
    what: What,
    which: u64,
) -> Result<Outcome<bool>, Unsupported> {
    let source = Arc::new(Source::gated(Ends::Well));
    let load = {
        let (here, source) = (contestant.here.clone(), Arc::clone(&source));
        tokio::spawn(async move { here.get(which, &source).await })
    };
    source.began().await;
    source.change();
    let invalidation = async {
        Ok(match what {
            What::Key => by.invalidate(which).await,
            What::Tag => by.invalidate_tag(which).await?,
        })
    };
    // One that waits for the load would wait for ever.
    let opening = async {
        tokio::time::sleep(SETTLES).await;
        source.open();
    };
    let (done, ()) = tokio::join!(invalidation, opening);
    let done = done?;
    if let Err(error) = done {
        return Ok(Err(error));
    }
    let _ = load.await;
    tokio::time::sleep(SETTLES).await;
    let mut is_stale = false;
    for peer in std::iter::once(&contestant.here).chain(&contestant.there) {
        match peer.get(which, &source).await {
            Ok(value) => is_stale |= value < source.version(),
            Err(error) => return Ok(Err(error.into())),
        }
    }
    Ok(Ok(is_stale))
}

/// What becomes of those who wait for a load whose caller goes away.
async fn left_alone(peer: &Peer, leader: Leader) -> String {
    let which = match leader {
        Leader::Aborted => u64::MAX,
        Leader::Panics => u64::MAX - 1,
    };
    let ends = if leader == Leader::Panics {
        Ends::FirstPanics
    } else {
        Ends::Well
    };
    let source = Arc::new(Source::gated(ends));
    let call = || {
        let (peer, source) = (peer.clone(), Arc::clone(&source));
        tokio::spawn(async move { peer.get(which, &source).await })
    };
    let first = call();
    source.began().await;
    let waiters: Vec<_> = (0..WAITERS).map(|_| call()).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    if leader == Leader::Aborted {
        first.abort();
        let _ = first.await;
        // Whoever takes over has read by now.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    source.open();
    let answers = join_all(
        waiters
            .into_iter()
            .map(|waiter| tokio::time::timeout(LOST, waiter)),
    );
    let answered = answers
        .await
        .into_iter()
        .filter(|it| matches!(it, Ok(Ok(Ok(_)))))
        .count();
    let lasted = start.elapsed().as_millis();
    let bodies = source.bodies();
    let noun = if bodies == 1 { "body" } else { "bodies" };
    format!("{answered} of {WAITERS} answered, {bodies} {noun}, {lasted} ms")
}
