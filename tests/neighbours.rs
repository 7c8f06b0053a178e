//! What shares a program with millpond goes on as before: `tests/neighbours` holds the programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Cargo on the programs. They share the builds of the workspace as far as features are the same.
fn cargo(args: &[&str]) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // Of the package that is being tested; build scripts would read them and build anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_") && !KEPT.contains(&text.as_ref()) {
            cargo.env_remove(&name);
        }
    }
    cargo
        .args(args)
        .arg("--quiet")
        .current_dir(programs())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap()
}

/// What the caller says about Cargo itself.
const KEPT: [&str; 7] = [
    "CARGO_HOME",
    "CARGO_INCREMENTAL",
    "CARGO_NET_OFFLINE",
    "CARGO_BUILD_JOBS",
    "CARGO_TERM_COLOR",
    "CARGO_HTTP_CAINFO",
    "CARGO_HTTP_PROXY",
];

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/neighbours")
}

/// What it printed, if it went well.
fn passes(args: &[&str]) -> String {
    let output = cargo(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}:\n{stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every feature of millpond, from its manifest.
fn every_feature() -> String {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let millpond = packages.iter().find(|it| it["name"] == "millpond").unwrap();
    let features = millpond["features"].as_object().unwrap().keys();
    let features: Vec<String> = features.map(|name| format!("millpond/{name}")).collect();
    assert!(features.len() > 6, "{features:?}");
    features.join(",")
}

#[test]
fn reqwest_without_tls_and_rustls_with_its_defaults_run_beside_millpond() {
    passes(&["run", "-p", "tls"]);
}

#[test]
fn reqwest_without_tls_runs_beside_every_feature_of_millpond() {
    let features = every_feature();
    passes(&[
        "run",
        "-p",
        "tls",
        "--features",
        &features,
        "--",
        "two-providers",
    ]);
}

#[test]
fn a_program_with_ring_alone_keeps_it() {
    passes(&["run", "-p", "ring-alone"]);
}

#[test]
fn without_tls_plain_addresses_work_and_others_say_what_to_add() {
    passes(&["run", "-p", "no-tls"]);
}

#[test]
fn every_feature_of_redis_may_be_on() {
    passes(&["check", "-p", "every-redis"]);
}

#[test]
fn the_features_of_serde_json_change_no_key_value_or_envelope() {
    let without = passes(&["run", "-p", "json"]);
    let with = passes(&["run", "-p", "json", "--features", "everything"]);
    for (without, with) in without.lines().zip(with.lines()) {
        assert_eq!(without, with);
    }
    assert_eq!(without, with);
    assert!(without.lines().count() > 100, "{without}");
}

#[test]
fn every_edition_may_use_the_macros() {
    passes(&["run", "-p", "edition-2018"]);
    passes(&["run", "-p", "edition-2021"]);
}

#[test]
fn the_macros_work_through_another_crate_that_renames_millpond() {
    passes(&["run", "-p", "edition-2024"]);
}

#[test]
fn the_catalogue_sees_every_crate_that_the_binary_names_in_every_edition() {
    let table = passes(&["run", "-p", "catalogue"]);
    assert!(table.contains("records/src/lib.rs:"), "{table}");
    for program in ["edition-2018", "edition-2021"] {
        passes(&["run", "-p", program, "--features", "millpond/catalogue"]);
    }
    passes(&["run", "-p", "edition-2024", "--features", "house/catalogue"]);
}

#[test]
fn without_the_feature_a_binary_holds_nothing_of_the_catalogue() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let holds_it = |features: &[&str]| {
        let build = ["build", "-p", "edition-2021"];
        passes(&[&build[..], features].concat());
        let binary = std::fs::read(target.join("debug/edition-2021")).unwrap();
        // What only the catalogue is told: the list of a mutation, as written.
        let text = b"get_user(id)";
        binary.windows(text.len()).any(|window| window == text)
    };
    assert!(holds_it(&["--features", "millpond/catalogue"]));
    assert!(!holds_it(&[]));
}

#[test]
fn a_runtime_without_timers_does_not_end_a_program_that_aborts() {
    passes(&["run", "-p", "abort", "--profile", "abort"]);
}
