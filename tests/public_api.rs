//! The public API of `millpond` with all features is what `tests/public_api/millpond.txt` says, item by item.
//!
//! The list comes from the JSON output of rustdoc, whose format changes with the compiler: `public-api` of one version
//! reads one format. With another toolchain the test is left out, except where a missing tool is an error (CI).

mod support;

use millpond_gateway::program;
use std::fs;
use std::path::PathBuf;
use support::example::cargo;

/// The format that the `public-api` of this workspace reads.
const FORMAT: u64 = 57;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/public_api/millpond.txt");

#[test]
fn the_public_api_is_the_one_in_the_snapshot() {
    let json = rustdoc_json();
    let text = fs::read_to_string(&json).expect("rustdoc wrote the file");
    let parsed: serde_json::Value = serde_json::from_str(&text).expect("rustdoc writes JSON");
    let format = parsed["format_version"].as_u64();
    if format != Some(FORMAT) {
        let line = format!(
            "rustdoc of this toolchain writes JSON of format {format:?}, and the test of the public API reads {FORMAT}"
        );
        assert!(
            !program::required(),
            "{line}; choose the version of `public-api` that reads it in Cargo.toml, and set FORMAT"
        );
        eprintln!("left out: {line}");
        return;
    }

    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .build()
        .expect("public-api reads this format");
    let mut lines: Vec<String> = api
        .items()
        .map(ToString::to_string)
        .filter(|line| {
            !NOT_OURS
                .iter()
                .any(|of| line.starts_with("impl ") && line.contains(of))
        })
        .collect();
    lines.dedup();
    let is = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(SNAPSHOT, is).expect("the snapshot can be written");
        return;
    }
    let was = fs::read_to_string(SNAPSHOT).expect("the snapshot is there");
    // Only what differs: the whole list has a thousand lines.
    let lost = was.lines().filter(|line| !is.lines().any(|it| it == *line));
    let new = is.lines().filter(|line| !was.lines().any(|it| it == *line));
    let difference: Vec<String> = lost
        .map(|line| format!("- {line}"))
        .chain(new.map(|line| format!("+ {line}")))
        .collect();
    assert!(
        was == is,
        "the public API differs from tests/public_api/millpond.txt:\n{}\nif that is intended, run\n    \
         UPDATE_EXPECT=1 cargo test --test public_api\nand commit the difference with an entry in CHANGELOG.md",
        difference.join("\n")
    );
}

/// Traits that the compiler implements by itself, and that nobody relies on by name.
const NOT_OURS: [&str; 5] = [
    "core::marker::Freeze",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::",
    "core::marker::StructuralPartialEq",
];

/// The file that rustdoc writes about `millpond` with all features.
fn rustdoc_json() -> PathBuf {
    let output = cargo()
        .args([
            "rustdoc",
            "-p",
            "millpond",
            "--lib",
            "--all-features",
            "--quiet",
            "--",
        ])
        .args([
            "-Z",
            "unstable-options",
            "--output-format",
            "json",
            "--cap-lints",
            "allow",
        ])
        .env(
            "RUSTDOC",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/public_api/rustdoc.sh"),
        )
        .env_remove("RUSTDOCFLAGS")
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .expect("cargo starts");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let target = metadata["target_directory"].as_str().expect("a path");
    PathBuf::from(target).join("doc/millpond.json")
}
