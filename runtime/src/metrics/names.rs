//! The metrics: their names, what they count, and where each value comes from. `docs/metrics.md` has them as a
//! table, which a test compares with what a recorder gets.

use crate::stats::{CacheStats, LimitStats};
use metrics::Unit;

/// Upper bounds of the buckets of every histogram, in seconds, from half a millisecond to ten seconds. An exporter
/// takes them when it is built; without buckets it writes summaries, which cannot be added up over processes.
///
/// ```
/// # #[cfg(feature = "metrics")]
/// assert_eq!(millpond::metrics::BUCKETS.len(), 14);
/// ```
pub const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The type of a metric, for its description.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
}

pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) unit: Unit,
    pub(super) text: &'static str,
}

pub(super) const CALLS: &str = "millpond_cache_calls_total";
pub(super) const FAILURES: &str = "millpond_cache_failures_total";
pub(super) const LOAD_TIMES: &str = "millpond_cache_load_seconds";
pub(super) const WAIT_TIMES: &str = "millpond_cache_wait_seconds";
pub(super) const STORE_TIMES: &str = "millpond_cache_store_seconds";
pub(super) const CHECKS: &str = "millpond_limit_checks_total";
pub(super) const PENDING: &str = "millpond_invalidations_pending";
pub(super) const CIRCUIT_OPEN: &str = "millpond_circuit_open";
pub(super) const CIRCUIT_OPENED: &str = "millpond_circuit_opened_total";
pub(super) const BACKPLANE_TRUSTED: &str = "millpond_backplane_trusted";
pub(super) const LOCAL_BYTES: &str = "millpond_local_bytes";
pub(super) const COMMANDS: &str = "millpond_commands_total";
pub(super) const REQUESTS: &str = "millpond_requests_total";

pub(super) const ALL: [Description; 13] = [
    Description {
        name: CALLS,
        of: Type::Counter,
        unit: Unit::Count,
        text: "Calls of cached functions and reads by hand, by what they found",
    },
    Description {
        name: FAILURES,
        of: Type::Counter,
        unit: Unit::Count,
        text: "What went wrong in the cache; the call was answered by the body",
    },
    Description {
        name: LOAD_TIMES,
        of: Type::Histogram,
        unit: Unit::Seconds,
        text: "How long bodies of cached functions took",
    },
    Description {
        name: WAIT_TIMES,
        of: Type::Histogram,
        unit: Unit::Seconds,
        text: "How long calls waited for the load of another caller",
    },
    Description {
        name: STORE_TIMES,
        of: Type::Histogram,
        unit: Unit::Seconds,
        text: "How long the store took to answer a batch of commands, retries included",
    },
    Description {
        name: CHECKS,
        of: Type::Counter,
        unit: Unit::Count,
        text: "Checks of limits, by their outcome",
    },
    Description {
        name: PENDING,
        of: Type::Gauge,
        unit: Unit::Count,
        text: "Invalidations that have not been delivered to the store yet",
    },
    Description {
        name: CIRCUIT_OPEN,
        of: Type::Gauge,
        unit: Unit::Count,
        text: "1 while the circuit breaker sends nothing to the store",
    },
    Description {
        name: CIRCUIT_OPENED,
        of: Type::Counter,
        unit: Unit::Count,
        text: "How often the circuit breaker opened",
    },
    Description {
        name: BACKPLANE_TRUSTED,
        of: Type::Gauge,
        unit: Unit::Count,
        text: "0 while invalidations of other processes may not be heard, though values are kept in this one",
    },
    Description {
        name: LOCAL_BYTES,
        of: Type::Gauge,
        unit: Unit::Bytes,
        text: "About how many bytes the values take that are kept in this process",
    },
    Description {
        name: COMMANDS,
        of: Type::Counter,
        unit: Unit::Count,
        text: "Commands sent to the store, retries included",
    },
    Description {
        name: REQUESTS,
        of: Type::Counter,
        unit: Unit::Count,
        text: "Requests sent to the store, retries included",
    },
];

/// A value of a label, and the number that is counted under it.
type Counted<S> = (&'static str, fn(&S) -> u64);

/// The label `result`. Each call has one.
pub(super) const RESULTS: [Counted<CacheStats>; 7] = [
    ("hit", |stats| stats.hits),
    ("local", |stats| stats.local_hits),
    ("stale", |stats| stats.stale),
    ("null", |stats| stats.null_hits),
    ("shared", |stats| stats.shared),
    ("miss", |stats| stats.misses),
    ("bypass", |stats| stats.bypassed),
];

/// The label `kind` of failures.
pub(super) const FAILURE_KINDS: [Counted<CacheStats>; 4] = [
    ("decode", |stats| stats.decode_failures),
    ("encode", |stats| stats.encode_failures),
    ("load", |stats| stats.load_errors),
    ("store", |stats| stats.errors),
];

/// The label `outcome`. Each check has one for each kind of limit that took part in it.
pub(super) const OUTCOMES: [Counted<LimitStats>; 4] = [
    ("allowed", |stats| {
        let decided = stats.refusals.saturating_add(degraded_allowed(stats));
        stats.checks.saturating_sub(decided)
    }),
    ("refused", |stats| {
        stats.refusals.saturating_sub(stats.degraded_refusals)
    }),
    ("degraded_allowed", degraded_allowed),
    ("degraded_refused", |stats| stats.degraded_refusals),
];

fn degraded_allowed(stats: &LimitStats) -> u64 {
    stats.degraded.saturating_sub(stats.degraded_refusals)
}
