//! The tables, as Markdown.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::instructions::per_call;
use crate::promises::{FLOORS, FLOORS_TOGETHER, TARGETS, TOGETHER, Target};
use crate::rounds::Rounds;
use crate::spread::Spread;
use crate::stampede;
use crate::targets::{self, Measured};

/// What one call of everybody executes; nothing where Valgrind is missing.
type Counted = Vec<(&'static str, Option<u64>)>;

fn counted(contestants: &[Contestant]) -> Outcome<Counted> {
    let count = |it: &Contestant| Ok((it.name, per_call(it.name)?));
    contestants.iter().map(count).collect()
}

pub(crate) fn instructions(contestants: &[Contestant]) -> Outcome {
    let counted = counted(contestants)?;
    for (name, count) in &counted {
        println!("{name}: {}", number(*count));
    }
    targets::print(&compared(&TARGETS, None, &counted));
    targets::print_floors(&compared(&FLOORS, None, &counted));
    Ok(())
}

pub(crate) fn all(contestants: &[Contestant]) -> Outcome {
    let counted = counted(contestants)?;
    let alone = Rounds::alone(contestants);
    let together = Rounds::together(contestants);
    heading("A hit in the process");
    println!("| | time | two threads, one key | instructions | allocations in 1,000 |");
    println!("|---|--:|--:|--:|--:|");
    for (contestant, (name, count)) in contestants.iter().zip(&counted) {
        let (alone, together) = (time(alone.nanos(name)), time(together.nanos(name)));
        let allocations = contestant.allocations();
        let count = number(*count);
        println!("| {name} | {alone} | {together} | {count} | {allocations} |");
    }
    let mut rows = compared(&TARGETS, Some(&alone), &counted);
    rows.extend(compared(&TOGETHER, Some(&together), &Vec::new()));
    rows.extend(stampede::measured()?);
    targets::print(&rows);
    let mut floors = compared(&FLOORS, Some(&alone), &counted);
    floors.extend(compared(&FLOORS_TOGETHER, Some(&together), &Vec::new()));
    targets::print_floors(&floors);
    Ok(())
}

fn heading(text: &str) {
    println!("\n### {text}\n");
}

fn number(count: Option<u64>) -> String {
    count.map_or_else(|| "no valgrind".to_owned(), |count| count.to_string())
}

fn time(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |Spread { low, median, high }| {
        format!("{median:.0} ns ({low:.0} to {high:.0})")
    })
}

/// What there is of each target's quantities.
fn compared(of: &[Target], rounds: Option<&Rounds>, counted: &Counted) -> Vec<Measured> {
    let rows = of.iter().flat_map(|target| {
        let &Target { own, peer, .. } = target;
        let median = |Spread { median, .. }| median;
        let taken = rounds.and_then(|rounds| rounds.ratio(own, peer).map(median));
        let row = |of, value| {
            move |most| Measured {
                path: own,
                against: peer,
                of,
                value,
                most,
            }
        };
        let executed = row("instructions", share(counted, own, peer));
        let taken = row("time", taken);
        [target.instructions.map(executed), target.time.map(taken)]
    });
    rows.flatten().collect()
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand instructions")]
fn share(counted: &Counted, own: &str, peer: &str) -> Option<f64> {
    let of = |wanted: &str| {
        let (_, count) = counted.iter().find(|(name, _)| *name == wanted)?;
        *count
    };
    Some(of(own)? as f64 / of(peer)? as f64)
}
