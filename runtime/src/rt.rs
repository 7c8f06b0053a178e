//! Everything that differs between targets: the clock, sleeping, spawning, randomness.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A future that may move between threads and owns what it needs.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

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

/// Whether the calling code runs inside a Tokio runtime.
pub(crate) fn in_runtime() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

/// Runs a task on the current runtime; without one the future is dropped and `false` comes back.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> bool {
    match tokio::runtime::Handle::try_current() {
        Ok(handle) => {
            handle.spawn(future);
            true
        }
        Err(_) => false,
    }
}

/// A runtime to come back to.
#[derive(Clone)]
pub(crate) struct Home(Option<tokio::runtime::Handle>);

impl Home {
    /// The current one, if there is one.
    pub(crate) fn here() -> Self {
        Self(tokio::runtime::Handle::try_current().ok())
    }

    /// Runs a task on the current runtime, else on this one; on one that is gone it is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match (&self.0, in_runtime()) {
            (Some(home), false) => drop(home.spawn(future)),
            _ => drop(spawn(future)),
        }
    }
}

/// Waits for the future, but no longer than this. What is ready at once needs no timer.
pub(crate) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let first = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    });
    if let Some(output) = first.await {
        return Some(output);
    }
    match timer(limit) {
        Some(timer) => {
            let mut timer = std::pin::pin!(timer);
            std::future::poll_fn(|cx| {
                if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(output));
                }
                timer.as_mut().poll(cx).map(|()| None)
            })
            .await
        }
        None => Some(future.await),
    }
}

/// A time of the clock that [`sleep`] and [`timeout`] go by.
pub(crate) fn now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Waits; on a runtime without timers it only lets others run.
pub(crate) async fn sleep(duration: Duration) {
    match timer(duration) {
        Some(timer) => timer.await,
        None => tokio::task::yield_now().await,
    }
}

/// Whether waiting has an end here.
pub(crate) fn has_timers() -> bool {
    timer(Duration::ZERO).is_some()
}

/// Tokio panics where a runtime was built without `enable_time`, and has no other way to ask.
fn timer(duration: Duration) -> Option<tokio::time::Sleep> {
    std::panic::catch_unwind(|| tokio::time::sleep(duration)).ok()
}

/// 64 random bits. Where the system has none to give, a hasher's keys and a counter stand in.
pub(crate) fn random_u64() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        RandomState::new().hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
    })
}

/// A random text of 128 bits in hexadecimal.
pub(crate) fn nonce() -> String {
    format!("{:016x}{:016x}", random_u64(), random_u64())
}

/// A random part, between a half and the whole, of this duration.
pub(crate) fn jitter(full: Duration) -> Duration {
    full / 2 + up_to(full / 2)
}

/// A random part, between nothing and the whole, of this duration.
pub(crate) fn up_to(full: Duration) -> Duration {
    let fraction = f64::from(u32::try_from(random_u64() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    full.mul_f64(fraction)
}
