//! When a key goes, by which clock.

use crate::clock::{Coarse, Moment};
use crate::store::command::Purpose;
use std::time::Duration;

/// 9999-12-31T23:59:59.999Z, in milliseconds.
const LAST_TIME: u64 = 253_402_300_799_999;

/// What both clocks say, in milliseconds: since some time of this process, and since the Unix epoch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Now {
    monotonic: u64,
    pub(crate) wall: u64,
}

/// What both clocks will say when the time of a key is over. Where one of them is set, they differ in when
/// that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    monotonic: u64,
    wall: u64,
}

impl From<Moment> for Now {
    fn from(moment: Moment) -> Self {
        // Every hit is here, and `as_millis` counts in 128 bits.
        let ms = |time: Duration| {
            let whole = time.as_secs().saturating_mul(1_000);
            whole.saturating_add(u64::from(time.subsec_millis()))
        };
        Self {
            monotonic: ms(moment.monotonic),
            // Of a clock that is far off, times that are added to it still fit into Redis's numbers.
            wall: ms(moment.wall).min(LAST_TIME),
        }
    }
}

impl From<Coarse> for Now {
    fn from(coarse: Coarse) -> Self {
        Self {
            monotonic: coarse.monotonic / 1_000_000,
            wall: coarse.unix_ms().min(LAST_TIME),
        }
    }
}

impl Now {
    /// The wall clock, counted from where the monotonic one stood at 0.
    pub(super) fn wall_ahead(self) -> i128 {
        i128::from(self.wall) - i128::from(self.monotonic)
    }
}

impl Deadline {
    /// So many milliseconds from now.
    pub(crate) fn after(now: Now, ms: u64) -> Self {
        Self {
            monotonic: now.monotonic.saturating_add(ms),
            wall: now.wall.saturating_add(ms),
        }
    }

    /// At this time of the wall clock.
    pub(crate) fn at(now: Now, wall: u64) -> Self {
        Self {
            wall,
            ..Self::after(now, wall.saturating_sub(now.wall))
        }
    }

    /// How many milliseconds are left for a key of this purpose; 0 when its time is over.
    pub(crate) fn left(self, now: Now, purpose: Purpose) -> u64 {
        let monotonic = self.monotonic.saturating_sub(now.monotonic);
        match purpose {
            // Its age is what the clock says that says more: a step forward may cost a value, a step back
            // prolongs none.
            Purpose::Value => monotonic.min(self.wall.saturating_sub(now.wall)),
            // Nobody may lose a lock, or get a budget back, because somebody set the clock.
            Purpose::Guard | Purpose::Held => monotonic,
        }
    }

    /// When to look whether it is over, in milliseconds of the monotonic clock, if the wall clock is not set
    /// meanwhile.
    pub(super) fn due(self, now: Now, purpose: Purpose) -> u64 {
        now.monotonic.saturating_add(self.left(now, purpose))
    }
}

impl Now {
    pub(super) fn is_due(self, due: u64) -> bool {
        due <= self.monotonic
    }
}
