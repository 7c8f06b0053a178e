//! Both clocks as they stood at the last tick of the system: a few nanoseconds to read, some milliseconds old.

use super::Clock;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far the clocks may lag behind: the tick of a system that was built with 100 Hz.
const TICK: u64 = 10_000_000;

/// What both clocks said, in nanoseconds. Of the monotonic one only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coarse {
    pub(crate) monotonic: u64,
    /// Of the system's clock, since the Unix epoch.
    pub(crate) wall: u64,
}

impl Coarse {
    /// Whether so many nanoseconds have passed since, by the clock that says more.
    #[inline]
    pub(crate) fn has_lasted(self, nanoseconds: u64, now: Self) -> bool {
        now.monotonic.saturating_sub(self.monotonic) >= nanoseconds
            || now.wall.saturating_sub(self.wall) >= nanoseconds
    }

    /// So many nanoseconds later, by either clock.
    pub(crate) fn after(self, nanoseconds: u64) -> Self {
        Self {
            monotonic: self.monotonic.saturating_add(nanoseconds),
            wall: self.wall.saturating_add(nanoseconds),
        }
    }

    /// How long after the other, by the clock that says more.
    pub(crate) fn since(self, then: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(then.monotonic);
        Duration::from_nanos(monotonic.max(self.wall.saturating_sub(then.wall)))
    }

    /// How much is left until then, by the clock that says less.
    pub(crate) fn until(self, then: Self) -> Duration {
        let monotonic = then.monotonic.saturating_sub(self.monotonic);
        Duration::from_nanos(monotonic.min(then.wall.saturating_sub(self.wall)))
    }
}

impl Clock {
    #[inline]
    pub(crate) fn coarse(&self) -> Coarse {
        match self {
            Self::System => system(),
            Self::Manual(clock) => {
                let nanoseconds = |milliseconds: u64| milliseconds.saturating_mul(1_000_000);
                Coarse {
                    monotonic: nanoseconds(clock.monotonic.load(Ordering::SeqCst)),
                    wall: nanoseconds(clock.unix_ms()),
                }
            }
        }
    }

    /// After how many nanoseconds something with this life is over: rather a tick too early than too late.
    pub(crate) fn lasting(&self, life: Duration) -> u64 {
        let life = u64::try_from(life.as_nanos()).unwrap_or(u64::MAX);
        match self {
            Self::System => life.saturating_sub(TICK).max(life / 2),
            Self::Manual(_) => life,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn system() -> Coarse {
    use rustix::time::{ClockId, clock_gettime};
    // Neither clock is before 1970, and the nanoseconds of 584 years fit in 64 bits.
    let read = |id| {
        let time = clock_gettime(id);
        let seconds = time.tv_sec.cast_unsigned();
        let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
        seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
    };
    Coarse {
        monotonic: read(ClockId::MonotonicCoarse),
        wall: read(ClockId::RealtimeCoarse),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system() -> Coarse {
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let now = Clock::System.now();
    Coarse {
        monotonic: nanoseconds(now.monotonic),
        wall: nanoseconds(now.wall),
    }
}
