//! A mixed load with faults that come and go: memory, tasks and sockets of the process stay flat, and when the load
//! ends, so does everything that it began.
//!
//! Seconds long. For ten minutes and the chart of docs/faults.md: `MILLPOND_SOAK_SECONDS=600 MILLPOND_SOAK_CHART=docs/soak.svg
//! cargo test --all-features --test soak -- --nocapture`.

#![cfg(all(feature = "upstash", feature = "redis", target_os = "linux"))]

mod chart;
mod load;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/svg.rs"]
mod svg;

use millpond_gateway::{Fault, Gateway, Matcher, RedisServer, StallingProxy, needs_redis};
use std::time::{Duration, Instant};
use support::process::{Process, orders};

/// How long the server is well, and then is not.
const PHASE: Duration = Duration::from_millis(1_500);

/// The load, in a process of its own, so that what is measured is millpond's.
#[tokio::test]
#[ignore = "the other test runs it in a process of its own"]
async fn a_process_under_load() {
    let variable = |name| std::env::var(name).unwrap_or_default();
    if !variable("SOAK_REST").is_empty() {
        let urls = [variable("SOAK_REST"), variable("SOAK_RESP")];
        load::run(urls, &variable("SOAK_TOKEN"), orders()).await;
    }
}

/// What the process says of itself, once in a while.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Duration,
    is_well: bool,
    memory_mib: f64,
    tasks: f64,
    sockets: f64,
    calls: f64,
}

#[tokio::test]
async fn memory_tasks_and_sockets_stay_flat_while_faults_come_and_go() {
    let _ = needs_redis!();
    let seconds = std::env::var("MILLPOND_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(9, |seconds| seconds.parse().expect("a number of seconds"));
    // A server of its own, whose connections can be counted.
    let server = RedisServer::start().unwrap();
    let gateway = Gateway::start(&server.database()).await.unwrap();
    let over_http = StallingProxy::start(gateway.port()).await.unwrap();
    let over_resp = StallingProxy::start(server.port()).await.unwrap();
    let database = server.database().behind(over_resp.port());
    let mut process = Process::start(
        "a_process_under_load",
        &[
            ("SOAK_REST", &over_http.url()),
            ("SOAK_TOKEN", gateway.token()),
            ("SOAK_RESP", &database.url()),
        ],
    );
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut phase = 0;
    let mut stalls = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        // What arrived is kept for tests that look at it.
        gateway.clear();
        process.tell("sample").await;
        let said = process.says().await;
        let is_well = phase % 2 == 0;
        samples.push(Sample::parse(&said, start.elapsed(), is_well));
        tokio::time::sleep(PHASE / 3).await;
        let now = u32::try_from(start.elapsed().as_millis() / PHASE.as_millis()).unwrap();
        if now != phase {
            phase = now;
            stalls.clear();
            gateway.heal();
            gateway.accept().await;
            over_resp.accept();
            over_http.accept();
            if phase % 2 == 1 {
                let any = || Matcher::any().always();
                match phase / 2 % 6 {
                    0 => gateway.inject(any(), Fault::status(503)),
                    1 => {
                        gateway.refuse().await;
                        over_resp.refuse();
                    }
                    2 => stalls.extend([over_http.stall(), over_resp.stall()]),
                    3 => gateway.inject(any(), Fault::ResetAfter),
                    4 => stalls.extend([over_http.stall_answers(), over_resp.stall_answers()]),
                    _ => gateway.inject(any(), Fault::Slow(Duration::from_millis(80))),
                }
            }
        }
    }
    drop(stalls);
    gateway.heal();
    gateway.accept().await;
    over_resp.accept();
    process.tell("end").await;
    let end = process.says().await;
    println!("at the end: {end}");
    let left = Sample::parse(&end, start.elapsed(), true);
    process.end().await;
    if let Some(path) = std::env::var_os("MILLPOND_SOAK_CHART") {
        std::fs::write(path, chart::of(&samples)).unwrap();
    }
    check(&samples, left);
}

/// The second half is as the first one was.
fn check(samples: &[Sample], left: Sample) {
    let (first, second) = samples.split_at(samples.len() / 2);
    let most = |of: &[Sample], what: fn(&Sample) -> f64| of.iter().map(what).fold(0.0, f64::max);
    let calls: f64 = samples.iter().map(|sample| sample.calls).sum();
    println!(
        "{calls} calls, {} samples, left over: {left:?}",
        samples.len()
    );
    assert!(calls > 1_000.0, "too little was done: {calls}");
    for (name, what, slack) in [
        ("MiB", (|it| it.memory_mib) as fn(&Sample) -> f64, 12.0),
        ("tasks", |it| it.tasks, 200.0),
        ("sockets", |it| it.sockets, 40.0),
    ] {
        let (early, late) = (most(first, what), most(second, what));
        println!("{name}: at most {early} in the first half, {late} in the second");
        assert!(
            late <= early * 1.25 + slack,
            "{name} grow: {early}, then {late}"
        );
    }
    // Those that drive a connection stay; nothing that waits for something does.
    assert!(left.tasks < 20.0, "tasks are left: {left:?}");
    assert!(left.sockets < 24.0, "connections are left: {left:?}");
}

impl Sample {
    fn parse(said: &str, at: Duration, is_well: bool) -> Self {
        let numbers: Vec<f64> = said
            .split(' ')
            .map(|word| word.parse().expect(said))
            .collect();
        let [memory_mib, tasks, sockets, calls] = numbers[..] else {
            panic!("four numbers: {said}");
        };
        Self {
            at,
            is_well,
            memory_mib,
            tasks,
            sockets,
            calls,
        }
    }
}
