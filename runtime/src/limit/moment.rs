//! One reading of both clocks.

use crate::clock::Clock;
use std::time::Duration;

/// The wall clock says which window a call is in, the monotonic one how much time has passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Milliseconds since the Unix epoch.
    pub(crate) unix_ms: u64,
    pub(crate) monotonic: Duration,
}

impl Moment {
    pub(crate) fn now(clock: &Clock) -> Self {
        // First the clock by which delays are measured, so that none is measured too short.
        let monotonic = clock.monotonic();
        let unix_ms = clock.unix_ms();
        Self { unix_ms, monotonic }
    }

    /// The time since then, by the clock that says more: a process can be frozen, and a monotonic clock
    /// can stand still meanwhile.
    pub(crate) fn elapsed(&self, clock: &Clock) -> Duration {
        let wall = Duration::from_millis(clock.unix_ms().saturating_sub(self.unix_ms));
        clock.monotonic().saturating_sub(self.monotonic).max(wall)
    }
}
