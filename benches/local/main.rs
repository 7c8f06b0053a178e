//! What a hit in the local tier costs, beside the caches that keep values in the process.
//!
//! `cargo bench -p millpond-benches --bench local` prints the tables of `docs/benchmarks.md`.

mod contestant;
mod contestants;
mod in_full;
#[path = "../hits/instructions.rs"]
mod instructions;
mod names;
mod promises;
mod report;
mod rounds;
#[path = "../spread.rs"]
mod spread;
mod stampede;
mod subject;
#[path = "../targets.rs"]
mod targets;

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
    let contestants = runtime.block_on(contestants::contestants())?;
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["one", name, calls] => {
            let contestant = contestants.iter().find(|it| it.name == name);
            let contestant = contestant.ok_or("one of the names that the table has")?;
            let calls = calls.parse()?;
            instructions::counted(|| contestant.call(calls));
            Ok(())
        }
        ["stampede", ..] => {
            targets::print(&stampede::measured()?);
            Ok(())
        }
        ["instructions", ..] => report::instructions(&contestants),
        _ => report::all(&contestants),
    }
}
