//! What a call on a hot path executes is at most what it did: `tests/instructions/counts.txt` has the number of each.
//!
//! Callgrind counts the same on every machine with the same compiler, apart from the seeds of hashes, and over a network
//! apart from what arrives together. After a change that is meant to cost something, or of the compiler, run
//! `UPDATE_EXPECT=1 cargo test --test instructions`.

#![cfg(all(feature = "upstash", feature = "redis", target_os = "linux"))]

use millpond_gateway::{Gateway, needs_redis, program};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A path, how many calls are counted, and by how many percent a count may be above the one that was kept.
struct HotPath {
    name: &'static str,
    title: &'static str,
    calls: u32,
    percent: u32,
}

const fn in_process(name: &'static str, title: &'static str) -> HotPath {
    HotPath {
        name,
        title,
        calls: 10_000,
        percent: 3,
    }
}

const PATHS: [HotPath; 11] = [
    in_process("local", "hit, `local = \"only\"`, sync, u64"),
    in_process("local_text", "hit, `local = \"only\"`, sync, &str"),
    in_process("near", "hit, `local = \"1h\"`, u64"),
    in_process("key", "key of a number and a text"),
    in_process("blocked", "check that is known to be refused"),
    in_process("check", "check of a fixed window, embedded"),
    in_process("encode", "set, embedded"),
    in_process("decode", "get, embedded"),
    in_process("hit", "hit, embedded"),
    in_process("batch_hit", "hit in a batch of a thousand, embedded"),
    in_process("batch_load", "load in a batch of a thousand, embedded"),
];

const REST: HotPath = HotPath {
    name: "hit",
    title: "hit over REST",
    calls: 1_000,
    percent: 8,
};

const RESP: HotPath = HotPath {
    title: "hit over RESP",
    ..REST
};

macro_rules! needs_valgrind {
    () => {
        if !program::present_or_required("valgrind") {
            return;
        }
    };
}

#[tokio::test]
async fn a_hot_path_executes_no_more_than_it_did() {
    needs_valgrind!();
    let redis = needs_redis!();
    let program = built();
    let gateway = Gateway::start(&redis.database()).await.unwrap();
    let url = redis.database().url();
    let mut counts = BTreeMap::new();
    let mut count = |path: &'static HotPath, server: &[&str]| {
        counts.insert(path.title, (executed(&program, path, server), path.percent));
    };
    for path in &PATHS {
        count(path, &[]);
    }
    count(&REST, &[&gateway.url(), gateway.token()]);
    count(&RESP, &[&url]);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instructions/counts.txt");
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let kept: BTreeMap<&str, u64> = kept.lines().filter_map(parsed).collect();
    let (mut table, mut above) = (String::new(), String::new());
    for (title, (count, percent)) in &counts {
        writeln!(table, "{count:>7} {title}").unwrap();
        let most = kept
            .get(title)
            .map(|was| was + was * u64::from(*percent) / 100);
        if most.is_none_or(|most| *count > most) {
            let was = kept.get(title);
            writeln!(
                above,
                "{title}: {count}, was {was:?}, at most {percent} % more"
            )
            .unwrap();
        }
    }
    println!("{table}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, table).unwrap();
        return;
    }
    assert!(
        above.is_empty(),
        "calls execute more than they did:\n{above}if that is intended, run\n    UPDATE_EXPECT=1 cargo test --test instructions",
    );
}

fn parsed(line: &str) -> Option<(&str, u64)> {
    let (count, title) = line.trim_start().split_once(' ')?;
    Some((title, count.parse().ok()?))
}

/// The program that makes the calls.
fn built() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "millpond-instructions"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_INCREMENTAL", "0")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let path = text.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let path = message.get("executable")?.as_str()?;
        path.ends_with("millpond-instructions").then(|| path.into())
    });
    path.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Instructions of one call.
fn executed(program: &Path, path: &HotPath, server: &[&str]) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=millpond_instructions::counted*")
        .arg(program)
        .args([path.name, &path.calls.to_string()])
        .args(server)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| {
        let (_, number) = line.split_once("Collected : ")?;
        number.trim().parse::<u64>().ok()
    });
    assert!(output.status.success(), "{}: {text}", path.title);
    let count = collected.unwrap_or(0) / u64::from(path.calls);
    assert!(count > 0, "nothing was counted: {text}");
    count
}
