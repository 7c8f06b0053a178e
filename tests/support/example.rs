//! An example, built as a reader of it builds it.

use serde_json::Value;
use std::process::{Command, Stdio};

/// The executable of this example.
pub(crate) fn executable(name: &str) -> String {
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--example", name, "--message-format=json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::null());
    // What Cargo tells a test of its package, build scripts take for a change and build anew.
    let told = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in told.filter(|it| it.starts_with("CARGO_PKG_") || it.starts_with("CARGO_MANIFEST_"))
    {
        build.env_remove(name);
    }
    let output = build.output().expect("cargo starts");
    let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(message["executable"].as_str()?.to_owned())
    });
    executables.next_back().expect("the example builds")
}
