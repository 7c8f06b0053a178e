//! What a check of one, two and four limits costs: commands, instructions, time. And one limit in the process, beside
//! `governor`.
//!
//! `cargo bench -p millpond-benches --bench limits` prints the tables; `-- process` the second one alone.

mod by_hand;
#[path = "../hits/instructions.rs"]
mod instructions;
mod paths;
#[path = "../targets.rs"]
mod targets;

use millpond::Millpond;
use millpond::limit::{Limit, Limiter};
use millpond_gateway::{RedisServer, Reply};
use paths::{BLOCKED, BY_HAND, GOVERNOR, KEY, ONE, Path, SLIDES, TOKENS};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};
use targets::Measured;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const HOUR: Duration = Duration::from_hours(1);
const UNITS: u64 = 1_000_000_000;
const SLIDING: Limit = Limit::sliding_window("SLIDING", UNITS, HOUR);
const FIXED: Limit = Limit::fixed_window("FIXED", UNITS, HOUR);
const BUCKET: Limit = Limit::token_bucket("BUCKET", UNITS, HOUR, UNITS);
const TEAM: Limit = Limit::sliding_window("TEAM", UNITS, HOUR);

const ROUNDS: usize = 21;
const CALLS: u32 = 1_000;

fn limiter(pond: &Millpond, limits: usize) -> Limiter {
    let one = pond.limiter(&SLIDING);
    match limits {
        1 => one,
        2 => one.and(&FIXED),
        _ => one.and(&FIXED).and(&BUCKET).and_for(&TEAM, "team"),
    }
}

async fn check(limiter: &Limiter, calls: u64) -> Outcome {
    for _ in 0..calls {
        let decision = limiter.check("user-42").await?;
        if !decision.is_allowed() {
            return Err(format!("refused: {decision:?}").into());
        }
    }
    Ok(())
}

/// The median of some rounds, for one check.
async fn time(limiter: &Limiter) -> Outcome<Duration> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        check(limiter, CALLS.into()).await?;
        rounds.push(began.elapsed() / CALLS);
    }
    rounds.sort();
    Ok(rounds[ROUNDS / 2])
}

/// How many commands the server has executed, those of scripts included.
async fn executed(redis: &RedisServer) -> Outcome<u64> {
    let info = redis.database().command(["INFO", "commandstats"]).await?;
    let Reply::Bulk(info) = info else {
        return Err("INFO answers with a text".into());
    };
    let text = String::from_utf8(info.to_vec())?;
    let calls = text
        .lines()
        .filter(|line| !line.starts_with("cmdstat_info"));
    let calls = calls.filter_map(|line| {
        let (_, rest) = line.split_once(":calls=")?;
        rest.split(',').next()?.parse::<u64>().ok()
    });
    Ok(calls.sum())
}

async fn report() -> Outcome {
    let redis = RedisServer::start()?;
    let plain = Millpond::builder().redis(redis.database().url()).build()?;
    println!(
        "| limits | commands sent | commands executed | Redis on this machine | embedded | instructions, embedded |"
    );
    println!("|---|---|---|---|---|---|");
    for limits in [1, 2, 4] {
        let over_redis = limiter(&plain, limits);
        check(&over_redis, 2).await?;
        let before = executed(&redis).await?;
        check(&over_redis, 100).await?;
        let commands = (executed(&redis).await? - before) / 100;
        let remote = time(&over_redis).await?;
        let embedded = time(&limiter(&Millpond::memory(), limits)).await?;
        let instructions = instructions::per_call(&limits.to_string())?;
        let instructions =
            instructions.map_or("no valgrind".to_owned(), |number| number.to_string());
        println!("| {limits} | 1 | {commands} | {remote:.1?} | {embedded:.2?} | {instructions} |");
    }
    Ok(())
}

/// The ratio of two counts.
fn share(counts: &BTreeMap<&str, Option<f64>>, own: &str, peer: &str) -> Option<f64> {
    let of = |name| counts.get(name).copied().flatten();
    Some(of(own)? / of(peer)?)
}

async fn in_this_process() -> Outcome {
    println!(
        "\n| | instructions | allocations | instructions of `governor` | time of `governor` |"
    );
    println!("|---|--:|--:|--:|--:|");
    let governor = Path::named(GOVERNOR).await?;
    let [named, with_clocks, with_counter, with_receipt] = BY_HAND;
    let titles = [
        (GOVERNOR, "a keyed check of `governor`"),
        (KEY, "a rendered key"),
        (BLOCKED, "a check that is known to be refused"),
        (ONE, "a check of a fixed window, embedded"),
        (SLIDES, "a check of a sliding window, embedded"),
        (TOKENS, "a check of a token bucket, embedded"),
        (named, "by hand: the name of the budget"),
        (with_clocks, "by hand: and both clocks, and the window"),
        (
            with_counter,
            "by hand: and the counter, found by that, and the count of checks",
        ),
        (with_receipt, "by hand: and what a refund needs"),
    ];
    let mut counts = BTreeMap::new();
    for (name, title) in titles {
        let executed = instructions::per_call(name)?;
        let path = Path::named(name).await?;
        let allocations = path.allocations().await?;
        let time = paths::ratio(&path, &governor).await?;
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        counts.insert(name, executed.map(|count| count as f64));
        let times = share(&counts, name, GOVERNOR);
        let times = times.map_or(String::new(), |times| format!("{times:.2}"));
        let shown = executed.map_or("no valgrind".to_owned(), |number| number.to_string());
        println!("| {title} | {shown} | {allocations:.1} | {times} | {time:.2} |");
    }
    let share = |own, peer| share(&counts, own, peer);
    let (key, blocked) = (Path::named(KEY).await?, Path::named(BLOCKED).await?);
    let one = Path::named(ONE).await?;
    let row = |path, against, of, value, most| Measured {
        path,
        against,
        of,
        value,
        most,
    };
    let (known, checked) = ("check known to be refused", "check, embedded");
    let allocations = Some(blocked.allocations().await?);
    let to_key = Some(paths::ratio(&blocked, &key).await?);
    let to_governor = Some(paths::ratio(&one, &governor).await?);
    targets::print(&[
        row(known, "", "allocations", allocations, 0.0),
        row(
            known,
            "a rendered key",
            "instructions",
            share(BLOCKED, KEY),
            4.0,
        ),
        row(known, "a rendered key", "time", to_key, 4.0),
        row(
            checked,
            "`governor`, keyed",
            "instructions",
            share(ONE, GOVERNOR),
            2.0,
        ),
        row(checked, "`governor`, keyed", "time", to_governor, 2.0),
    ]);
    Ok(())
}

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["one", name, calls] => {
            let path = runtime.block_on(Path::named(name))?;
            let calls = calls.parse()?;
            instructions::counted(|| runtime.block_on(path.call(calls)))
        }
        ["process", ..] => runtime.block_on(in_this_process()),
        _ => runtime.block_on(async {
            report().await?;
            in_this_process().await
        }),
    }
}
