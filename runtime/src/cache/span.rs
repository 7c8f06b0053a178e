//! The span of a load, for whoever traces requests: around the read, the body and the fill.

use std::time::Duration;
use tracing::field::Empty;
pub(crate) use tracing::instrument::Instrumented as Within;
pub(crate) use tracing::span::Entered;
use tracing::{Instrument, Span};

/// What a filter calls it by, so that it can be had without the events of this level.
const TARGET: &str = "millpond::load";

/// The span of one load; of none, where nobody wants spans.
#[derive(Clone)]
pub(crate) struct LoadSpan(Span);

impl LoadSpan {
    pub(crate) const fn none() -> Self {
        Self(Span::none())
    }

    /// A load that begins here, for a caller who waits for it.
    pub(crate) fn begin(prefix: &str) -> Self {
        Self(tracing::debug_span!(
            target: TARGET,
            "cache_load",
            prefix,
            result = Empty,
            tier = Empty,
            age = Empty,
            keys = Empty,
        ))
    }

    /// Whether nobody wants spans.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(super) fn is_none(&self) -> bool {
        self.0.is_disabled()
    }

    /// A load in the background. It is no child of the call that began it, since it may last longer.
    pub(super) fn behind(prefix: &str, cause: &Self) -> Self {
        let span = tracing::debug_span!(
            target: TARGET,
            parent: None,
            "cache_load",
            prefix,
            result = Empty,
            tier = Empty,
            age = Empty,
            background = true,
        );
        span.follows_from(&cause.0);
        Self(span)
    }

    /// How many keys it is about, where it is a batch.
    pub(super) fn of_keys(self, keys: usize) -> Self {
        self.0.record("keys", keys);
        self
    }

    /// What the call returned, and where that comes from.
    pub(crate) fn ends(&self, result: &'static str, tier: &'static str) {
        self.0.record("result", result);
        self.0.record("tier", tier);
    }

    /// How old the value is that was found, if that is known.
    pub(super) fn found(&self, age: impl FnOnce() -> Option<Duration>) {
        if !self.0.is_disabled()
            && let Some(age) = age()
        {
            self.0.record("age", age.as_secs_f64());
        }
    }

    /// What this future does is done in the span.
    pub(crate) fn around<F>(&self, future: F) -> Within<F> {
        future.instrument(self.0.clone())
    }

    /// What is done until the guard is dropped is done in the span.
    pub(crate) fn enter(&self) -> Entered<'_> {
        self.0.enter()
    }
}
