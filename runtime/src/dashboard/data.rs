//! What the page shows, as JSON. Nothing in it was made of a key, a value or an identifier: of prefixes, only those of
//! functions are named.

use super::verdict::{Sight, State, Verdict};
use crate::catalogue::{Catalogue, catalogue};
use crate::client::outage::Degradation;
use crate::health::{Health, HealthCheck};
use crate::pond::Millpond;
use crate::random::random_u64;
use crate::stats::{CacheStats, Durations, LimitStats, Window};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// Another one after a restart.
static PROCESS: LazyLock<String> = LazyLock::new(|| format!("{:08x}", random_u64() >> 32));

#[derive(Serialize)]
struct Data<'a> {
    process: &'a str,
    version: &'a str,
    /// These are milliseconds since the Unix epoch.
    started: u64,
    now: u64,
    state: State,
    sentence: String,
    /// The prefixes of functions that the sentence names.
    pinned: Vec<String>,
    engine: &'a str,
    embedded: bool,
    namespace: Option<&'a str>,
    health: Vec<Part<'a>>,
    owed: u64,
    local: Local,
    degradations: Vec<Trouble>,
    windows: Vec<Slot>,
    /// Changes with the catalogue, so that the page knows when to ask for it.
    catalogue_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalogue: Option<Catalogue>,
}

#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    state: String,
    text: &'a str,
}

#[derive(Serialize)]
struct Local {
    values: u64,
    bytes: u64,
    most: u64,
}

#[derive(Serialize)]
struct Trouble {
    text: &'static str,
    began: u64,
    last: u64,
    over: bool,
    failures: u64,
}

#[derive(Serialize)]
struct Slot {
    /// Fifteen seconds each since the Unix epoch.
    number: u64,
    commands: u64,
    prefixes: BTreeMap<String, Calls>,
    kinds: BTreeMap<String, Checks>,
}

macro_rules! numbers {
    ($(#[$doc:meta])* $type:ident { $($name:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Default, Serialize)]
        struct $type {
            $(#[serde(skip_serializing_if = "is_zero")] $name: u64,)*
            /// Microseconds and how many took at most so long; nothing stands for what took over a minute.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            took: Vec<(Option<u64>, u64)>,
        }
    };
}

numbers! {
    /// What happened to the keys of a prefix; zeros are left out.
    Calls {
        local, hits, stale, misses, shared, bypassed, loads, load_errors, load_us, unreadable, unstorable, late,
        failures, invalidations, commands,
    }
}

numbers! {
    /// What happened at the limits of a kind.
    Checks { allowed, refused, degraded }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Calls {
    fn of(stats: &CacheStats, times: &Durations) -> Self {
        Self {
            local: stats.local_hits,
            hits: stats.hits + stats.null_hits,
            stale: stats.stale,
            misses: stats.misses,
            shared: stats.shared,
            bypassed: stats.bypassed,
            loads: stats.loads,
            load_errors: stats.load_errors,
            load_us: micros(times.sum().as_micros()),
            unreadable: stats.decode_failures,
            unstorable: stats.encode_failures,
            late: stats.refused + stats.too_slow,
            failures: stats.errors,
            invalidations: stats.invalidations,
            commands: stats.commands,
            took: times
                .buckets()
                .map(|(bound, count)| (bound.map(|it| micros(it.as_micros())), count))
                .collect(),
        }
    }
}

impl Checks {
    fn of(stats: &LimitStats) -> Self {
        Self {
            allowed: stats.checks.saturating_sub(stats.refusals),
            refused: stats.refusals,
            degraded: stats.degraded,
            took: Vec::new(),
        }
    }
}

fn micros(micros: u128) -> u64 {
    u64::try_from(micros).unwrap_or(u64::MAX)
}

impl<'a> Part<'a> {
    fn of(name: &'a str, check: &'a HealthCheck) -> Self {
        Self {
            name,
            state: check.state().to_string(),
            text: check.sentence(),
        }
    }
}

impl From<Degradation> for Trouble {
    fn from(it: Degradation) -> Self {
        Self {
            text: it.text,
            began: it.began_ms,
            last: it.last_ms,
            over: it.is_over,
            failures: it.failures,
        }
    }
}

/// What the page shows; without the catalogue where only slots since this one are wanted.
pub(super) fn json(pond: &Millpond, since: Option<u64>) -> Vec<u8> {
    let parts = &pond.0;
    let client = &parts.client;
    let stats = pond.stats();
    let health = Health::of(client.clone());
    let catalogue = catalogue();
    let declared = client.registry.declared();
    let degradations = client.outages.recent();
    let now = client.settings.clock.unix_ms();
    let Verdict {
        state,
        sentence,
        pinned,
    } = Sight {
        health: &health,
        degradations: &degradations,
        windows: &stats.windows,
        names: &names(&catalogue),
        declared: &declared,
        now,
    }
    .verdict();
    let from = since.unwrap_or(0);
    let windows = stats.windows().filter(|window| window.slot() >= from);
    let data = Data {
        process: &PROCESS,
        version: env!("CARGO_PKG_VERSION"),
        started: client.started_ms(),
        now,
        state,
        sentence,
        pinned,
        engine: health.engine().sentence(),
        embedded: client.is_embedded(),
        namespace: client.settings.namespace.as_deref(),
        health: vec![
            Part::of("Circuit", health.circuit()),
            Part::of("Owed invalidations", health.invalidations()),
            Part::of("Backplane", health.backplane()),
        ],
        owed: stats.pending_invalidations,
        local: Local {
            values: stats.local_values,
            bytes: stats.local_bytes,
            most: client.settings.local,
        },
        degradations: degradations.into_iter().map(Trouble::from).collect(),
        windows: windows.map(|window| slot(window, &declared)).collect(),
        catalogue_id: id(&catalogue),
        catalogue: since.is_none().then_some(catalogue),
    };
    let json = serde_json::to_string(&data).unwrap_or_default();
    // It stands only in strings, where this means the same; nothing that sniffs takes it for a page then.
    json.replace('<', "\\u003c").into_bytes()
}

fn slot(window: &Window, declared: &BTreeSet<String>) -> Slot {
    let mut prefixes: BTreeMap<String, (CacheStats, Durations)> = BTreeMap::new();
    for (prefix, counted) in window.counted() {
        // What stands before the colon in a key by hand may be anybody's name.
        let shown = if declared.contains(prefix) {
            prefix
        } else {
            ""
        };
        let (stats, times) = prefixes.entry(shown.to_owned()).or_default();
        stats.merge(&counted.stats);
        if !shown.is_empty() {
            *times = counted.load_times.clone();
        }
    }
    let prefixes = prefixes.into_iter();
    Slot {
        number: window.slot(),
        commands: window.commands(),
        prefixes: prefixes
            .map(|(prefix, (stats, times))| (prefix, Calls::of(&stats, &times)))
            .collect(),
        kinds: window
            .kinds()
            .map(|(kind, stats)| (kind.to_owned(), Checks::of(&stats)))
            .collect(),
    }
}

/// What the functions of a prefix are called.
fn names(catalogue: &Catalogue) -> HashMap<&str, String> {
    let mut names: HashMap<&str, String> = HashMap::new();
    for function in &catalogue.functions {
        let parts: Vec<_> = function.name.rsplitn(3, "::").collect();
        let name = match parts[..] {
            [name, module, ..] => format!("{module}::{name}"),
            _ => function.name.clone(),
        };
        names.entry(&function.prefix).or_insert(name);
    }
    names
}

fn id(catalogue: &Catalogue) -> String {
    let mut hasher = DefaultHasher::new();
    for function in &catalogue.functions {
        (&function.name, function.place.line, &function.prefix).hash(&mut hasher);
        (&function.ttl, &function.options, function.instances.len()).hash(&mut hasher);
        function.invalidated_by.len().hash(&mut hasher);
    }
    let limits = catalogue.limits.iter();
    for limit in limits {
        (&limit.name, &limit.kind, &limit.rule).hash(&mut hasher);
    }
    (catalogue.mutations.len(), catalogue.tags.len()).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
