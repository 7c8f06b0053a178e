//! What a hit costs through `#[cached]`, beside the same work by hand and beside other caches.
//!
//! `cargo bench -p millpond-benches --bench hits` prints the tables of `docs/benchmarks.md`.

mod concurrent;
mod contestant;
mod embedded;
mod gateway;
mod in_full;
mod instructions;
mod relay;
mod remote;
mod report;
mod rounds;
#[path = "../spread.rs"]
mod spread;
mod subject;
#[path = "../targets.rs"]
mod targets;

use metrics_exporter_prometheus::PrometheusBuilder;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::error::Error;
use targets::Measured;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["gateway", port, number] => {
            runtime.block_on(gateway::serve(port.parse()?, number.parse()?))
        }
        ["one", name, calls] | ["one", name, calls, RECORDED] => {
            if args.last() == Some(&RECORDED) {
                PrometheusBuilder::new().install_recorder()?;
            }
            let contestant = runtime.block_on(embedded::filled(name))?;
            let calls = calls.parse()?;
            instructions::counted(|| runtime.block_on(contestant.call(calls, 1)));
            Ok(())
        }
        ["one", protocol, name, calls, at_once] => {
            let (calls, at_once) = (calls.parse()?, at_once.parse()?);
            runtime.block_on(remote::one(protocol, name, calls, at_once))
        }
        ["metrics", ..] => with_metrics(),
        ["embedded", ..] => {
            let (hit, json) = runtime.block_on(in_this_process())?;
            targets::print(&[hit]);
            targets::print_floors(&[json]);
            Ok(())
        }
        ["remote", ..] => {
            let remote::Report { rows, floors } = runtime.block_on(remote::report())?;
            targets::print(&rows);
            targets::print_floors(&floors);
            Ok(())
        }
        _ => runtime.block_on(async {
            let (hit, json) = in_this_process().await?;
            let mut all = remote::report().await?;
            all.rows.insert(0, hit);
            all.floors.insert(0, json);
            targets::print(&all.rows);
            targets::print_floors(&all.floors);
            Ok(())
        }),
    }
}

/// What `one` is told to install a recorder.
const RECORDED: &str = "recorded";

fn with_metrics() -> Outcome {
    let feature = if cfg!(feature = "metrics") {
        "with"
    } else {
        "without"
    };
    report::heading(&format!("A hit {feature} the feature `metrics`"));
    report::instructions(
        &embedded::OWN,
        &[("", &[]), (", a recorder installed", &[RECORDED])],
    )
}

/// A hit, and the least that it takes.
async fn in_this_process() -> Outcome<(Measured, Measured)> {
    let contestants = embedded::contestants()?;
    report::heading("A hit in this process");
    report::times(&rounds::run(&contestants, 1).await);
    report::heading("What it executes and allocates");
    report::work(&contestants).await?;
    let hit = executed("embedded hit (JSON)", "millpond")?;
    Ok((hit, executed(embedded::JSON, embedded::JSON)?))
}

/// What a hit of a contestant executes, beside the target of one in the embedded engine.
fn executed(path: &'static str, name: &str) -> Outcome<Measured> {
    let executed = instructions::per_call(name)?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let value = executed.map(|count| count as f64);
    Ok(Measured {
        path,
        against: "",
        of: "instructions",
        value,
        most: 5_500.0,
    })
}
