//! What `refresh`, `uncached` and `with_status` ask of the call inside them: a request that the first cached call
//! takes which is polled there.

use super::call_status::{CallStatus, Report, Reporting};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How a call uses the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallMode {
    /// Loads and stores, whatever is cached.
    Refresh,
    /// Runs the body and nothing else.
    Uncached,
}

/// What is asked of the next call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) mode: Option<CallMode>,
    /// Whether it is to say what it came to.
    pub(crate) reports: bool,
}

impl Request {
    const NOTHING: Self = Self {
        mode: None,
        reports: false,
    };

    #[inline]
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

thread_local! {
    /// Set while [`requesting`] polls what is inside; taken by the first cached call.
    static REQUESTED: Cell<Request> = const { Cell::new(Request::NOTHING) };
    /// Where that call says what it came to. Apart, since it has a destructor, which most threads need not know of.
    static REPORT: Cell<Option<Report>> = const { Cell::new(None) };
}

/// What is requested of the call that asks, which is the only one to get it.
pub(crate) fn take() -> (Option<CallMode>, Reporting) {
    let request = REQUESTED.replace(Request::NOTHING);
    let reporting = if request.reports {
        take_report()
    } else {
        Reporting::default()
    };
    (request.mode, reporting)
}

#[cold]
fn take_report() -> Reporting {
    let report = REPORT.take();
    if let Some(report) = &report {
        report.say(CallStatus::Unfinished);
    }
    Reporting::to(report)
}

/// What is requested of the next call.
#[inline]
pub(crate) fn requested() -> Request {
    REQUESTED.get()
}

/// Runs the function and stores what it returns, whatever is cached: `refresh(get_user(7)).await`.
///
/// It acts on the first call of a cached function (or of [`get_or_set`](crate::Millpond::get_or_set))
/// that is polled in the future, be it a function, a method or one of a trait; on no other call, and not
/// on those in the body. The innermost of `refresh` and [`uncached`] decides;
/// [`with_status`](crate::with_status) goes with either. A load of the same key that is under way is not joined.
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
        let Some(mode) = *this.mode else {
            return requesting(None, || this.call.poll(cx)).0;
        };
        let (polled, taken) = requesting(Some((Some(mode), None)), || this.call.poll(cx));
        if taken.is_some() {
            *this.mode = None;
        }
        polled
    }
}

/// A call took what was requested of it. It is the first one of what is around the future, too, so it reports there
/// as well.
pub(super) struct Taken {
    pub(super) outer: Option<Report>,
}

/// Polls what is inside with a request of the first call there, beside what is requested further out; with none once
/// a call has taken it. Says whether one has taken it now.
pub(super) fn requesting<T>(
    own: Option<(Option<CallMode>, Option<Report>)>,
    poll: impl FnOnce() -> T,
) -> (T, Option<Taken>) {
    let mut outside = Outside {
        request: REQUESTED.replace(Request::NOTHING),
        report: REPORT.take(),
    };
    let Some((mode, report)) = own else {
        return (poll(), None);
    };
    let report = report.or_else(|| outside.report.clone());
    REQUESTED.set(Request {
        mode: mode.or(outside.request.mode),
        reports: report.is_some(),
    });
    REPORT.set(report);
    let polled = poll();
    let is_taken = REQUESTED.get() == Request::NOTHING;
    let taken = is_taken.then(|| {
        outside.request = Request::NOTHING;
        let outer = outside.report.take();
        Taken { outer }
    });
    (polled, taken)
}

/// What was requested further out, to be put back after a poll or a panic.
struct Outside {
    request: Request,
    report: Option<Report>,
}

impl Drop for Outside {
    fn drop(&mut self) {
        REQUESTED.set(self.request);
        REPORT.set(self.report.take());
    }
}
