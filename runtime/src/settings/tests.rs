//! The first table of docs/settings.md against the code, in both directions.

use super::Settings;
use crate::builder::Builder;
use crate::builder::environment::{ENVIRONMENT, PLAIN_HTTP, REDIS_URL};
use crate::clock::Clock;
use crate::keyring::VARIABLE as KEYS;
use crate::limit::{Deployment, LimitSettings};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the page says of each setting: its default, by the text of its first cell.
fn page() -> BTreeMap<String, String> {
    let page = include_str!("../../docs/settings.md").lines();
    let table = page.skip_while(|line| *line != "| setting | what it does | default |");
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [setting, _, default] = cells[..] else {
            panic!("a row of three cells: {row}");
        };
        let setting = setting.trim_matches(['[', ']', '`']);
        let setting = setting.strip_prefix("Builder::").unwrap_or(setting);
        (setting.to_owned(), default.to_owned())
    })
    .collect()
}

/// What the code does. A new field does not compile before it is here.
fn code() -> BTreeMap<String, String> {
    let builder = Builder::new();
    let (embedded, remote) = if builder.is_memory() {
        ("chosen", "not chosen")
    } else {
        ("not chosen", "perhaps chosen")
    };
    let Settings {
        namespace,
        clock,
        budget,
        guard_life,
        ttl_jitter,
        flight_wait,
        max_value,
        retries,
        backoff,
        pipelining,
        read_your_writes,
        plain_http,
        memory,
        local,
        backplane,
        backplane_silence,
        local_unverified,
        keys,
    } = Settings::default();
    let limits = LimitSettings::default();
    let counted = [
        Deployment::Upstash,
        Deployment::Elsewhere,
        Deployment::Cluster,
    ]
    .map(|deployment| limits.counted(deployment));
    let LimitSettings {
        prefix,
        budget: limit_budget,
        overrides,
        analytics: _,
        hash_names,
        block_cache,
    } = limits;
    let settings = [
        ("memory", embedded.to_owned()),
        ("upstash", remote.to_owned()),
        (REDIS_URL, "unset: the embedded engine is used".to_owned()),
        ("allow_plain_http", switch(plain_http)),
        (PLAIN_HTTP, switch(plain_http)),
        ("redis", remote.to_owned()),
        ("redis_cluster", remote.to_owned()),
        ("namespace", option(namespace.as_ref())),
        ("auto_pipelining", switch(pipelining)),
        (
            KEYS,
            option(keys.writer().map(|(id, _)| id.to_owned()).as_ref()),
        ),
        (
            "encryption_key",
            option(keys.writer().map(|(id, _)| id.to_owned()).as_ref()),
        ),
        (
            "decryption_key",
            option(keys.writer().map(|(id, _)| id.to_owned()).as_ref()),
        ),
        ("retries", retries.to_string()),
        ("backoff", time(backoff)),
        ("read_your_writes", switch(read_your_writes)),
        ("budget", time(budget)),
        ("guard_life", time(guard_life)),
        ("ttl_jitter", ttl_jitter.to_string()),
        ("flight_wait", time(flight_wait)),
        ("max_value_bytes", size(max_value)),
        ("memory_bytes", size(memory)),
        (
            "local_bytes",
            size(usize::try_from(local).unwrap_or(usize::MAX)),
        ),
        (
            "backplane",
            backplane.map_or("for functions with `local`".to_owned(), switch),
        ),
        (
            "backplane_silence",
            backplane_silence.map_or("5 s; 1 min over Upstash".to_owned(), time),
        ),
        ("local_unverified", time(local_unverified)),
        ("clock", system_or_other(&clock)),
        ("limit_prefix", format!("`{prefix}`")),
        ("limit_budget", time(limit_budget)),
        ("limit", option(overrides.first())),
        ("limit_analytics", on_upstash_or_elsewhere(counted)),
        ("limit_analytics_hashed", switch(hash_names)),
        ("limit_block_cache", switch(block_cache)),
    ];
    let settings = settings.map(|(name, default)| (name.to_owned(), default));
    let environment = ENVIRONMENT.iter().map(|(url, token)| {
        let next = "unset: the next row applies";
        (format!("{url}`, `{token}"), next.to_owned())
    });
    environment.chain(settings).collect()
}

fn option<T: Debug>(set: Option<&T>) -> String {
    set.map_or("none".to_owned(), |set| format!("{set:?}"))
}

fn switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn on_upstash_or_elsewhere(on: [bool; 3]) -> String {
    match on {
        [true, false, false] => "on over Upstash, else off".to_owned(),
        [one, other, third] if one == other && other == third => switch(one),
        mixed => format!("{mixed:?}"),
    }
}

fn system_or_other(clock: &Clock) -> String {
    match clock {
        Clock::System => "the system's".to_owned(),
        Clock::Manual(_) => format!("{clock:?}"),
    }
}

fn time(time: Duration) -> String {
    match (time.as_millis(), time.as_secs()) {
        (ms, _) if !ms.is_multiple_of(1_000) => format!("{ms} ms"),
        (_, s) if !s.is_multiple_of(60) => format!("{s} s"),
        (_, s) => format!("{} min", s / 60),
    }
}

fn size(bytes: usize) -> String {
    assert!(
        bytes.is_multiple_of(1 << 20),
        "{bytes} bytes are no whole MiB"
    );
    format!("{} MiB", bytes >> 20)
}

/// The methods of `Builder` that give back a `Builder`, from every source file.
fn methods(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(methods(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let blocks = text.split("\nimpl Builder {\n").skip(1);
            let blocks = blocks.filter_map(|rest| rest.split("\n}\n").next());
            for method in blocks.flat_map(|block| block.split("\n    pub fn ").skip(1)) {
                let name = method.split(['(', '<']).next().unwrap_or_default();
                let signature = method.split('{').next().unwrap_or_default();
                if signature.trim_end().ends_with("-> Self") {
                    found.insert(name.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn the_page_says_the_defaults_of_the_code_and_leaves_none_out() {
    let (page, code) = (page(), code());
    for (setting, default) in &page {
        assert_eq!(Some(default), code.get(setting), "`{setting}`");
    }
    for setting in code.keys() {
        assert!(page.contains_key(setting), "no row for `{setting}`");
    }
}

#[test]
fn every_method_for_a_setting_is_on_the_page() {
    let methods = methods(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let is_method = |it: &String| it.contains(char::is_lowercase);
    let named: BTreeSet<_> = page().into_keys().filter(is_method).collect();
    assert_eq!(methods, named);
}
