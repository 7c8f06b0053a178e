//! What `refresh` and `uncached` ask of the call inside them: a request that the first cached call
//! takes which is polled there.

use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How a call uses the cache.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallMode {
    /// Loads and stores, whatever is cached.
    Refresh,
    /// Runs the body and nothing else.
    Uncached,
}

thread_local! {
    /// Set while [`WithMode`] polls what is inside; taken by the first cached call.
    static REQUESTED: Cell<Option<CallMode>> = const { Cell::new(None) };
}

/// The mode that is requested of the call that asks, which is the only one to get it.
pub(crate) fn take() -> Option<CallMode> {
    REQUESTED.take()
}

/// Whether a mode is requested of the next call.
#[inline]
pub(crate) fn is_requested() -> bool {
    REQUESTED.get().is_some()
}

/// Runs the function and stores what it returns, whatever is cached: `refresh(get_user(7)).await`.
///
/// It acts on the first call of a cached function (or of [`get_or_set`](crate::Millpond::get_or_set))
/// that is polled in the future, be it a function, a method or one of a trait; on no other call, and not
/// on those in the body. The innermost of `refresh` and [`uncached`] decides. A load of the same key that
/// is under way is not joined.
///
/// # Cancel safety
/// Dropped before the body returned, it changes nothing.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, cached, refresh};
///
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> String { format!("user {id}") }
///
/// # let pond = Millpond::memory();
/// # pond.scope(async {
/// get_user(7).await;
/// refresh(get_user(7)).await;
/// # }).await;
/// assert_eq!(pond.stats().cache.loads, 2);
/// # });
/// ```
pub fn refresh<F: Future>(call: F) -> impl Future<Output = F::Output> + use<F> {
    WithMode {
        mode: Some(CallMode::Refresh),
        call,
    }
}

/// Runs the function and leaves what is cached as it is: `uncached(get_user(7)).await`.
///
/// Which call that is: see [`refresh`].
///
/// # Cancel safety
/// That of the function.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Lookup, Millpond, cached, uncached};
///
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> String { format!("user {id}") }
///
/// # Millpond::memory().scope(async {
/// assert_eq!(uncached(get_user(7)).await, "user 7");
/// assert_eq!(get_user::entry(7).get().await?, Lookup::Miss);
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
pub fn uncached<F: Future>(call: F) -> impl Future<Output = F::Output> + use<F> {
    WithMode {
        mode: Some(CallMode::Uncached),
        call,
    }
}

pin_project! {
    struct WithMode<F> {
        // Nothing once a call has taken it.
        mode: Option<CallMode>,
        #[pin]
        call: F,
    }
}

impl<F: Future> Future for WithMode<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut outside = Outside(REQUESTED.replace(*this.mode));
        let polled = this.call.poll(cx);
        if this.mode.is_some() && REQUESTED.get().is_none() {
            *this.mode = None;
            // The call that took it was the first one of what is around this, too.
            outside.0 = None;
        }
        polled
    }
}

/// What was requested further out, to be put back after a poll or a panic.
struct Outside(Option<CallMode>);

impl Drop for Outside {
    fn drop(&mut self) {
        REQUESTED.set(self.0);
    }
}
