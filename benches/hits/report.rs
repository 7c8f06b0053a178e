//! The tables, as Markdown.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::instructions;
use crate::rounds::{Compared, Times};

pub(crate) fn heading(text: &str) {
    println!("\n### {text}\n");
}

pub(crate) fn times(all: &[Times]) {
    println!("| | time | against by hand | CPU of the caller | against by hand |");
    println!("|---|--:|--:|--:|--:|");
    for Times { name, wall, cpu } in all {
        let (wall, cpu) = (cells(wall), cells(cpu));
        println!("| {name} | {wall} | {cpu} |");
    }
}

fn cells(Compared { nanos, ratio }: &Compared) -> String {
    let (unit, decimals, size) = if nanos.median < 10_000.0 {
        ("ns", 0, 1.0)
    } else {
        ("µs", 1, 1_000.0)
    };
    format!(
        "{:.decimals$} {unit} ({:.decimals$} to {:.decimals$}) | {:.2} ({:.2} to {:.2})",
        nanos.median / size,
        nanos.low / size,
        nanos.high / size,
        ratio.median,
        ratio.low,
        ratio.high,
    )
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

/// The instructions of each, told each of these.
pub(crate) fn instructions(names: &[&str], told: &[(&str, &[&str])]) -> Outcome {
    println!("| | instructions |");
    println!("|---|--:|");
    for name in names {
        for (title, told) in told {
            let count = instructions::per_call_with(name, told)?;
            let count = count.map_or_else(|| "no valgrind".to_owned(), |count| count.to_string());
            println!("| {name}{title} | {count} |");
        }
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
