//! An example, built as a reader of it builds it, and Cargo in general.

use serde_json::Value;
use std::process::{Command, Stdio};

/// The executable of this example.
pub(crate) fn executable(name: &str) -> String {
    let output = cargo()
        .args(["build", "--example", name, "--message-format=json"])
        .stderr(Stdio::null())
        .output()
        .expect("cargo starts");
    let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(message["executable"].as_str()?.to_owned())
    });
    executables.next_back().expect("the example builds")
}

/// Cargo, run on this workspace as from a shell.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // Build scripts take the variables that Cargo sets for a test as a change, and would run again.
    let told = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in told.filter(|it| it.starts_with("CARGO_PKG_") || it.starts_with("CARGO_MANIFEST_"))
    {
        cargo.env_remove(name);
    }
    cargo
}
