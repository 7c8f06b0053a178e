//! Instructions per call, as Callgrind counts them: the same on every machine with the same compiler.

use crate::Outcome;
use std::process::{Command, Stdio};

const CALLS: u64 = 10_000;

/// Runs what is to be counted; preparations are not.
#[inline(never)]
pub(crate) fn counted<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// What one call executes; nothing where Valgrind is missing.
pub(crate) fn per_call(name: &str) -> Outcome<Option<u64>> {
    per_call_with(name, &[])
}

/// The same where the program is told this, too. It is started as `one <name> <calls>`, and makes the calls in
/// [`counted`].
pub(crate) fn per_call_with(name: &str, told: &[&str]) -> Outcome<Option<u64>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*::instructions::counted*")
        .arg(std::env::current_exe()?)
        .args(["one", name, &CALLS.to_string()])
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
        .and_then(|(_, number)| number.trim().parse::<u64>().ok())
        .filter(|count| *count > CALLS);
    match counted {
        Some(number) => Ok(Some(number / CALLS)),
        None => Err(format!("valgrind said: {text}").into()),
    }
}
