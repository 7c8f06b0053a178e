//! The order of the layers in DEVELOPMENT.md: a file imports nothing from a layer above its own, and no file is
//! part of a cycle of imports. Each failure names the line that breaks the rule.

mod imports;

use imports::{Import, Source};
use std::collections::{BTreeMap, BTreeSet};

/// The layers from the ground up. A name stands for a file or a folder below `src`; the longest one that fits
/// decides, so `limit/http` can be in another layer than `limit`.
type Layers = &'static [(&'static str, &'static [&'static str])];

const RUNTIME: Layers = &[
    (
        "ground",
        &[
            "error",
            "clock",
            "runtime",
            "random",
            "sync",
            "few",
            "hex",
            "secret",
            "encoding",
            "ttl",
            "prefix",
            "json",
            "value",
            "reply",
            "key",
            "time_left",
            "stats",
            "metrics",
            "keyring",
            "codec",
            "settings",
            "cache/pulse",
        ],
    ),
    // The embedded engine runs the limits itself, so their algorithms stand below it.
    ("store", &["store", "limit/algorithm", "limit/script"]),
    ("client", &["client"]),
    ("local", &["local"]),
    ("cache", &["cache"]),
    ("limit", &["limit"]),
    (
        "features",
        &[
            "operations",
            "many",
            "entry",
            "counter",
            "hash",
            "health",
            "lock",
            "session",
            "pattern",
            "pipeline",
            "explain",
            "catalogue",
        ],
    ),
    (
        "face",
        &[
            "pond",
            "builder",
            "scope",
            "readiness",
            "limit/http",
            "dashboard",
            "__private",
            "lib",
        ],
    ),
];

const MACROS: Layers = &[
    ("ground", &["errors", "nearest", "surroundings", "tokens"]),
    ("parse", &["parse", "function", "template"]),
    ("model", &["model"]),
    ("expand", &["expand"]),
    ("face", &["lib"]),
];

#[test]
fn no_file_of_the_runtime_imports_from_a_layer_above_its_own() {
    nothing(upward(&Source::read("runtime/src"), RUNTIME));
}

#[test]
fn no_file_of_the_runtime_is_part_of_a_cycle() {
    nothing(cycles(&Source::read("runtime/src")));
}

#[test]
fn no_file_of_the_macros_imports_from_a_layer_above_its_own() {
    nothing(upward(&Source::read("macros/src"), MACROS));
}

#[test]
fn no_file_of_the_macros_is_part_of_a_cycle() {
    nothing(cycles(&Source::read("macros/src")));
}

#[track_caller]
fn nothing(found: BTreeSet<String>) {
    let lines: Vec<_> = found.into_iter().collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

/// The rank of a file, and the name of its layer.
fn layer(file: &str, layers: Layers) -> Option<(usize, &'static str)> {
    let name = file.trim_end_matches(".rs");
    let fits = |entry: &str| {
        name.strip_prefix(entry)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let ranked = layers.iter().enumerate();
    let entries = ranked
        .flat_map(|(rank, (layer, names))| names.iter().map(move |name| (*name, (rank, *layer))));
    let found = entries.filter(|(name, _)| fits(name));
    found
        .max_by_key(|(name, _)| name.len())
        .map(|(_, layer)| layer)
}

fn upward(source: &Source, layers: Layers) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in source.files() {
        let Some((rank, name)) = layer(file, layers) else {
            found.insert(format!(
                "{file} has no layer; give it one in tests/layers/main.rs"
            ));
            continue;
        };
        for import in source.imports(file) {
            match layer(&import.target, layers) {
                Some((above, other)) if above > rank => {
                    found.insert(format!(
                        "{import}: `{name}` imports from `{other}`, which is above it"
                    ));
                }
                _ => {}
            }
        }
    }
    found
}

fn cycles(source: &Source) -> BTreeSet<String> {
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in source.files() {
        let mut seen = BTreeSet::new();
        let mut next = vec![file];
        while let Some(file) = next.pop() {
            let targets = source
                .imports(file)
                .iter()
                .map(|import| import.target.as_str());
            next.extend(targets.filter(|target| seen.insert(*target)));
        }
        reached.insert(file, seen);
    }
    let comes_back = |import: &Import, file: &str| {
        reached
            .get(import.target.as_str())
            .is_some_and(|it| it.contains(file))
    };
    let all = source.files().flat_map(|file| {
        source
            .imports(file)
            .iter()
            .map(move |import| (file, import))
    });
    all.filter(|(file, import)| comes_back(import, file))
        .map(|(file, import)| format!("{import}: {} leads back to {file}", import.target))
        .collect()
}

#[test]
fn an_import_from_above_is_found() {
    let source = Source::of(&[
        ("lib.rs", "mod error;\nmod pond;"),
        ("error.rs", "/// Doc.\nuse crate::pond::Millpond;\n"),
        ("pond.rs", "pub struct Millpond;"),
    ]);
    let found: Vec<_> = upward(&source, RUNTIME).into_iter().collect();
    assert_eq!(
        found,
        ["error.rs:2: crate::pond::Millpond: `ground` imports from `face`, which is above it"]
    );
}

#[test]
fn a_file_without_a_layer_is_found() {
    let source = Source::of(&[("lib.rs", "mod util;"), ("util.rs", "")]);
    let found: Vec<_> = upward(&source, RUNTIME).into_iter().collect();
    assert_eq!(
        found,
        ["util.rs has no layer; give it one in tests/layers/main.rs"]
    );
}

#[test]
fn a_cycle_is_found_behind_a_re_export_and_in_a_path_within_the_code() {
    let source = Source::of(&[
        ("lib.rs", "mod key;\nmod lock;\npub use key::Key;"),
        (
            "key.rs",
            "pub struct Key;\nfn f() { let _ = crate::lock::held::x(); }",
        ),
        ("lock.rs", "pub mod held;"),
        (
            "lock/held.rs",
            "use crate::Key;\npub fn x() {}\n#[cfg(test)]\nmod tests { use crate::lock::y; }",
        ),
    ]);
    let found: Vec<_> = cycles(&source).into_iter().collect();
    assert_eq!(
        found,
        [
            "key.rs:2: crate::lock::held::x: lock/held.rs leads back to key.rs",
            "lock/held.rs:1: crate::Key: key.rs leads back to lock/held.rs",
        ]
    );
}
