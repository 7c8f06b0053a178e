//! The clock of a `Millpond`: the system's, or one that a test moves by hand.

mod coarse;
#[cfg(any(feature = "upstash", feature = "redis"))]
mod since;

pub(crate) use coarse::{Coarse, CoarseSteady};
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) use since::Since;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Whole milliseconds, as many as fit.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Where a [`Millpond`](crate::Millpond) takes the time from.
#[derive(Clone, Debug, Default)]
pub(crate) enum Clock {
    #[default]
    System,
    Manual(ManualClock),
}

impl Clock {
    /// Milliseconds since the Unix epoch; used for expiry and for windows of limits.
    pub(crate) fn unix_ms(&self) -> u64 {
        match self {
            Self::System => milliseconds(system::wall()),
            Self::Manual(clock) => clock.unix_ms(),
        }
    }

    /// Microseconds since the Unix epoch.
    pub(crate) fn unix_us(&self) -> u64 {
        match self {
            Self::System => u64::try_from(system::wall().as_micros()).unwrap_or(u64::MAX),
            Self::Manual(clock) => clock.unix_ms().saturating_mul(1_000),
        }
    }

    /// A reading that never goes back; only differences mean anything.
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System => system::monotonic(),
            Self::Manual(clock) => Duration::from_millis(clock.monotonic.load(Ordering::SeqCst)),
        }
    }

    /// What both clocks say now.
    pub(crate) fn now(&self) -> Moment {
        Moment {
            // First the clock by which delays are measured, so that none is measured too short.
            monotonic: self.monotonic(),
            wall: match self {
                Self::System => system::wall(),
                Self::Manual(clock) => Duration::from_millis(clock.unix_ms()),
            },
        }
    }

    /// How long ago that was, by the clock that says more: the monotonic one stands still while the machine
    /// is suspended, and the wall clock can be set back.
    pub(crate) fn age(&self, then: Moment) -> Duration {
        self.now().since(then)
    }
}

/// What the system's clocks say: since some time of the machine, and since the Unix epoch. As the standard library
/// reads them, which compares each reading with another.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::time::{ClockId, clock_gettime};
    use std::time::Duration;

    pub(super) fn monotonic() -> Duration {
        read(ClockId::Monotonic)
    }

    pub(super) fn wall() -> Duration {
        read(ClockId::Realtime)
    }

    /// A clock before 1970 counts as there.
    fn read(id: ClockId) -> Duration {
        let time = clock_gettime(id);
        let rest = u32::try_from(time.tv_nsec).unwrap_or(0);
        u64::try_from(time.tv_sec).map_or(Duration::ZERO, |seconds| Duration::new(seconds, rest))
    }
}

/// What the system's clocks say: since the first reading, and since the Unix epoch.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use crate::runtime::RealInstant;
    pub(super) use crate::runtime::since_epoch as wall;
    use std::sync::OnceLock;
    use std::time::Duration;

    pub(super) fn monotonic() -> Duration {
        static START: OnceLock<RealInstant> = OnceLock::new();
        START.get_or_init(RealInstant::now).elapsed()
    }
}

/// What both clocks said at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) monotonic: Duration,
    /// Since the Unix epoch.
    pub(crate) wall: Duration,
}

impl Moment {
    /// Milliseconds since the Unix epoch.
    pub(crate) fn unix_ms(self) -> u64 {
        milliseconds(self.wall)
    }

    /// How long after that this is, by the clock that says more.
    pub(crate) fn since(self, then: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(then.monotonic);
        monotonic.max(self.wall.saturating_sub(then.wall))
    }

    /// What both say so much later, if neither is set meanwhile.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self {
            monotonic: self.monotonic.saturating_add(time),
            wall: self.wall.saturating_add(time),
        }
    }

    /// The later of two, by each clock.
    pub(crate) fn later(self, other: Self) -> Self {
        Self {
            monotonic: self.monotonic.max(other.monotonic),
            wall: self.wall.max(other.wall),
        }
    }
}

/// A time at which nothing ends because somebody set the clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    /// Both clocks, where the wall clock is one that was never set, if this process alone uses it.
    pub(crate) now: Moment,
    /// What the system's clocks say.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(dead_code, reason = "no check is made without commands there")
    )]
    pub(crate) real: Moment,
    /// How many milliseconds the real wall clock is ahead of that one: what others are told is its time.
    pub(crate) wall_ahead: i64,
}

/// A clock that moves only when it is told to, so that no test has to sleep.
///
/// It drives the embedded engine (expiry) and everything that measures durations in the process.
/// It does not drive a Redis server, which has a clock of its own.
///
/// As a computer does, it has two clocks: the *wall clock*, which says what time it is and can be set, and
/// the *monotonic* one, which measures how much time has passed and stands still while the machine is
/// suspended. [`advance`](Self::advance) moves both.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{ManualClock, Millpond};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
/// pond.set("greeting", "hello", Duration::from_secs(60)).await?;
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(pond.get::<String>("greeting").await?, None);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock {
    wall: Arc<AtomicU64>,
    monotonic: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at 2026-01-01T00:00:00Z.
    ///
    /// ```
    /// assert_eq!(millpond::ManualClock::new().unix_ms(), 1_767_225_600_000);
    /// ```
    pub fn new() -> Self {
        Self::at(1_767_225_600_000)
    }

    /// A clock that stands at this number of milliseconds since the Unix epoch.
    ///
    /// ```
    /// assert_eq!(millpond::ManualClock::at(1_000).unix_ms(), 1_000);
    /// ```
    pub fn at(unix_ms: u64) -> Self {
        Self {
            wall: Arc::new(AtomicU64::new(unix_ms)),
            monotonic: Arc::default(),
        }
    }

    /// Moves time on, for every clone of this clock. Parts of a millisecond are dropped.
    ///
    /// ```
    /// let clock = millpond::ManualClock::at(0);
    /// clock.advance(std::time::Duration::from_millis(1_500));
    /// assert_eq!(clock.unix_ms(), 1_500);
    /// ```
    pub fn advance(&self, by: Duration) {
        self.advance_monotonic(by);
        self.advance_wall(by);
    }

    /// Moves the wall clock alone, as far as it would go while the machine is suspended. Parts of a
    /// millisecond are dropped.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{ManualClock, Millpond};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    /// pond.set("greeting", "hello", Duration::from_secs(60)).await?;
    /// clock.advance_wall(Duration::from_secs(61));
    /// assert_eq!(pond.get::<String>("greeting").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn advance_wall(&self, by: Duration) {
        add(&self.wall, by);
    }

    /// Moves the monotonic clock alone: time passes, and the wall clock does not show it, as if it had been
    /// set back meanwhile. Parts of a millisecond are dropped.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{ManualClock, Millpond};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    /// pond.set("greeting", "hello", Duration::from_secs(60)).await?;
    /// clock.advance_monotonic(Duration::from_secs(61));
    /// assert_eq!(pond.get::<String>("greeting").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn advance_monotonic(&self, by: Duration) {
        add(&self.monotonic, by);
    }

    /// Sets the wall clock alone, forwards or back, as an NTP step would; durations are not affected.
    ///
    /// ```
    /// let clock = millpond::ManualClock::at(5_000);
    /// clock.set_unix_ms(2_000);
    /// assert_eq!(clock.unix_ms(), 2_000);
    /// ```
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.wall.store(unix_ms, Ordering::SeqCst);
    }

    /// Milliseconds since the Unix epoch, as the wall clock has it.
    ///
    /// ```
    /// assert_eq!(millpond::ManualClock::at(7).unix_ms(), 7);
    /// ```
    pub fn unix_ms(&self) -> u64 {
        self.wall.load(Ordering::SeqCst)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

fn add(time: &AtomicU64, by: Duration) {
    let by = milliseconds(by);
    // The closure always has a new value.
    let _ = time.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ms| {
        Some(ms.saturating_add(by))
    });
}
