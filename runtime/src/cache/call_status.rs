//! What [`with_status`](super::with_status::with_status) says of a call, and where the call writes it.

use crate::codec::Times;
use crate::sync;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a call of a cached function came to: see [`with_status`](crate::with_status).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{CallStatus, cached, with_status};
///
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> Option<String> { None }
///
/// # millpond::Millpond::memory().scope(async {
/// assert_eq!(with_status(get_user(7)).await, (None, CallStatus::Loaded));
/// let (user, status) = with_status(get_user(7)).await;
/// assert_eq!((user, status.as_str()), (None, "null"));
/// assert_eq!(with_status(async { 7 }).await, (7, CallStatus::NoCall));
/// # }).await });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallStatus {
    /// The call found a fresh value.
    #[non_exhaustive]
    Hit {
        /// Where it was.
        tier: Tier,
        /// How long ago the load of the value began, at most. It is known in [`Tier::Local`], and of functions with
        /// `stale_while_revalidate`, `stale_if_error` or `refresh_ahead`.
        age: Option<Duration>,
    },
    /// The call found a cached `None`.
    #[non_exhaustive]
    Null {
        /// Where it was.
        tier: Tier,
        /// As that of a hit.
        age: Option<Duration>,
    },
    /// The call returned an old value, which it found itself or which another caller's load gave it: one that is
    /// loaded again in the background, or that stands in for a body that failed or took too long.
    #[non_exhaustive]
    Stale {
        /// How long ago the load of the value began, at most.
        age: Option<Duration>,
    },
    /// The call waited for another caller, and returned what that one found or loaded, or its error.
    Shared,
    /// The body ran for this call and returned, a value or an error.
    Loaded,
    /// The body ran, and nothing was looked up.
    Bypassed(BypassReason),
    /// The call was one of a batch function, which does several things at once.
    Batch(BatchStatus),
    /// A cached call was polled, and dropped before it returned: by a timeout inside the future, for example.
    Unfinished,
    /// No cached call was polled in the future.
    NoCall,
}

/// Where a value was found.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{CallStatus, Millpond, Tier, cached, with_status};
///
/// #[cached(local = "only", key = "<n>")]
/// fn square(n: u64) -> u64 { n * n }
///
/// # Millpond::memory().scope(async {
/// square(7);
/// let (value, status) = with_status(async { square(7) }).await;
/// assert_eq!((value, status.tier()), (49, Some(Tier::Local)));
/// # }).await });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tier {
    /// In this process, as it is.
    Local,
    /// In Redis, or in the embedded engine.
    Store,
}

/// Why a call left the cache aside.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{BypassReason, CallStatus, cached, uncached, with_status};
///
/// #[cached(prefix = "square", key = "<n>")]
/// async fn square(n: u64) -> u64 { n * n }
///
/// let (value, status) = with_status(uncached(square(7))).await;
/// assert_eq!((value, status), (49, CallStatus::Bypassed(BypassReason::Uncached)));
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BypassReason {
    /// By [`uncached`](crate::uncached).
    Uncached,
    /// By [`Millpond::bypass`](crate::Millpond::bypass).
    Scope,
    /// The function's `when` does not hold.
    When,
    /// The key, or a tag, cannot be used: it is empty or too long, or could not be written.
    Key,
    /// The function has `encrypt`, and there is no key.
    NoEncryptionKey,
    /// The call needs a Tokio runtime, and there is none.
    NoRuntime,
    /// The body of a load called its own function for the key that it is loading.
    OwnKey,
    /// Another caller loads the value, and the call waited as long as it may, or the two would wait for each other.
    Waited,
    /// What another caller loaded for the key, or its error, is of another type.
    Unusable,
    /// The cache did not answer, or not in time.
    NoAnswer,
}

/// How many of the distinct items of a batch came to what.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{CallStatus, Millpond, cached, with_status};
/// use std::collections::HashMap;
///
/// #[cached(prefix = "square", key = "<n>")]
/// async fn square(n: u64) -> u64 { n * n }
///
/// #[cached(batch = numbers, of = square(*numbers))]
/// async fn squares(numbers: &[u64]) -> HashMap<u64, u64> {
///     numbers.iter().map(|&n| (n, n * n)).collect()
/// }
///
/// # Millpond::memory().scope(async {
/// square(1).await;
/// let (_, status) = with_status(squares(&[1, 2, 3])).await;
/// let CallStatus::Batch(items) = status else { panic!("{status:?}") };
/// assert_eq!((items.hits, items.loaded), (1, 2));
/// # }).await });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchStatus {
    /// Found, and fresh.
    pub hits: u32,
    /// Found, as what there is not.
    pub nulls: u32,
    /// Old, from another caller's load.
    pub stale: u32,
    /// From another caller's load.
    pub shared: u32,
    /// Asked of the body.
    pub loaded: u32,
    /// Asked of the body, without having been looked up.
    pub bypassed: u32,
    /// How many of `hits` and `nulls` this process had kept: see `local` of [`#[cached]`](macro@crate::cached).
    pub local: u32,
}

impl BatchStatus {
    /// An item was found in this process.
    pub(crate) fn found_local(&mut self, is_null: bool) {
        self.found(is_null);
        self.local += 1;
    }

    /// An item was found.
    pub(crate) fn found(&mut self, is_null: bool) {
        let count = if is_null {
            &mut self.nulls
        } else {
            &mut self.hits
        };
        *count += 1;
    }
}

impl CallStatus {
    pub(crate) fn found(is_null: bool, tier: Tier, age: Option<Duration>) -> Self {
        if is_null {
            Self::Null { tier, age }
        } else {
            Self::Hit { tier, age }
        }
    }

    /// How long ago the load of the value began, at most, where that is known.
    ///
    /// ```
    /// assert_eq!(millpond::CallStatus::Shared.age(), None);
    /// ```
    pub fn age(&self) -> Option<Duration> {
        match *self {
            Self::Hit { age, .. } | Self::Null { age, .. } | Self::Stale { age } => age,
            _ => None,
        }
    }

    /// Where the value was found, by this call itself and fresh.
    ///
    /// ```
    /// assert_eq!(millpond::CallStatus::Loaded.tier(), None);
    /// ```
    pub fn tier(&self) -> Option<Tier> {
        match *self {
            Self::Hit { tier, .. } | Self::Null { tier, .. } => Some(tier),
            _ => None,
        }
    }

    /// One word, for a header or a log: `hit`, `null`, `stale`, `shared`, `loaded`, `bypassed`, `batch`, `unfinished`
    /// or `none`.
    ///
    /// ```
    /// assert_eq!(millpond::CallStatus::Loaded.as_str(), "loaded");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::Null { .. } => "null",
            Self::Stale { .. } => "stale",
            Self::Shared => "shared",
            Self::Loaded => "loaded",
            Self::Bypassed(_) => "bypassed",
            Self::Batch(_) => "batch",
            Self::Unfinished => "unfinished",
            Self::NoCall => "none",
        }
    }
}

/// Where the call that is meant writes what it came to.
#[derive(Clone, Default)]
pub(crate) struct Report(Arc<Mutex<Option<CallStatus>>>);

impl Report {
    /// The last word counts.
    pub(crate) fn say(&self, status: CallStatus) {
        *sync::lock(&self.0) = Some(status);
    }

    pub(crate) fn said(&self) -> Option<CallStatus> {
        *sync::lock(&self.0)
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Report").field(&self.said()).finish()
    }
}

/// Who wants to know what a call comes to. Almost nobody does.
#[derive(Debug, Default)]
pub(crate) struct Reporting(Option<Report>);

impl Reporting {
    pub(crate) fn to(report: Option<Report>) -> Self {
        Self(report)
    }

    #[inline]
    pub(crate) fn say(&self, status: impl FnOnce() -> CallStatus) {
        if let Some(report) = &self.0 {
            report.say(status());
        }
    }

    pub(crate) fn bypassed(&self, reason: BypassReason) {
        self.say(|| CallStatus::Bypassed(reason));
    }
}

/// How old a value with these times is at most.
pub(crate) fn age(times: Option<Times>, latest: u64) -> Option<Duration> {
    let from = times?.from?;
    Some(Duration::from_millis(latest.saturating_sub(from)))
}
