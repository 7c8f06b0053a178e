//! A body that runs for a function with `local = "only"`, and what becomes of its result.

use super::{OnlyCall, OnlyEntry};
use crate::cache::flight::{Departure, FlightResult, Leader, SharedError};
use crate::cache::known_functions::FunctionState;
use crate::cache::liveness::{BodyPoll, Watch};
use crate::cache::span::LoadSpan;
use crate::local::{Keep, Sample, Value};
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::runtime::{self, Instant};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// A body that is about to run.
pub(crate) struct OnlyLoad {
    entry: OnlyEntry,
    state: Arc<FunctionState>,
    sample: Sample,
    leader: Option<Leader>,
    departed: Departure,
    watch: Option<Watch>,
    /// When the body began.
    runs_since: Instant,
    span: LoadSpan,
}

/// What the body returned.
pub(crate) struct Loaded {
    pub(crate) value: Value,
    pub(crate) is_null: bool,
    pub(crate) bytes: usize,
    /// What the value says of its lifetime.
    pub(crate) life: Option<Duration>,
    /// It is not to be kept.
    pub(crate) is_excluded: bool,
}

impl OnlyLoad {
    /// The body is about to run.
    pub(super) fn new(call: &OnlyCall, leader: Option<Leader>, span: &LoadSpan) -> Box<Self> {
        let OnlyCall { entry, state, .. } = call;
        state.counters.misses.add(1);
        state.counters.loads.add(1);
        Box::new(Self {
            departed: leader
                .as_ref()
                .map(Leader::body_departs)
                .unwrap_or_default(),
            watch: leader.as_ref().map(Leader::watch),
            runs_since: runtime::now(),
            // A tag that is invalidated from here on makes a miss of what the body returns.
            sample: entry.sample(),
            entry: entry.clone(),
            state: Arc::clone(state),
            leader,
            span: span.clone(),
        })
    }

    /// One poll of the body, or all of a sync one: where others wait for it, they see that it runs.
    pub(crate) fn watch<'a>(&'a self, cx: &'a Context<'_>) -> BodyPoll<'a> {
        let poll = match &self.watch {
            Some(watch) => watch.start(cx),
            None => BodyPoll::unwatched(cx),
        };
        poll.within(&self.span)
    }

    /// The body returned.
    pub(crate) fn end_body(&self) {
        let took = self.runs_since.elapsed();
        self.state.counters.load_times.record(took);
        #[cfg(feature = "metrics")]
        metrics::load_took(self.entry.function.prefix, true, took);
    }

    /// The body returned an error.
    pub(crate) fn failed(self, error: Option<SharedError>) {
        self.state.counters.load_errors.add(1);
        self.span.ends("error", "body");
        match (self.leader, error) {
            (Some(leader), Some(error)) => leader.share(FlightResult::Error(error), self.departed),
            (Some(leader), None) => leader.fail(),
            (None, _) => {}
        }
    }

    /// The body returned a value: it is kept, unless something was moved meanwhile, and shared.
    pub(crate) fn ended(mut self, loaded: Loaded) {
        self.span.ends("miss", "body");
        let Loaded {
            value,
            is_null,
            bytes,
            life,
            is_excluded,
        } = loaded;
        let entry = self.entry.clone();
        let settings = &entry.cache.client.settings;
        let policy = entry.policy();
        let life = policy.life(is_null, || life, settings);
        if let (Some(life), false) = (life, is_excluded) {
            let keep = Keep {
                value: Arc::clone(&value),
                life,
                bytes,
                prefix: entry.function.prefix,
            };
            let counters = &self.state.counters;
            let fills = self.leader.as_ref().map(Leader::fill_departs);
            if entry.cache.local.keep(entry.name(), self.sample, keep) {
                counters.stores.add(1);
                // Nothing was moved up to here, so it is current for those who joined after the body began.
                self.departed = fills.unwrap_or_default();
            } else {
                counters.refused.add(1);
            }
        }
        if let Some(leader) = self.leader {
            leader.share(FlightResult::Kept(value), self.departed);
        }
    }
}
