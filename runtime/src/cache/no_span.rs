//! In place of [`span`](super::span) at the edge: a Worker has nobody who collects spans, and its module is to be small.

use std::marker::PhantomData;
use std::time::Duration;

#[derive(Clone)]
pub(crate) struct LoadSpan;

pub(crate) type Within<F> = F;
pub(crate) type Entered<'a> = PhantomData<&'a LoadSpan>;

#[allow(
    clippy::unused_self,
    reason = "it has the methods of the span elsewhere"
)]
impl LoadSpan {
    pub(crate) const fn none() -> Self {
        Self
    }

    pub(crate) const fn begin(_prefix: &str) -> Self {
        Self
    }

    pub(super) const fn behind(_prefix: &str, _cause: &Self) -> Self {
        Self
    }

    pub(super) const fn of_keys(self, _keys: usize) -> Self {
        self
    }

    pub(crate) const fn ends(&self, _result: &'static str, _tier: &'static str) {}

    pub(super) fn found(&self, _age: impl FnOnce() -> Option<Duration>) {}

    pub(crate) fn around<F>(&self, future: F) -> Within<F> {
        future
    }

    pub(crate) const fn enter(&self) -> Entered<'_> {
        PhantomData
    }
}
