//! How a check ended, and why.

use crate::error::ErrorKind;

/// The outcome of a check.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::limit::{Limit, Outcome, Reason};
/// use std::time::Duration;
///
/// const ONE: Limit = Limit::fixed_window("ONE", 1, Duration::from_secs(3_600));
/// let limiter = millpond::Millpond::memory().limiter(&ONE);
/// assert_eq!(limiter.check("ada").await?.outcome(), Outcome::Allowed);
/// let refused = limiter.check("ada").await?;
/// assert_eq!((refused.outcome(), refused.reason()), (Outcome::Refused, Some(Reason::Exhausted)));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The units were taken.
    Allowed,
    /// Too few units were left; nothing was taken.
    Refused,
    /// The store did not answer, and [`OnOutage`](crate::limit::OnOutage) decided; see [`Decision::is_allowed`](crate::limit::Decision::is_allowed).
    /// There is no budget to report.
    Degraded,
}

/// Why a call was refused, or a decision is degraded.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::limit::{Limit, Outcome, Reason};
/// use std::time::Duration;
///
/// const ONE: Limit = Limit::fixed_window("ONE", 1, Duration::from_secs(3_600));
/// let limiter = millpond::Millpond::memory().limiter(&ONE);
/// assert_eq!(limiter.check("ada").await?.outcome(), Outcome::Allowed);
/// let refused = limiter.check("ada").await?;
/// assert_eq!((refused.outcome(), refused.reason()), (Outcome::Refused, Some(Reason::Exhausted)));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The store has too few units left.
    Exhausted,
    /// An earlier refusal showed that the units cannot be available yet; no command was sent.
    Blocked,
    /// The call costs more than the whole limit, so waiting does not help.
    CostAboveLimit,
    /// The identifier of the call is empty or does not display, so that nobody can be counted. Only
    /// annotated functions refuse for this; [`Limiter`](crate::limit::Limiter) has an error for it.
    NoIdentifier,
    /// The store did not answer, for this reason.
    Outage(ErrorKind),
}
