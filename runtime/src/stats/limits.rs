//! What happened at the limits: all together, and by kind.

use super::Counter;
use crate::sync;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::sync::{Arc, RwLock};

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

/// How often checks ended in each way. A check counts once, in one of them: each addition is an atomic one, and all
/// callers share them.
#[derive(Debug, Default)]
struct OutcomeCounters {
    passed: Counter,
    refused: Counter,
    blocked: Counter,
    passed_degraded: Counter,
    refused_degraded: Counter,
}

impl OutcomeCounters {
    fn count(&self, outcome: CheckOutcome) {
        let counter = match (outcome.refused, outcome.degraded) {
            (false, false) => &self.passed,
            (false, true) => &self.passed_degraded,
            (true, true) => &self.refused_degraded,
            (true, false) if outcome.blocked => &self.blocked,
            (true, false) => &self.refused,
        };
        counter.add(1);
    }

    fn add_to(&self, stats: &mut LimitStats) {
        let blocked = self.blocked.get();
        let refused = self.refused.get();
        let refused_degraded = self.refused_degraded.get();
        let degraded = refused_degraded + self.passed_degraded.get();
        let refusals = blocked + refused + refused_degraded;
        stats.checks += self.passed.get() + degraded + blocked + refused;
        stats.refusals += refusals;
        stats.blocked += blocked;
        stats.degraded += degraded;
        stats.degraded_refusals += refused_degraded;
    }
}

/// What the limits of one kind said.
#[derive(Debug, Default)]
pub(crate) struct LimitCounters {
    alone: OutcomeCounters,
    with_others: OutcomeCounters,
}

impl LimitCounters {
    /// A decision of this limit alone, which is also one of the sum of all.
    pub(crate) fn count_alone(&self, outcome: CheckOutcome) {
        self.alone.count(outcome);
    }

    fn stats(&self) -> LimitStats {
        let mut stats = LimitStats::default();
        self.alone.add_to(&mut stats);
        self.with_others.add_to(&mut stats);
        stats
    }
}

/// The counters of all limits of one `Millpond`.
#[derive(Debug, Default)]
pub(crate) struct LimitRegistry {
    /// Decisions of several limits.
    of_several: OutcomeCounters,
    pub(crate) events_lost: Counter,
    by_kind: RwLock<HashMap<String, Arc<LimitCounters>, FixedState>>,
}

impl LimitRegistry {
    /// A decision of several limits, once.
    pub(crate) fn count_several(&self, outcome: CheckOutcome) {
        self.of_several.count(outcome);
    }

    /// What one of several limits said.
    pub(crate) fn count_one_of_several(&self, kind: &str, outcome: CheckOutcome) {
        self.counters(kind).with_others.count(outcome);
    }

    /// The counters of a kind, which are there from now on.
    pub(crate) fn counters(&self, kind: &str) -> Arc<LimitCounters> {
        if let Some(counters) = sync::read(&self.by_kind).get(kind) {
            return Arc::clone(counters);
        }
        let mut by_kind = sync::write(&self.by_kind);
        let is_full = by_kind.len() >= MAX_KINDS && !by_kind.contains_key(kind);
        let kind = if is_full { "" } else { kind };
        Arc::clone(by_kind.entry(kind.to_owned()).or_default())
    }

    pub(crate) fn stats(&self) -> LimitStats {
        let mut stats = LimitStats {
            events_lost: self.events_lost.get(),
            ..LimitStats::default()
        };
        self.of_several.add_to(&mut stats);
        for counters in sync::read(&self.by_kind).values() {
            counters.alone.add_to(&mut stats);
        }
        stats
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
            registry.counters(&format!("kind {n}")).count_alone(outcome);
        }
        let by_kind = registry.by_kind();
        assert_eq!(by_kind.len(), MAX_KINDS + 1);
        assert_eq!(by_kind[""].refusals, 4_000);
        assert_eq!(by_kind["kind 999"].checks, 1);
        assert_eq!(registry.stats().refusals, 5_000);
    }

    #[test]
    fn each_outcome_is_counted_as_what_it_is_and_a_decision_of_several_limits_once() {
        let registry = LimitRegistry::default();
        let outcome = |refused, blocked, degraded| CheckOutcome {
            refused,
            blocked,
            degraded,
        };
        let all = [
            outcome(false, false, false),
            outcome(true, false, false),
            outcome(true, true, false),
            outcome(false, false, true),
            outcome(true, false, true),
        ];
        for outcome in all {
            registry.counters("A").count_alone(outcome);
            registry.count_several(outcome);
            registry.count_one_of_several("A", outcome);
            registry.count_one_of_several("B", outcome);
        }
        let of = |each: u64| LimitStats {
            checks: 5 * each,
            refusals: 3 * each,
            blocked: each,
            degraded: 2 * each,
            degraded_refusals: each,
            events_lost: 0,
        };
        let by_kind = registry.by_kind();
        assert_eq!(registry.stats(), of(2));
        assert_eq!((by_kind["A"], by_kind["B"]), (of(2), of(1)));
    }
}
