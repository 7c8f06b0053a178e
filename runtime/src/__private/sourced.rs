//! Errors with sources, which other callers get unless a refusal is among them.

use crate::cache::{CacheableKind, Shareable, SharedError, Sourced};
use crate::limit::RateLimited;
use std::error::Error;
use std::sync::Arc;

/// How many sources are looked through; an error may be its own source.
const MOST_SOURCES: usize = 32;

impl<T, E: Error + Clone + Send + Unpin + 'static> CacheableKind for Sourced<T, E> {
    fn share(error: &E) -> Option<SharedError> {
        if holds_refusal(error) {
            return None;
        }
        Shareable::<T, E>::share(error)
    }

    fn take(error: &SharedError) -> Option<E> {
        Shareable::<T, E>::take(error)
    }
}

/// Whether a refusal is among the sources of an error, or is the error itself.
fn holds_refusal(error: &(dyn Error + 'static)) -> bool {
    let is_refusal = |error: &(dyn Error + 'static)| {
        // An `Arc` passes on the source of what is in it, and so does not show that.
        error.is::<RateLimited>()
            || error.is::<Arc<RateLimited>>()
            || error
                .downcast_ref::<Arc<dyn Error + Send + Sync>>()
                .is_some_and(|inner| inner.is::<RateLimited>())
    };
    let mut next = Some(error);
    for _ in 0..MOST_SOURCES {
        let Some(error) = next else {
            return false;
        };
        if is_refusal(error) {
            return true;
        }
        next = error.source();
    }
    false
}
