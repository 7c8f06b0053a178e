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
    // In which `impl` block an item is, and in which order, is nobody's concern: it is grouped by its path.
    lines.retain(|line| !line.starts_with("impl") || line.contains(" for "));
    lines.sort_by_key(|line| {
        (
            line.find("millpond::").map(|at| line[at..].to_owned()),
            line.clone(),
        )
    });
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

/// A crate before its version 1.0 breaks its users, and so would a type of it in a signature here.
#[test]
fn signatures_name_stable_crates_only_or_those_of_a_feature() {
    const STABLE: [&str; 9] = [
        "alloc",
        "bytes",
        "core",
        "http",
        "http_body",
        "millpond",
        "serde_core",
        "std",
        "tokio",
    ];
    // What the features `axum`, `tower` and `dashboard` are for.
    const OF_AXUM: [&str; 3] = ["axum_core", "tower_layer", "tower_service"];
    const WITH_AXUM: [&str; 6] = [
        "RateLimit",
        "ClientIp",
        "CurrentSession",
        "Dashboard",
        "Health",
        "Scope",
    ];
    let snapshot = fs::read_to_string(SNAPSHOT).expect("the snapshot is there");
    for line in snapshot.lines() {
        let of_the_feature = WITH_AXUM.iter().any(|name| line.contains(name));
        let mut before = ' ';
        for (at, _) in line.match_indices("::") {
            let start = line[..at]
                .rfind(|it: char| !it.is_alphanumeric() && it != '_')
                .map_or(0, |start| start + 1);
            let name = &line[start..at];
            before = line[..start].chars().next_back().unwrap_or(before);
            let is_crate = before != ':' && name.starts_with(|it: char| it.is_lowercase());
            let is_allowed = STABLE.contains(&name)
                || of_the_feature && OF_AXUM.contains(&name)
                || PRIMITIVES.contains(&name);
            assert!(!is_crate || is_allowed, "`{name}` in: {line}");
        }
    }
}

const PRIMITIVES: [&str; 13] = [
    "bool", "f32", "f64", "i16", "i32", "i64", "i8", "isize", "u16", "u32", "u64", "u8", "usize",
];
