//! What is published: the sums over every `Millpond` of the process, also over those that are gone, so that no
//! counter goes back.

use super::labels;
use crate::stats::{CacheStats, LimitRegistry, LimitStats, Registry};
use crate::sync;
use metrics::SharedString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The counters of one `Millpond`.
pub(crate) trait Source: Send + Sync {
    /// Whether something can still be counted.
    fn is_alive(&self) -> bool;

    /// Adds what was counted.
    fn count(&self, totals: &mut Totals);

    /// Adds what is true at the moment.
    fn gauge(&self, totals: &mut Totals);
}

/// What all of them counted, by label.
#[derive(Clone, Default)]
pub(crate) struct Totals {
    pub(super) prefixes: BTreeMap<SharedString, CacheStats>,
    pub(super) kinds: BTreeMap<SharedString, LimitStats>,
    pub(super) commands: u64,
    pub(super) requests: u64,
    pub(super) circuit_opened: u64,
    /// Of all together.
    pub(crate) pending: usize,
    /// Of any.
    pub(crate) circuit_open: bool,
    /// Of any: it should hear of the invalidations of others, and may not.
    pub(crate) backplane_untrusted: bool,
    /// Of all together.
    pub(crate) local_bytes: u64,
}

impl Totals {
    pub(crate) fn add_cache(&mut self, registry: &Registry) {
        registry.each_prefix(|prefix, counters, stats| {
            let label = labels::prefix(prefix, counters.is_declared());
            self.prefixes.entry(label).or_default().merge(stats);
        });
        self.commands += registry.meter.commands.get();
        self.requests += registry.meter.requests.get();
        self.circuit_opened += registry.meter.circuit_opened.get();
    }

    /// Hits in the local tier, which only functions have.
    pub(crate) fn add_local_hits(&mut self, hits: &[(&str, u64)]) {
        for (prefix, hits) in hits {
            let of_prefix = self.prefixes.entry(labels::prefix(prefix, true));
            of_prefix.or_default().local_hits += hits;
        }
    }

    /// Something will be counted under this prefix of a function: until then, zero is told.
    #[cfg(feature = "catalogue")]
    pub(crate) fn declare_prefix(&mut self, prefix: &str) {
        let label = labels::prefix(prefix, true);
        self.prefixes.entry(label).or_default();
    }

    /// The same of a kind of limits.
    #[cfg(feature = "catalogue")]
    pub(crate) fn declare_kind(&mut self, kind: &str) {
        let label = labels::declared_kind(kind);
        self.kinds.entry(label).or_default();
    }

    pub(crate) fn add_limits(&mut self, registry: &LimitRegistry) {
        for (kind, stats) in registry.by_kind() {
            let label = labels::kind(&kind);
            self.kinds.entry(label).or_default().merge(&stats);
        }
    }
}

struct Sources {
    alive: Vec<Arc<dyn Source>>,
    /// What those counted that are gone.
    gone: Option<Totals>,
    /// How many there may be before those that are gone are looked for.
    look_at: usize,
}

static SOURCES: Mutex<Sources> = Mutex::new(Sources {
    alive: Vec::new(),
    gone: None,
    look_at: 64,
});

/// Tells what the attributes of the linked crates declare, before any of it is called.
#[cfg(feature = "catalogue")]
#[derive(Clone, Copy)]
pub(crate) struct Declares(pub(crate) fn(&mut Totals));

#[cfg(feature = "catalogue")]
inventory::collect!(Declares);

/// From now on this one is counted.
pub(crate) fn add(source: Arc<dyn Source>) {
    let mut sources = sync::lock(&SOURCES);
    sources.alive.push(source);
    if sources.alive.len() >= sources.look_at {
        sources.bury();
        sources.look_at = (2 * sources.alive.len()).max(64);
    }
}

/// The sums as they are now.
pub(super) fn totals() -> Totals {
    let mut sources = sync::lock(&SOURCES);
    sources.bury();
    let mut totals = sources.gone.clone().unwrap_or_default();
    #[cfg(feature = "catalogue")]
    for Declares(declare) in inventory::iter::<Declares> {
        declare(&mut totals);
    }
    for source in &sources.alive {
        source.count(&mut totals);
        source.gauge(&mut totals);
    }
    totals
}

impl Sources {
    /// Keeps of those that are gone what they counted.
    fn bury(&mut self) {
        let gone = self.gone.get_or_insert_default();
        for source in self.alive.extract_if(.., |source| !source.is_alive()) {
            source.count(gone);
        }
    }
}
