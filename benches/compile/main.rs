//! What an annotated function costs to compile: the same 200 functions without an attribute, with
//! `#[cached]`, and with the attribute of `cached` over Redis.
//!
//! `cargo bench -p millpond-benches --bench compile` prints the table of `docs/benchmarks.md`.

mod build;
mod ir;
mod source;
mod workspace;

use build::Cost;
use source::{FUNCTIONS, Kind, Types};
use std::error::Error;
use workspace::Workspace;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let workspace = Workspace::create()?;
    for types in [Types::Own, Types::Shared] {
        println!("\n### {FUNCTIONS} functions, {types}\n");
        println!("| | LLVM lines | object code | `cargo check` | against plain |");
        println!("|---|--:|--:|--:|--:|");
        let mut plain = None;
        for kind in [Kind::Plain, Kind::Millpond, Kind::Cached] {
            let Cost {
                lines,
                object,
                check,
            } = build::measure(&workspace, kind, types)?;
            let plain = *plain.get_or_insert(check);
            let ratio = check.as_secs_f64() / plain.as_secs_f64();
            let kilobytes = f64::from(object) / 1_000.0;
            let seconds = check.as_secs_f64();
            println!("| {kind} | {lines} | {kilobytes:.1} kB | {seconds:.1} s | {ratio:.1} |");
        }
    }
    Ok(())
}
