//! What a hit costs through `#[cached]`, beside the same work by hand and beside other caches.
//!
//! `cargo bench -p millpond-benches --bench hits` prints the tables of `docs/benchmarks.md`.

mod contestant;
mod embedded;
mod gateway;
mod instructions;
mod relay;
mod remote;
mod report;
mod rounds;
mod subject;

use metrics_exporter_prometheus::PrometheusBuilder;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::error::Error;

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
        ["one", name, calls] => runtime.block_on(embedded::one(name, calls.parse()?)),
        ["one", name, calls, RECORDED] => {
            PrometheusBuilder::new().install_recorder()?;
            runtime.block_on(embedded::one(name, calls.parse()?))
        }
        ["metrics", ..] => with_metrics(),
        ["embedded", ..] => runtime.block_on(in_this_process()),
        ["remote", ..] => runtime.block_on(remote::report()),
        _ => runtime.block_on(async {
            in_this_process().await?;
            remote::report().await
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

async fn in_this_process() -> Outcome {
    let contestants = embedded::contestants()?;
    report::heading("A hit in this process");
    report::times(&rounds::run(&contestants, 1).await);
    report::heading("What it executes and allocates");
    report::work(&contestants).await
}
