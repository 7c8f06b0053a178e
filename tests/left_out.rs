//! Plain `cargo test` works on a machine without Redis or Node, and says in one line what it left out.

use millpond_gateway::program;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

struct Need {
    /// What a test that needs it says.
    says: &'static str,
    /// Whether the machine has it.
    met: bool,
    name: &'static str,
}

#[test]
fn what_is_left_out_is_said_in_one_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = root.join("tests/interop/node_modules").is_dir();
    let edge = root.join("tests/edge");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let worker = program::found("node")
        && edge.join("node_modules/miniflare").is_dir()
        && target.join("edge/bin/wasm-bindgen").is_file();
    let needs = [
        Need {
            says: "needs_redis!(",
            met: program::found("redis-server"),
            name: "redis-server",
        },
        Need {
            says: "needs_npm!(",
            met: packages && program::found("node"),
            name: "the npm packages",
        },
        Need {
            says: "needs_worker!(",
            met: worker,
            name: "a compiler for wasm32 and the npm packages of tests/edge",
        },
        Need {
            says: "needs_prometheus!(",
            met: program::found("prometheus") && program::found("promtool"),
            name: "prometheus",
        },
        Need {
            says: "needs_valgrind!(",
            met: program::found("valgrind"),
            name: "valgrind",
        },
    ];
    let tests = ["runtime/src", "tests"]
        .map(|folder| tests(&root.join(folder)).expect("the sources can be read"));
    let tests = tests.concat();
    for Need { says, .. } in &needs {
        assert!(
            tests.iter().any(|test| test.contains(says)),
            "no test says {says} any more"
        );
    }
    let unmet: Vec<&Need> = needs.iter().filter(|need| !need.met).collect();
    if unmet.is_empty() {
        return;
    }
    let count = tests
        .iter()
        .filter(|test| unmet.iter().any(|need| test.contains(need.says)))
        .count();
    let names: Vec<&str> = unmet.iter().map(|need| need.name).collect();
    let names = names.join(" or ");
    // Not by `eprintln!`, which a passing test keeps to itself.
    let line = format!(
        "\nleft out: {count} tests that need {names}; run tests/run to install what is missing\n"
    );
    io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error is open");
}

/// The text of every test under a folder, from its attribute to the next one.
fn tests(folder: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(tests(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("left_out.rs")
        {
            let text = fs::read_to_string(&path)?.replace("#[tokio::test", "#[test]");
            found.extend(text.split("#[test]").skip(1).map(str::to_owned));
        }
    }
    Ok(found)
}
