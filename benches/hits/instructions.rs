//! Instructions per call, as Callgrind counts them: the same on every machine with the same compiler.

use crate::Outcome;
use std::process::{Command, Stdio};

const FEW: u64 = 1_000;
const MANY: u64 = 11_000;

/// What one call executes; nothing where Valgrind is missing.
pub(crate) fn per_call(name: &str) -> Outcome<Option<u64>> {
    per_call_with(name, &[])
}

/// The same where the program is told this, too.
pub(crate) fn per_call_with(name: &str, told: &[&str]) -> Outcome<Option<u64>> {
    let (few, many) = (executed(name, FEW, told)?, executed(name, MANY, told)?);
    let (Some(few), Some(many)) = (few, many) else {
        return Ok(None);
    };
    Ok(Some(many.saturating_sub(few) / (MANY - FEW)))
}

fn executed(name: &str, calls: u64, told: &[&str]) -> Outcome<Option<u64>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["one", name, &calls.to_string()])
        .args(told)
        .stdout(Stdio::null())
        .output();
    let Ok(output) = output else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let counted = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok());
    match counted {
        Some(number) => Ok(Some(number)),
        None => Err(format!("valgrind said: {text}").into()),
    }
}
