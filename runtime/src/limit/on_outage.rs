//! What a limit does without its store.

/// What a limit does while the store does not answer.
///
/// ```
/// use millpond::limit::{self, OnOutage};
/// const LOGIN: limit::Limit = limit::AUTH.on_outage(OnOutage::Deny);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnOutage {
    /// A limiter in this process takes over, with the same limit. Each process has its own budget:
    /// see [`Limit::share`](super::Limit::share).
    #[default]
    Local,
    /// Calls go through.
    Allow,
    /// Calls are refused.
    Deny,
}
