//! Timers that fire on any runtime, and without one.
//!
//! A runtime that was built without `enable_time` cannot be told from others: Tokio panics, which ends a
//! program with `panic = "abort"`. So the timers are those of a thread of our own, started at first use.

#[cfg(any(feature = "upstash", feature = "redis"))]
use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};
use tokio::time::Sleep;

pub(crate) type Timer = Sleep;

/// A timer; none where the system has no thread to give.
pub(crate) fn timer(duration: Duration) -> Option<Timer> {
    if clock_is_held() {
        return Some(tokio::time::sleep(duration));
    }
    let _entered = thread()?.enter();
    Some(tokio::time::sleep(duration))
}

/// Whether this reading of the current runtime's clock, which was just made, is one of the machine's, and not of a clock that
/// a test has held for longer than a ms.
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) fn is_real(now: tokio::time::Instant) -> bool {
    let behind = Instant::now().checked_duration_since(now.into_std());
    behind.is_some_and(|behind| behind < Duration::from_millis(1))
}

/// Runs a task that does little but wait for times. Whether somebody runs it, by the clock that the current runtime goes by.
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) fn spawn_with_timers(task: impl Future<Output = ()> + Send + 'static) -> bool {
    let thread = if clock_is_held() { None } else { thread() };
    thread.map(|thread| thread.spawn(task)).is_some()
}

/// Whether a test holds Tokio's clock. It goes on when the timers of that runtime are waited for, so they
/// are the ones to use; and only with timers can a clock be held.
fn clock_is_held() -> bool {
    let before = Instant::now();
    let now = tokio::time::Instant::now().into_std();
    now < before || now > Instant::now()
}

/// The runtime whose thread does nothing but keep time.
fn thread() -> Option<&'static Handle> {
    static THREAD: OnceLock<Option<Handle>> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_current_thread().enable_time().build().ok()?;
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("millpond-timers".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .ok()?;
        Some(handle)
    };
    THREAD.get_or_init(start).as_ref()
}
