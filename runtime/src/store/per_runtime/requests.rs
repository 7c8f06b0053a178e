//! Requests in one isolate. What a request has goes with it.

use super::Local;
use crate::error::Error;
use crate::runtime::PerRequest;
use std::sync::Arc;

pub(crate) struct PerRuntime<T: Local>(PerRequest<T>);

impl<T: Local> Default for PerRuntime<T> {
    fn default() -> Self {
        Self(PerRequest::default())
    }
}

impl<T: Local> PerRuntime<T> {
    /// The one of the current request, made at first use.
    pub(crate) fn current(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<Arc<T>, Error> {
        self.0.current_or(make)
    }
}
