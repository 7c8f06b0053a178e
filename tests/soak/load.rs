//! The load: a bit of everything, over REST and RESP, from many tasks.

use crate::support::process::say;
use millpond::limit::Limit;
use millpond::{Millpond, Tag, cached, invalidates, ttl, updates};
use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const TASKS: u64 = 24;
const KEYS: u64 = 200;
const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Limit = Limit::sliding_window("SOAK", 1_000, MINUTE);

#[millpond::tag("soak:<group>")]
fn group(group: u64) -> Tag;

#[cached(prefix = "soak", key = "<id>", ttl = "short", tags(group(id % 10)), compress)]
async fn page(id: u64) -> Result<Vec<String>, std::fmt::Error> {
    tokio::task::yield_now().await;
    if id.is_multiple_of(17) {
        return Err(std::fmt::Error);
    }
    Ok(vec![format!("line {id}"); 40])
}

#[cached(batch = ids, of = page(*ids))]
async fn pages(ids: &[u64]) -> Result<HashMap<u64, Vec<String>>, std::fmt::Error> {
    tokio::task::yield_now().await;
    Ok(ids
        .iter()
        .map(|id| (*id, vec![format!("many {id}"); 40]))
        .collect())
}

/// Old for the most part, so that bodies run in the background.
#[cached(
    prefix = "soak-old",
    key = "<id>",
    ttl = "1s",
    stale_while_revalidate = "5s",
    stale_if_error = "1m",
    soft_timeout = "20ms"
)]
async fn old(id: u64) -> Result<u64, std::fmt::Error> {
    tokio::time::sleep(Duration::from_millis(id % 40)).await;
    if id.is_multiple_of(7) {
        return Err(std::fmt::Error);
    }
    Ok(id)
}

#[invalidates(page(id))]
async fn change(id: u64) {}

#[invalidates(group(id))]
async fn change_group(id: u64) {}

#[updates(page(id))]
async fn replace(id: u64) -> Result<Vec<String>, std::fmt::Error> {
    Ok(vec![format!("new {id}")])
}

pub(crate) async fn run(
    [over_http, over_resp]: [String; 2],
    token: &str,
    mut orders: mpsc::UnboundedReceiver<String>,
) {
    let builder = Millpond::builder().budget(Duration::from_millis(200));
    let builder = builder.backoff(Duration::from_millis(5));
    let ponds = [
        builder.clone().upstash(over_http, token).build().unwrap(),
        builder.redis(over_resp).build().unwrap(),
    ];
    let (is_over, calls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut tasks = JoinSet::new();
    for number in 0..TASKS {
        let pond = ponds[usize::try_from(number % 2).unwrap()].clone();
        let (is_over, calls) = (Arc::clone(&is_over), Arc::clone(&calls));
        tasks.spawn(async move {
            let mut dice = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            while !is_over.load(Ordering::Relaxed) {
                // Xorshift.
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let act = pond.scope(act(&pond, dice));
                // Some callers go away.
                let patience = if dice % 29 == 0 { 3 } else { 10_000 };
                let _ = tokio::time::timeout(Duration::from_millis(patience), act).await;
                calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
    while let Some(order) = orders.recv().await {
        if order == "end" {
            is_over.store(true, Ordering::Relaxed);
            while tasks.join_next().await.is_some() {}
            for pond in &ponds {
                // What is owed goes out as soon as the circuit lets it.
                while pond.flush().await.is_err() || pond.stats().pending_invalidations > 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        say(&sample(calls.swap(0, Ordering::Relaxed)));
    }
}

async fn act(pond: &Millpond, dice: u64) {
    let id = (dice >> 8) % KEYS;
    let name = format!("soak-{id}");
    // Failures are what this is about.
    match (dice >> 40) % 20 {
        0..=6 => drop(page(id).await),
        7 => change(id).await,
        8 => change_group(id % 10).await,
        9 => drop(replace(id).await),
        10 => drop(page::entry(id).put(&Vec::new()).await),
        11 => drop(pond.limiter(&LIMIT).check(&name).await),
        12 => {
            if let Ok(Some(lock)) = pond.lock(&name, MINUTE).try_lock().await {
                drop(lock.release().await);
            }
        }
        13 => {
            let sessions = pond.sessions::<u64>(ttl::SHORT);
            if let Ok(id) = sessions.create(&dice).await {
                drop(sessions.get(&id).await);
                drop(sessions.destroy(&id).await);
            }
        }
        14 => drop(pages(&[id, id + 1, id + 2, id + 3]).await),
        15..=17 => drop(old(id).await),
        18 => drop(pond.increment(&name, 1, ttl::SHORT).await),
        _ => drop(
            pond.hash(&name)
                .expires_in(MINUTE)
                .set("field", &dice)
                .await,
        ),
    }
}

/// Memory in MiB, tasks, sockets, and what was done since the last one.
fn sample(calls: u64) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = resident
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let sockets = open
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count();
    format!("{:.1} {tasks} {sockets} {calls}", kib / 1024.0)
}
