//! What an annotated function costs to compile: the same 200 functions without an attribute, with
//! `#[cached]`, and with the attribute of `cached` over Redis.
//!
//! `cargo bench -p millpond-benches --bench compile` prints the tables of `docs/benchmarks.md`; `-- shared millpond` one row.

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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |all: &[&str], word: &str| {
        !words.iter().any(|it| all.contains(&it.as_str())) || words.iter().any(|it| it == word)
    };
    for (word, types) in [("own", Types::Own), ("shared", Types::Shared)] {
        if !wanted(&["own", "shared"], word) {
            continue;
        }
        println!("\n### {FUNCTIONS} functions, {types}\n");
        println!("| | LLVM lines | object code | `cargo check` | against plain |");
        println!("|---|--:|--:|--:|--:|");
        let mut plain = None;
        for (word, kind) in [
            ("plain", Kind::Plain),
            ("millpond", Kind::Millpond),
            ("cached", Kind::Cached),
        ] {
            if !wanted(&["plain", "millpond", "cached"], word) {
                continue;
            }
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
