//! What `health()` says of the backplane.

use crate::error::Error;

/// Whether this process hears of the invalidations of others.
#[cfg_attr(
    not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )),
    expect(dead_code, reason = "without subscriptions there is nothing to trust")
)]
pub(crate) enum BackplaneState {
    /// It keeps no values that others could invalidate.
    Unused,
    Trusted,
    /// Why, if it is known.
    Untrusted(Option<Error>),
}
