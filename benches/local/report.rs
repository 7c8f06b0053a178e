//! The tables, as Markdown.

use crate::Outcome;
use crate::contestant::Contestant;
use crate::instructions::per_call;
use crate::rounds::{Rounds, Spread};
use crate::targets::{TARGETS, TOGETHER, Target};

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
    heading("Instructions against the targets");
    targets(&TARGETS, None, &counted);
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
    heading("Against the targets");
    targets(&TARGETS, Some(&alone), &counted);
    heading("Two threads, one key, against the targets");
    targets(&TOGETHER, Some(&together), &Vec::new());
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

fn targets(targets: &[Target], rounds: Option<&Rounds>, counted: &Counted) {
    println!("| | against | time | target | instructions | target |");
    println!("|---|---|--:|--:|--:|--:|");
    for Target {
        own,
        peer,
        time,
        instructions,
    } in targets
    {
        let ratio = rounds.and_then(|rounds| rounds.ratio(own, peer));
        let ratio = ratio.map_or_else(String::new, |Spread { low, median, high }| {
            format!("{median:.2} ({low:.2} to {high:.2})")
        });
        let executed = share(counted, own, peer);
        let executed = executed.map_or_else(String::new, |share| format!("{share:.2}"));
        let (time, instructions) = (bound(*time), bound(*instructions));
        println!("| {own} | {peer} | {ratio} | {time} | {executed} | {instructions} |");
    }
}

fn bound(most: Option<f64>) -> String {
    most.map_or_else(String::new, |most| format!("≤ {most:.2}"))
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand instructions")]
fn share(counted: &Counted, own: &str, peer: &str) -> Option<f64> {
    let of = |wanted: &str| {
        let (_, count) = counted.iter().find(|(name, _)| *name == wanted)?;
        *count
    };
    Some(of(own)? as f64 / of(peer)? as f64)
}
