//! Telling the caller what a call came to.

use super::call_mode::requesting;
use super::call_status::{CallStatus, Report};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Calls the function, and says what the call came to: `with_status(get_user(7)).await` returns the user and the
/// [`CallStatus`].
///
/// It is about the first call of a cached function (or of [`get_or_set`](crate::Millpond::get_or_set), or of a batch
/// function) that is polled in the future, be it a function, a method or one of a trait, and about no other; the call
/// does what it would do without. [`refresh`](crate::refresh) and [`uncached`](crate::uncached) may stand inside or
/// around it. Where no cached call is polled in the future, it says [`CallStatus::NoCall`]. A call that is polled in
/// a task of its own, by `tokio::spawn` for example, is not polled in the future.
///
/// What a sync function with `local = "only"` returns is no future, and its call is over before this one could ask.
/// Call it in a block: `with_status(async { square(7) })`.
///
/// # Cancel safety
/// That of the function.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{CallStatus, cached, with_status};
///
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> String { format!("user {id}") }
///
/// # millpond::Millpond::memory().scope(async {
/// let (user, status) = with_status(get_user(7)).await;
/// assert_eq!((user.as_str(), status), ("user 7", CallStatus::Loaded));
/// let (_, status) = with_status(get_user(7)).await;
/// assert!(matches!(status, CallStatus::Hit { .. }));
/// assert_eq!(status.as_str(), "hit");
/// # }).await });
/// ```
pub fn with_status<F: Future>(call: F) -> impl Future<Output = (F::Output, CallStatus)> + use<F> {
    WithStatus {
        report: Report::default(),
        is_taken: false,
        outer: None,
        call,
    }
}

pin_project! {
    struct WithStatus<F> {
        report: Report,
        // Whether a call has taken it.
        is_taken: bool,
        // Who asked the same of the same call, further out.
        outer: Option<Report>,
        #[pin]
        call: F,
    }
}

impl<F: Future> Future for WithStatus<F> {
    type Output = (F::Output, CallStatus);

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let own = (!*this.is_taken).then(|| (None, Some(this.report.clone())));
        let (polled, taken) = requesting(own, || this.call.poll(cx));
        if let Some(taken) = taken {
            *this.is_taken = true;
            *this.outer = taken.outer;
        }
        let status = this.report.said();
        if let (Some(outer), Some(status)) = (&*this.outer, status) {
            outer.say(status);
        }
        polled.map(|output| (output, status.unwrap_or(CallStatus::NoCall)))
    }
}
