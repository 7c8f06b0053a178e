//! The tables, as Markdown.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::instructions;
use crate::rounds::Times;

pub(crate) fn heading(text: &str) {
    println!("\n### {text}\n");
}

pub(crate) fn times(all: &[Times]) {
    println!("| | time, median | middle 80 % | against by hand | middle 80 % |");
    println!("|---|--:|--:|--:|--:|");
    for Times { name, nanos, ratio } in all {
        println!(
            "| {name} | {} | {} to {} | {:.2} | {:.2} to {:.2} |",
            duration(nanos.median),
            duration(nanos.low),
            duration(nanos.high),
            ratio.median,
            ratio.low,
            ratio.high,
        );
    }
}

fn duration(nanos: f64) -> String {
    if nanos < 10_000.0 {
        format!("{nanos:.0} ns")
    } else {
        format!("{:.0} µs", nanos / 1_000.0)
    }
}

pub(crate) async fn work(contestants: &[Contestant]) -> Outcome {
    println!("| | instructions | allocations | bytes allocated |");
    println!("|---|--:|--:|--:|");
    for contestant in contestants {
        let (count, bytes) = contestant.allocations(10_000, 1).await;
        let instructions = instructions::per_call(contestant.name)?
            .map_or_else(|| "no valgrind".to_owned(), |count| count.to_string());
        println!(
            "| {} | {instructions} | {count} | {bytes} |",
            contestant.name
        );
    }
    Ok(())
}

pub(crate) struct Traffic {
    pub(crate) name: &'static str,
    pub(crate) at_once: usize,
    pub(crate) commands: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) allocations: u64,
}

pub(crate) fn traffic(rows: &[Traffic]) {
    println!("| | at once | commands | bytes sent | bytes received | allocations |");
    println!("|---|--:|--:|--:|--:|--:|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            row.name, row.at_once, row.commands, row.sent, row.received, row.allocations
        );
    }
}
