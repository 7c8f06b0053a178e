//! The Tokio runtime: sleeping, time limits, tasks. Everything else asks here, never Tokio itself.

mod timers;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use timers::timer;

/// A future that may move between threads and owns what it needs.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

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

/// Work on more bytes than this is done on a thread that may be kept busy: at some 100 MB/s it takes longer
/// than a task should without letting others run.
pub(crate) const MUCH: usize = 64 * 1024;

/// Does work on so many bytes without keeping the runtime's thread busy for long. Dropped, the work goes on
/// to its end and nobody learns of it. `None` if the runtime shuts down meanwhile.
pub(crate) async fn offload<T, W>(bytes: usize, work: W) -> Option<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    match tokio::runtime::Handle::try_current() {
        Ok(handle) if bytes > MUCH => handle.spawn_blocking(work).await.ok(),
        _ => Some(work()),
    }
}

/// A runtime to come back to.
#[derive(Clone)]
pub(crate) struct RuntimeHandle(Option<tokio::runtime::Handle>);

impl RuntimeHandle {
    /// The current one, if there is one.
    pub(crate) fn here() -> Self {
        Self(tokio::runtime::Handle::try_current().ok())
    }

    /// Runs a task on the current runtime, else on this one; on one that is gone it is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match (&self.0, in_runtime()) {
            (Some(handle), false) => drop(handle.spawn(future)),
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

/// Since when something lasts, by the clocks of the machine: after a suspension, in which the monotonic one stood
/// still, the wall clock knows.
#[cfg(any(feature = "upstash", feature = "redis"))]
#[derive(Clone, Copy)]
pub(crate) struct Since {
    pub(crate) instant: tokio::time::Instant,
    pub(crate) wall: std::time::SystemTime,
}

#[cfg(any(feature = "upstash", feature = "redis"))]
impl Since {
    pub(crate) fn now() -> Self {
        Self {
            instant: now(),
            wall: std::time::SystemTime::now(),
        }
    }

    /// How long it lasts, by the clock that says more.
    pub(crate) fn elapsed(self) -> Duration {
        let wall = self.wall.elapsed().unwrap_or_default();
        self.instant.elapsed().max(wall)
    }
}

/// Real milliseconds since the first use, at least 1: whether a thread is alive is not a matter of
/// any manual or paused clock.
pub(crate) fn real_ms() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    let elapsed = start.elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

/// Waits; where there are no timers it only lets others run.
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
