//! What a user gets from the registry: which compiler it needs, and what is in the packages.

use serde_json::Value;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages that only the benchmarks build.
const PEERS: &str = "millpond-benches";

fn cargo(args: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}: {stderr}");
    output.stdout
}

/// `"1.88"`, `"1.88.0"` as numbers that compare.
fn version(text: &str) -> Vec<u64> {
    let mut parts: Vec<u64> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn every_locked_dependency_allows_the_oldest_rust() {
    let oldest = version(env!("CARGO_PKG_RUST_VERSION"));
    let metadata = cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--all-features",
        "--locked",
    ]);
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();

    // Everything that a member other than the benchmarks can reach.
    let members = metadata["workspace_members"].as_array().unwrap().iter();
    let mut open: Vec<&str> = members
        .filter_map(Value::as_str)
        .filter(|id| !id.contains(PEERS) && !id.contains("/benches#"))
        .collect();
    let mut reached = std::collections::BTreeSet::new();
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            let node = nodes.iter().find(|node| node["id"] == id).unwrap();
            let dependencies = node["dependencies"].as_array().unwrap();
            open.extend(dependencies.iter().filter_map(Value::as_str));
        }
    }
    assert!(reached.len() > 100, "only {} packages", reached.len());
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| reached.contains(package["id"].as_str().unwrap()))
        .filter(|package| {
            let wanted = package["rust_version"].as_str();
            wanted.is_some_and(|wanted| version(wanted) > oldest)
        })
        .map(|package| {
            let (name, version) = (&package["name"], &package["version"]);
            format!("{name} {version} needs Rust {}", package["rust_version"])
        })
        .collect();
    assert!(newer.is_empty(), "{newer:#?}");
}

#[test]
fn a_package_holds_its_licences_and_its_readme_and_no_symbolic_link() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (package, folder) in [("millpond", "runtime"), ("millpond-macros", "macros")] {
        let list = cargo(&["package", "--list", "--allow-dirty", "-p", package]);
        let list = String::from_utf8(list).unwrap();
        for wanted in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "Cargo.toml"] {
            assert!(
                list.lines().any(|file| file == wanted),
                "{package}: no {wanted}"
            );
        }
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let (ours, theirs) = (root.join(folder).join(licence), root.join(licence));
            assert_eq!(
                fs::read(ours).unwrap(),
                fs::read(theirs).unwrap(),
                "{folder}"
            );
        }
        // A checkout of Windows has a text file in the place of a link.
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let kind = entry.file_type().unwrap();
                assert!(!kind.is_symlink(), "{} is a link", entry.path().display());
                if kind.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
}

/// A target directory for these sources of the macros. Cargo takes a package that it has seen for one that it sees
/// again if name, version and place are the same, whatever is in it; so each content has a place of its own.
fn target_directory() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("macros");
    let (mut paths, mut files) = (vec![root.join("Cargo.toml"), root.join("src")], Vec::new());
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            files.push(path);
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        (fs::read(&file).unwrap(), file).hash(&mut hasher);
    }
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let this = all.join(format!("{:016x}", hasher.finish()));
    // Those of other contents are of no use any more.
    for other in fs::read_dir(&all).into_iter().flatten().flatten() {
        if other.path() != this {
            fs::remove_dir_all(other.path()).unwrap();
        }
    }
    this
}

#[test]
fn both_packages_build_from_what_is_in_them() {
    let target = target_directory();
    cargo(&[
        "package",
        "--allow-dirty",
        "--quiet",
        "--target-dir",
        target.to_str().unwrap(),
        "-p",
        "millpond-macros",
        "-p",
        "millpond",
    ]);
}
