//! Compiling one crate, and what came of it, for each of its functions.

use crate::Outcome;
use crate::ir;
use crate::source::{FUNCTIONS, Kind, Types};
use crate::workspace::{Workspace, package};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// `cargo check` is timed this often, and the fastest counts: others use the machine as well.
const CHECKS: usize = 3;

pub(crate) struct Cost {
    /// Lines of LLVM IR for each function, in a debug build.
    pub(crate) lines: usize,
    /// Bytes of object code for each function, in a release build.
    pub(crate) object: u32,
    /// What `cargo check` takes for the whole crate.
    pub(crate) check: Duration,
}

pub(crate) fn measure(workspace: &Workspace, kind: Kind, types: Types) -> Outcome<Cost> {
    let mut check = Duration::MAX;
    // The first builds the dependencies.
    for round in 0..=CHECKS {
        workspace.write(kind, types)?;
        let start = Instant::now();
        cargo(workspace, &["check", "-p", package(kind)], &[])?;
        if round > 0 {
            check = check.min(start.elapsed());
        }
    }
    let ir = workspace.root().join(format!("{}.ll", package(kind)));
    let unoptimised = ["-Cno-prepopulate-passes", "-Cpasses=name-anon-globals"];
    let how = ("dev", "llvm-ir");
    emit(workspace, kind, types, how, &ir, &unoptimised)?;
    let object = workspace.root().join(format!("{}.o", package(kind)));
    emit(workspace, kind, types, ("release", "obj"), &object, &[])?;
    let number = u32::try_from(FUNCTIONS)?;
    Ok(Cost {
        lines: ir::lines(&fs::read_to_string(&ir)?) / FUNCTIONS,
        object: code(&object)? / number,
        check,
    })
}

/// Compiles the crate once more, in one piece.
fn emit(
    workspace: &Workspace,
    kind: Kind,
    types: Types,
    (profile, what): (&str, &str),
    to: &Path,
    flags: &[&str],
) -> Outcome {
    workspace.write(kind, types)?;
    let emit = format!("--emit={what}={}", to.display());
    let mut flags = flags.to_vec();
    flags.extend(["-Ccodegen-units=1", "-Cdebuginfo=0", &emit]);
    let package = package(kind);
    let build = ["rustc", "--lib", "-p", package, "--profile", profile];
    cargo(workspace, &build, &flags)
}

fn cargo(workspace: &Workspace, arguments: &[&str], flags: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(workspace.root())
        .env("CARGO_TARGET_DIR", workspace.target())
        // Incremental builds write more object code than a release.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .args(arguments)
        .arg("--quiet");
    if !flags.is_empty() {
        command.arg("--").args(flags);
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("cargo {}: {text}", arguments.join(" ")).into())
}

/// What an object file adds to a program: code, constants and what unwinding needs.
fn code(object: &Path) -> Outcome<u32> {
    let output = Command::new("size").arg(object).output()?;
    let text = String::from_utf8(output.stdout)?;
    let row = text.lines().nth(1).ok_or("size printed no row")?;
    let text = row
        .split_whitespace()
        .next()
        .ok_or("size printed no number")?;
    Ok(text.parse()?)
}
