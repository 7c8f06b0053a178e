//! Both clocks as they stood at the last tick of the system: a few nanoseconds to read, some milliseconds old.

use super::{Clock, ManualClock, Moment};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::time::{ClockId, clock_gettime};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far the clocks may lag behind: the tick of a system that was built with 100 Hz.
const TICK: u64 = 10_000_000;

/// What both clocks said, in nanoseconds, counted from where those of a [`Moment`](super::Moment) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coarse {
    pub(crate) monotonic: u64,
    /// Of the system's clock, since the Unix epoch.
    pub(crate) wall: u64,
}

/// A [`Steady`](super::Steady) time by the coarse clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoarseSteady {
    pub(crate) now: Coarse,
    pub(crate) wall_ahead: i64,
}

impl Coarse {
    /// How long after the other in ns, by the clock that says more.
    #[inline]
    pub(crate) fn nanos_since(self, then: Self) -> u64 {
        let monotonic = self.monotonic.saturating_sub(then.monotonic);
        monotonic.max(self.wall.saturating_sub(then.wall))
    }

    /// What both say so many ns later.
    #[inline]
    pub(crate) fn later(self, nanos: u64) -> Self {
        Self {
            monotonic: self.monotonic.saturating_add(nanos),
            wall: self.wall.saturating_add(nanos),
        }
    }

    /// Milliseconds since the Unix epoch.
    #[inline]
    pub(crate) fn unix_ms(self) -> u64 {
        self.wall / 1_000_000
    }
}

impl From<Coarse> for Moment {
    fn from(coarse: Coarse) -> Self {
        Self {
            monotonic: Duration::from_nanos(coarse.monotonic),
            wall: Duration::from_nanos(coarse.wall),
        }
    }
}

impl From<Moment> for Coarse {
    fn from(moment: Moment) -> Self {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            monotonic: nanos(moment.monotonic),
            wall: nanos(moment.wall),
        }
    }
}

impl Clock {
    #[inline]
    pub(crate) fn coarse(&self) -> Coarse {
        match self {
            Self::System => system(),
            Self::Manual(clock) => manual(clock),
        }
    }

    /// How far in ns [`Self::coarse`] may lag behind.
    pub(crate) fn coarse_lag(&self) -> u64 {
        match self {
            Self::System => TICK,
            Self::Manual(_) => 0,
        }
    }

    /// At which age in ns something is over that lives so long: rather a tick too early than too late.
    pub(crate) fn last_age(&self, life: Duration) -> u64 {
        let life = u64::try_from(life.as_nanos()).unwrap_or(u64::MAX);
        match self {
            Self::System => life.saturating_sub(TICK).max(life / 2),
            Self::Manual(_) => life,
        }
    }
}

#[cold]
#[inline(never)]
fn manual(clock: &ManualClock) -> Coarse {
    let nanoseconds = |milliseconds: u64| milliseconds.saturating_mul(1_000_000);
    Coarse {
        monotonic: nanoseconds(clock.monotonic.load(Ordering::SeqCst)),
        wall: nanoseconds(clock.unix_ms()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn system() -> Coarse {
    // Both go on at the same ticks, and after a suspension the wall clock goes on at once: as long as it says the same,
    // so does the other.
    let wall = read(ClockId::RealtimeCoarse);
    let last = LAST.get();
    if last.wall == wall {
        last
    } else {
        next_tick(wall)
    }
}

/// Both of one tick, so that they differ by what they always do.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cold]
#[inline(never)]
fn next_tick(mut wall: u64) -> Coarse {
    let now = loop {
        let monotonic = read(ClockId::MonotonicCoarse);
        let again = read(ClockId::RealtimeCoarse);
        if again == wall {
            break Coarse { monotonic, wall };
        }
        wall = again;
    };
    LAST.set(now);
    now
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither clock is before 1970, and the nanoseconds of 584 years fit in 64 bits.
    let seconds = time.tv_sec.cast_unsigned();
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.wrapping_mul(1_000_000_000).wrapping_add(rest)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
thread_local! {
    /// What this thread has read last.
    static LAST: Cell<Coarse> = const { Cell::new(Coarse { monotonic: 0, wall: 0 }) };
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn system() -> Coarse {
    Clock::System.now().into()
}
