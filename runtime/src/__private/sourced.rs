//! Errors with sources, which other callers get unless a refusal is among them.

use crate::cache::{CacheableKind, ReturnKind, Shareable, SharedError};
use crate::limit::RateLimited;
use std::error::Error;
use std::marker::PhantomData;
use std::sync::Arc;

/// How many sources are looked through; an error may be its own source.
const MOST_SOURCES: usize = 32;

/// Returns a `Result` whose error can be cloned for other callers and says what caused it.
pub struct Sourced<T, E>(PhantomData<fn() -> (T, E)>);

impl<T, E> Sourced<T, E> {
    pub(super) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T, E> Clone for Sourced<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for Sourced<T, E> {}

impl<T, E> std::fmt::Debug for Sourced<T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sourced")
    }
}

impl<T, E> ReturnKind for Sourced<T, E> {
    type Return = Result<T, E>;
    type Value = T;
    type Error = E;

    fn split(self, returned: Result<T, E>) -> Result<T, E> {
        returned
    }

    fn success(self, value: T) -> Result<T, E> {
        Ok(value)
    }

    fn failure(self, error: E) -> Result<T, E> {
        Err(error)
    }
}

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
