//! Several keys of one function at once: one read for all of them, one body for what is missing, one fill.
//!
//! Each key has a flight of its own, which other batches and calls of the function for one join. A batch joins all of
//! its keys, loads those that it leads, and only then waits for the others: whoever waits leads nothing, so that no
//! two batches wait for each other.

mod join;
mod near;
mod read;
mod store;
mod together;

use super::cached_function::UnlessOf;
use super::call_status::BatchStatus;
use super::flight::{FlightResult, Patience, Waited, Waiter};
use super::load::Load;
use super::span::{LoadSpan, Within};
use crate::local::Value;
use crate::runtime::{self, BoxFuture, Instant};
use crate::value::{self, ErasedValue};
use bytes::Bytes;
pub(crate) use near::{ErasedNear, NearForm};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use store::Given;
pub(crate) use together::Together;

/// A value that was found.
pub(crate) struct Found {
    /// Its place among the distinct items.
    pub(crate) at: usize,
    pub(crate) plain: Bytes,
    /// The load that found it; without one, another caller's.
    pub(crate) load: Option<Load>,
    /// Whether it is an old one.
    pub(crate) is_old: bool,
}

/// The keys of one call, by their place among its distinct items.
pub(crate) struct Batch {
    /// Waited for: another caller loads it.
    waiting: Vec<(usize, Load, Waiter)>,
    /// To be loaded by the body, for the cache.
    loads: Vec<(usize, Load)>,
    /// Where the load of each item is among those, while the body runs.
    places: Vec<Option<usize>>,
    /// To be loaded by the body, and the cache has nothing to do with it.
    alone: Vec<usize>,
    found: Vec<Found>,
    /// What the function for one does not store.
    unless: Option<UnlessOf>,
    /// How long the call waits for others, and for the cache.
    until: Instant,
    budget: Duration,
    status: BatchStatus,
    span: LoadSpan,
    /// What the span is to say of the call.
    result: (&'static str, &'static str),
}

impl Batch {
    /// What was found since the last time.
    pub(crate) fn take_found(&mut self) -> Vec<Found> {
        mem::take(&mut self.found)
    }

    /// What was found is returned, and this is kept of it, if anything is.
    pub(crate) fn hit(&mut self, found: Found, kept: Option<Value>) {
        let is_null = value::is_null(&found.plain);
        let status = &mut self.status;
        let count = match found.load {
            Some(_) if is_null => &mut status.nulls,
            Some(_) => &mut status.hits,
            None if found.is_old => &mut status.stale,
            None => &mut status.shared,
        };
        *count += 1;
        if let Some(mut load) = found.load {
            load.hit(found.plain, is_null, kept);
        }
    }

    /// What the call has come to so far.
    pub(crate) fn status(&self) -> BatchStatus {
        self.status
    }

    /// What was found is no value of the type.
    pub(crate) fn garbage(&mut self, at: usize, load: Option<Load>, what: &str) {
        match load {
            Some(load) => {
                load.garbage(what);
                self.loads.push((at, load));
            }
            None => self.alone.push(at),
        }
    }

    /// The items that the body is to load now, in their order.
    pub(crate) fn missing(&self) -> Vec<usize> {
        let loads = self.loads.iter().map(|(at, _)| *at);
        let mut missing: Vec<usize> = loads.chain(self.alone.iter().copied()).collect();
        missing.sort_unstable();
        missing
    }

    /// The body is about to run.
    pub(crate) fn begin_body(&mut self) {
        let asked = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let looked_up = |(_, load): &&(usize, Load)| load.observed.is_some();
        let loaded = self.loads.iter().filter(looked_up).count();
        self.status.loaded += asked(loaded);
        self.status.bypassed += asked(self.missing().len() - loaded);
        self.result = ("miss", "body");
        self.places.clear();
        for (place, (at, load)) in self.loads.iter_mut().enumerate() {
            load.begin_body();
            if self.places.len() <= *at {
                self.places.resize(*at + 1, None);
            }
            self.places[*at] = Some(place);
        }
    }

    /// The body returned: one body, however many items it loaded.
    pub(crate) fn end_body(&self) {
        if let Some((_, load)) = self.loads.first() {
            load.end_body();
        }
    }

    /// The call returns.
    pub(crate) fn end(&self) {
        let (result, tier) = self.result;
        self.span.ends(result, tier);
    }

    /// What this step does is done in the span of the batch.
    pub(crate) fn within<F>(&self, step: F) -> Within<F> {
        self.span.around(step)
    }

    /// What shows to those who wait that this step is polled.
    pub(crate) fn watched<F>(&self, step: F) -> Together<F> {
        Together::new(self.loads.iter().map(|(_, load)| load), step)
    }

    /// The body returned an error. It may be that of one item, so nobody else gets it.
    pub(crate) fn failed(mut self) {
        self.result = ("error", "body");
        self.end();
        for (_, load) in self.loads {
            load.failed(None);
        }
    }

    /// The body returned something that leaves open which value belongs to which item.
    pub(crate) fn odd(&self) {
        let function = self
            .loads
            .first()
            .and_then(|(_, load)| load.function.as_ref());
        if function.is_some_and(|function| function.says_unstorable()) {
            tracing::warn!(
                "a batch returned one item twice, or a list of another length than that of the items; what is not \
                 sure is not stored"
            );
        }
    }

    /// The plain form of what the body gave for an item, if it may be stored and would be read back, or if it
    /// `repeats` in the list.
    pub(crate) fn plain_form(
        &self,
        at: usize,
        value: &dyn ErasedValue,
        repeats: bool,
    ) -> Option<Bytes> {
        let place = self.places.get(at).copied().flatten();
        match place.and_then(|place| self.loads.get(place)) {
            Some((_, load)) => load.plain_form(value),
            None if repeats => value::plain_form_of(value).ok(),
            None => None,
        }
    }

    /// Whether others load what is left.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits until the others are done, or until one key is this call's to load after all: then all that are left
    /// are, so that a call runs no more than two bodies.
    pub(crate) async fn wait(self) -> Self {
        let span = self.span.clone();
        span.around(self.wait_for_others()).await
    }

    async fn wait_for_others(mut self) -> Self {
        let (until, cache) = (self.until, self.budget);
        let first = self.waiting.first();
        let began = first.map(|(_, load, _)| (Arc::clone(&load.cache), runtime::now()));
        let mut waits: Vec<(usize, Load, BoxFuture<_>)> = Vec::new();
        for (at, load, waiter) in mem::take(&mut self.waiting) {
            let wait = async move {
                let mut patience = Patience { until, cache };
                let waited = waiter.wait(&mut patience).await;
                (waited, patience.cache)
            };
            waits.push((at, load, Box::pin(wait)));
        }
        while !waits.is_empty() {
            let ended = together::any(&mut waits).await;
            let mut takes_all = false;
            for (at, mut load, (waited, left)) in ended {
                load.budget = left;
                match waited {
                    Waited::Leads(leader) => {
                        load.leader = Some(leader);
                        self.loads.push((at, load));
                        takes_all = true;
                    }
                    Waited::Shared(FlightResult::Value(plain)) => {
                        load.counters.shared.add(1);
                        if self.result.0 == "hit" {
                            self.result = ("shared", "flight");
                        }
                        self.found.push(Found::elsewhere(at, plain, false));
                    }
                    Waited::Shared(FlightResult::Old(plain, _)) => {
                        load.counters.shared.add(1);
                        if self.result.0 == "hit" {
                            self.result = ("shared", "flight");
                        }
                        self.found.push(Found::elsewhere(at, plain, true));
                    }
                    // The error of a function for one need not be ours; what stays in this process has flights
                    // of its own.
                    Waited::GoesAlone
                    | Waited::Shared(FlightResult::Error(_) | FlightResult::Kept(_)) => {
                        self.alone.push(at);
                        takes_all = true;
                    }
                }
            }
            if takes_all {
                self.alone.extend(waits.drain(..).map(|(at, ..)| at));
            }
        }
        if let Some((cache, began)) = began {
            cache.waited(began.elapsed());
        }
        self.read(true).await;
        self
    }
}

impl Found {
    /// By another caller.
    fn elsewhere(at: usize, plain: Bytes, is_old: bool) -> Self {
        Self {
            at,
            plain,
            load: None,
            is_old,
        }
    }
}
