//! What the windows of one `Millpond` are made of.

use crate::local::{Local, LocalHits};
use crate::stats::{Counted, LimitRegistry, Registry, Totals};
use std::sync::{Arc, Weak};

/// Tells the windows where to find what was counted.
pub(super) fn keep(registry: &Arc<Registry>, local: &Local, limits: &Arc<LimitRegistry>) {
    // They are a part of the registry.
    let weak = Arc::downgrade(registry);
    let local_hits = Arc::clone(local.hits());
    let limits = Arc::clone(limits);
    let count = move || totals(&weak, &local_hits, &limits);
    registry.windows.count_by(count);
}

fn totals(registry: &Weak<Registry>, local_hits: &LocalHits, limits: &LimitRegistry) -> Totals {
    let mut totals = Totals::default();
    if let Some(registry) = registry.upgrade() {
        totals.commands = registry.meter.commands.get();
        registry.each_prefix(|prefix, counters, stats| {
            let mut counted = Counted {
                stats: *stats,
                ..Counted::default()
            };
            if stats.loads > 0 {
                counted.load_times = counters.load_times.snapshot();
            }
            totals.prefixes.insert(prefix.to_owned(), counted);
        });
    }
    for (prefix, hits) in local_hits.by_prefix() {
        let counted = totals.prefixes.entry(prefix.to_owned()).or_default();
        counted.stats.local_hits += hits;
    }
    totals.kinds = limits.by_kind();
    totals
}
