//! What happened at the limits: all together, and by kind.

use super::Counter;
use crate::sync;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::RwLock;

/// What happened at the limits: counted since the [`Millpond`](crate::Millpond) was built.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, limit};
///
/// let pond = Millpond::memory();
/// for _ in 0..7 {
///     pond.limiter(&limit::AUTH).check("mallory").await?;
/// }
/// let stats = pond.stats().limits;
/// assert_eq!((stats.checks, stats.refusals, stats.blocked), (7, 2, 1));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// All checks, whatever their outcome.
    pub checks: u64,
    /// Checks that ended in a refusal.
    pub refusals: u64,
    /// Refusals for which no command was sent, because this process remembered an earlier refusal.
    pub blocked: u64,
    /// Checks that the store did not answer in time, so that `on_outage` decided, or whose caller went away.
    pub degraded: u64,
    /// How many of the degraded checks were refused.
    pub degraded_refusals: u64,
    /// Events missing from the analytics, because too many were waiting or they could not be sent. The events of
    /// all kinds are sent together, so they are counted in the sum only.
    pub events_lost: u64,
}

impl LimitStats {
    #[cfg(any(feature = "metrics", feature = "dashboard"))]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.checks += other.checks;
        self.refusals += other.refusals;
        self.blocked += other.blocked;
        self.degraded += other.degraded;
        self.degraded_refusals += other.degraded_refusals;
        self.events_lost += other.events_lost;
    }

    #[cfg(feature = "dashboard")]
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            checks: self.checks.saturating_sub(earlier.checks),
            refusals: self.refusals.saturating_sub(earlier.refusals),
            blocked: self.blocked.saturating_sub(earlier.blocked),
            degraded: self.degraded.saturating_sub(earlier.degraded),
            degraded_refusals: self
                .degraded_refusals
                .saturating_sub(earlier.degraded_refusals),
            events_lost: self.events_lost.saturating_sub(earlier.events_lost),
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckOutcome {
    pub(crate) refused: bool,
    /// Without asking the store.
    pub(crate) blocked: bool,
    /// Without an answer of the store.
    pub(crate) degraded: bool,
}

/// How many kinds have counters of their own; the name of a limit without a kind holds its numbers, which a program
/// may compute.
const MAX_KINDS: usize = 1_000;

#[derive(Debug, Default)]
struct LimitCounters {
    checks: Counter,
    refusals: Counter,
    blocked: Counter,
    degraded: Counter,
    degraded_refusals: Counter,
}

impl LimitCounters {
    fn count(&self, outcome: CheckOutcome) {
        self.checks.add(1);
        if outcome.degraded {
            self.degraded.add(1);
        }
        if !outcome.refused {
            return;
        }
        self.refusals.add(1);
        if outcome.blocked {
            self.blocked.add(1);
        }
        if outcome.degraded {
            self.degraded_refusals.add(1);
        }
    }

    fn stats(&self) -> LimitStats {
        LimitStats {
            checks: self.checks.get(),
            refusals: self.refusals.get(),
            blocked: self.blocked.get(),
            degraded: self.degraded.get(),
            degraded_refusals: self.degraded_refusals.get(),
            events_lost: 0,
        }
    }
}

/// The counters of all limits of one `Millpond`.
#[derive(Debug, Default)]
pub(crate) struct LimitRegistry {
    all: LimitCounters,
    pub(crate) events_lost: Counter,
    by_kind: RwLock<HashMap<String, LimitCounters, FixedState>>,
}

impl LimitRegistry {
    /// A decision, once, however many limits took part in it.
    pub(crate) fn count(&self, outcome: CheckOutcome) {
        self.all.count(outcome);
    }

    /// What one of the limits said.
    pub(crate) fn count_kind(&self, kind: &str, outcome: CheckOutcome) {
        if let Some(counters) = sync::read(&self.by_kind).get(kind) {
            counters.count(outcome);
            return;
        }
        let mut by_kind = sync::write(&self.by_kind);
        let is_full = by_kind.len() >= MAX_KINDS && !by_kind.contains_key(kind);
        let kind = if is_full { "" } else { kind };
        by_kind.entry(kind.to_owned()).or_default().count(outcome);
    }

    pub(crate) fn stats(&self) -> LimitStats {
        LimitStats {
            events_lost: self.events_lost.get(),
            ..self.all.stats()
        }
    }

    pub(crate) fn by_kind(&self) -> HashMap<String, LimitStats> {
        let by_kind = sync::read(&self.by_kind);
        let stats = by_kind.iter();
        stats
            .map(|(kind, counters)| (kind.clone(), counters.stats()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_kinds_take_no_memory_without_end() {
        let registry = LimitRegistry::default();
        let outcome = CheckOutcome {
            refused: true,
            blocked: false,
            degraded: false,
        };
        for n in 0..5_000 {
            registry.count_kind(&format!("kind {n}"), outcome);
        }
        let by_kind = registry.by_kind();
        assert_eq!(by_kind.len(), MAX_KINDS + 1);
        assert_eq!(by_kind[""].refusals, 4_000);
        assert_eq!(by_kind["kind 999"].checks, 1);
    }
}
