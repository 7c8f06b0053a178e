//! A process with Tokio: threads, and state that all callers share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The clock that time limits go by, which a test can pause.
pub(crate) use tokio::time::Instant;

pub(crate) use std::time::Instant as RealInstant;

#[cfg(any(
    feature = "upstash",
    not(any(target_os = "linux", target_os = "android"))
))]
pub(crate) use std::time::SystemTime;

/// Work on more bytes than this is done on a thread that may be kept busy: at some 100 MB/s it takes longer
/// than a task should without letting others run.
pub(crate) const MUCH: usize = 64 * 1024;

/// A future that may move between threads and owns what it needs.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// One that borrows.
pub(crate) type BoxFutureOf<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A date of HTTP.
#[cfg(feature = "upstash")]
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

#[cfg(any(feature = "upstash", feature = "redis"))]
/// `Send` where there are threads.
pub(crate) trait MaybeSend: Send {}

#[cfg(any(feature = "upstash", feature = "redis"))]
impl<T: Send + ?Sized> MaybeSend for T {}

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

/// [`spawn`]; where requests end with what they have begun, nothing waits for this task.
pub(crate) fn spawn_unawaited(future: impl Future<Output = ()> + Send + 'static) {
    spawn(future);
}

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

/// Comes back after what is ready to run by now, as far as can be known. A task that a thread from outside woke is
/// in a queue that the runtime's threads share, and they turn to it when they have little else to do; so a thread
/// from outside wakes this task, too, once it is asleep. Waits no longer than `limit`: all threads for blocking
/// work may be taken.
pub(crate) async fn requeue(limit: Duration) {
    if let Ok(handle) = tokio::runtime::Handle::try_current() {
        let woken = handle.spawn_blocking(|| std::thread::sleep(Duration::from_millis(1)));
        super::timeout(limit, woken).await;
    }
}

#[cfg(any(feature = "upstash", feature = "redis"))]
/// A wait that takes nothing from the budget of its task. Where a task waits for more than the 128 that Tokio lets it look
/// at in one poll, it would look at the others again and again, to be told each time to come back later.
pub(crate) fn unconstrained<F: Future>(wait: F) -> impl Future<Output = F::Output> {
    tokio::task::unconstrained(wait)
}

#[cfg(any(feature = "upstash", feature = "redis"))]
/// A timer of the current runtime, which must have some.
pub(crate) fn sleep_until(until: Instant) -> tokio::time::Sleep {
    tokio::time::sleep_until(until)
}

#[cfg(any(feature = "upstash", feature = "redis"))]
/// Waits, by the timers of the current runtime, which must have some.
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A runtime to come back to.
#[derive(Clone)]
pub(crate) struct RuntimeHandle(Option<tokio::runtime::Handle>);

impl RuntimeHandle {
    /// The current one, if there is one.
    pub(crate) fn here() -> Self {
        Self(tokio::runtime::Handle::try_current().ok())
    }

    /// Whether this is the current runtime.
    #[cfg(any(feature = "upstash", feature = "redis"))]
    pub(crate) fn is_current(&self) -> bool {
        let here = tokio::runtime::Handle::try_current().ok();
        let id = |handle: &Option<tokio::runtime::Handle>| {
            handle.as_ref().map(tokio::runtime::Handle::id)
        };
        id(&here) == id(&self.0)
    }

    /// Runs a task on this runtime; on one that is gone it is dropped.
    #[cfg(any(feature = "upstash", feature = "redis"))]
    pub(crate) fn spawn_there(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(handle) = &self.0 {
            handle.spawn(future);
        }
    }

    /// Runs a task on the current runtime, else on this one; on one that is gone it is dropped.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match (&self.0, in_runtime()) {
            (Some(handle), false) => drop(handle.spawn(future)),
            _ => drop(spawn(future)),
        }
    }
}

/// What callers share through which one of them may wake another. Here, all of them share one.
#[derive(Debug, Default)]
pub(crate) struct PerRequest<T>(Arc<T>);

impl<T> Clone for PerRequest<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> PerRequest<T> {
    pub(crate) fn current(&self) -> &Arc<T> {
        &self.0
    }
}

/// A future that belongs to one request, of which nothing has to be known here.
pub(crate) type InRequest<F> = F;

pub(crate) fn in_request<F: Future>(future: F) -> InRequest<F> {
    future
}

/// Which of two futures was ready first.
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) enum First<A, B> {
    A(A),
    B(B),
}

/// Waits for either future. Where both are ready it is the first; the other one is dropped.
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) async fn first<A: Future, B: Future>(a: A, b: B) -> First<A::Output, B::Output> {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    std::future::poll_fn(|cx| match a.as_mut().poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(First::A(output)),
        std::task::Poll::Pending => b.as_mut().poll(cx).map(First::B),
    })
    .await
}
