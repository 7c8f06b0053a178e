//! Since when something lasts.

use super::Clock;
use crate::runtime::{self, Instant};
use std::time::Duration;

/// Since when something lasts, by the clocks of the machine: after a suspension, in which the monotonic one stood
/// still, the wall clock knows.
#[derive(Clone, Copy)]
pub(crate) struct Since {
    pub(crate) instant: Instant,
    /// Since the Unix epoch, at the last tick of the system.
    pub(crate) wall: Duration,
}

impl Since {
    pub(crate) fn now() -> Self {
        Self::at(runtime::now())
    }

    /// Since about now, when the one clock was read.
    pub(crate) fn at(instant: Instant) -> Self {
        Self {
            instant,
            wall: Duration::from_nanos(Clock::System.coarse().wall),
        }
    }

    /// How long it lasts, by the clock that says more.
    pub(crate) fn elapsed(self) -> Duration {
        Self::now().since(self)
    }

    /// How long this is after the other, by the clock that says more.
    pub(crate) fn since(self, then: Self) -> Duration {
        let wall = self.wall.saturating_sub(then.wall);
        self.instant
            .saturating_duration_since(then.instant)
            .max(wall)
    }
}
