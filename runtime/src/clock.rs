//! The clock of a `Millpond`: the system's, or one that a test moves by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            Self::Manual(clock) => clock.unix_ms(),
        }
    }

    /// Microseconds since the Unix epoch.
    pub(crate) fn unix_us(&self) -> u64 {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
            Self::Manual(clock) => clock.unix_ms().saturating_mul(1_000),
        }
    }

    /// A reading that never goes back; only differences mean anything.
    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::System => {
                static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
                START.get_or_init(Instant::now).elapsed()
            }
            Self::Manual(clock) => Duration::from_millis(clock.elapsed.load(Ordering::SeqCst)),
        }
    }
}

/// A clock that moves only when it is told to, so that no test has to sleep.
///
/// It drives the embedded engine (expiry) and everything that measures durations in the process.
/// It does not drive a Redis server, which has a clock of its own.
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
    start: u64,
    elapsed: Arc<AtomicU64>,
    shift: Arc<std::sync::atomic::AtomicI64>,
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
            start: unix_ms,
            elapsed: Arc::default(),
            shift: Arc::default(),
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
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the wall clock, forwards or back, as an NTP step would; durations are not affected.
    ///
    /// ```
    /// let clock = millpond::ManualClock::at(5_000);
    /// clock.set_unix_ms(2_000);
    /// assert_eq!(clock.unix_ms(), 2_000);
    /// ```
    pub fn set_unix_ms(&self, unix_ms: u64) {
        let shift = i128::from(unix_ms)
            - i128::from(self.start)
            - i128::from(self.elapsed.load(Ordering::SeqCst));
        let shift = i64::try_from(shift).unwrap_or(if shift < 0 { i64::MIN } else { i64::MAX });
        self.shift.store(shift, Ordering::SeqCst);
    }

    /// Milliseconds since the Unix epoch, as this clock has it.
    ///
    /// ```
    /// assert_eq!(millpond::ManualClock::at(7).unix_ms(), 7);
    /// ```
    pub fn unix_ms(&self) -> u64 {
        self.start
            .saturating_add(self.elapsed.load(Ordering::SeqCst))
            .saturating_add_signed(self.shift.load(Ordering::SeqCst))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}
