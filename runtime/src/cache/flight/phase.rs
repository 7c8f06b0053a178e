//! What a leader is doing, and how long its waiters have waited for the cache meanwhile.

use super::departure::Departure;
use crate::runtime::Instant;
use std::time::Duration;

/// The step of a load that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// The leader was chosen and has not begun.
    Called,
    /// It reads the value and the guard.
    Reading(Departure),
    /// It runs the body.
    Body(Departure),
    /// It stores the value of a body that left at this departure. Callers who joined before have
    /// the value already.
    Filling(Departure),
}

impl Phase {
    /// Whether waiters wait for the cache, rather than for a body.
    pub(super) fn is_cache(self) -> bool {
        !matches!(self, Self::Body(_))
    }

    /// Who can count on this leader even if the key is invalidated now: callers who joined before
    /// this departure. For the others the step under way may turn out to be out of date.
    pub(super) fn serves(self) -> Departure {
        match self {
            Self::Called => Departure::LAST,
            Self::Reading(left) | Self::Body(left) | Self::Filling(left) => left,
        }
    }
}

/// Adds up the time that a flight spends waiting for the cache. A caller's share of it is what the
/// clock shows now less what it showed when the caller joined.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheClock {
    before: Duration,
    running: Option<Instant>,
}

impl CacheClock {
    /// A flight begins with the cache.
    pub(super) fn start(now: Instant) -> Self {
        Self {
            before: Duration::ZERO,
            running: Some(now),
        }
    }

    pub(super) fn reading(&self, now: Instant) -> Duration {
        let running = self
            .running
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.before + running
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Runs from now on, or stands still.
    pub(super) fn run(&mut self, runs: bool) {
        if runs == self.is_running() {
            return;
        }
        let now = Instant::now();
        self.before = self.reading(now);
        self.running = runs.then_some(now);
    }
}
