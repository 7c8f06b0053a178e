//! What the code runs on: tasks, time and time limits. Everything else asks here, never Tokio or JavaScript
//! itself. On a server this is Tokio ([`server`]); on `wasm32` it is the event loop of the JavaScript that
//! hosts the module ([`isolate`]). The two have the same names, and the target chooses.

#[cfg(target_arch = "wasm32")]
mod isolate;
#[cfg(not(target_arch = "wasm32"))]
mod server;
#[cfg(not(target_arch = "wasm32"))]
mod timers;

#[cfg(target_arch = "wasm32")]
pub(crate) use isolate::{
    BoxFuture, BoxFutureOf, InRequest, Instant, MUCH, MaybeSend, PerRequest, RealInstant,
    RuntimeHandle, SystemTime, Timer, background_done, in_request, in_runtime, offload, requeue,
    spawn, spawn_unawaited, timer,
};
#[cfg(all(target_arch = "wasm32", feature = "upstash"))]
pub(crate) use isolate::{http_date, unconstrained};
use pin_project_lite::pin_project;
#[cfg(all(
    not(target_arch = "wasm32"),
    any(
        feature = "upstash",
        not(any(target_os = "linux", target_os = "android"))
    )
))]
pub(crate) use server::SystemTime;
#[cfg(all(not(target_arch = "wasm32"), feature = "upstash"))]
pub(crate) use server::http_date;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use server::{
    BoxFuture, BoxFutureOf, InRequest, Instant, MUCH, PerRequest, RealInstant, RuntimeHandle,
    in_request, in_runtime, offload, requeue, spawn, spawn_unawaited,
};
#[cfg(all(
    not(target_arch = "wasm32"),
    any(feature = "upstash", feature = "redis")
))]
pub(crate) use server::{First, MaybeSend, first, pause, sleep_until, unconstrained};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
#[cfg(not(target_arch = "wasm32"))]
use timers::{Timer, timer};
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
pub(crate) use timers::{is_real, spawn_with_timers};

/// Waits for the future, but no longer than this. What is ready at once needs no timer.
pub(crate) fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout {
        limit,
        future,
        kept: Kept::NotYet,
    }
}

pin_project! {
    /// See [`timeout`]. An `async fn` would hold the future twice: as its argument, and where it is polled.
    pub(crate) struct Timeout<F> {
        limit: Duration,
        #[pin]
        future: F,
        #[pin]
        kept: Kept,
    }
}

pin_project! {
    /// Who keeps the time.
    #[project = KeptProjection]
    enum Kept {
        NotYet,
        Nobody,
        By { #[pin] timer: Timer },
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        if let KeptProjection::NotYet = this.kept.as_mut().project() {
            let timer = timer(*this.limit);
            this.kept
                .set(timer.map_or(Kept::Nobody, |timer| Kept::By { timer }));
        }
        match this.kept.project() {
            KeptProjection::By { timer } => timer.poll(cx).map(|()| None),
            KeptProjection::NotYet | KeptProjection::Nobody => Poll::Pending,
        }
    }
}

/// A time of the clock that [`sleep`] and [`timeout`] go by.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Real milliseconds since the first use, at least 1: whether a thread is alive is not a matter of
/// any manual or paused clock.
pub(crate) fn real_ms() -> u64 {
    static START: std::sync::OnceLock<RealInstant> = std::sync::OnceLock::new();
    let start = START.get_or_init(RealInstant::now);
    let elapsed = start.elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

/// The time since the Unix epoch by the clock of the system, which can be set back.
#[cfg(any(
    feature = "upstash",
    not(any(target_os = "linux", target_os = "android"))
))]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// Waits; where there are no timers it only lets others run.
pub(crate) async fn sleep(duration: Duration) {
    match timer(duration) {
        Some(timer) => timer.await,
        None => tokio::task::yield_now().await,
    }
}

/// Waits for the future until then.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn timeout_at<F: Future>(until: Instant, future: F) -> Option<F::Output> {
    timeout(until.saturating_duration_since(now()), future).await
}

/// Waits.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn pause(duration: Duration) {
    sleep(duration).await;
}

/// Whether waiting has an end here.
pub(crate) fn has_timers() -> bool {
    timer(Duration::ZERO).is_some()
}
