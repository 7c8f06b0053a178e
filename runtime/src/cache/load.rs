//! One load: the read, the body that runs if it found nothing, and the guarded fill.

use super::background::Begun;
use super::call_status::{BypassReason, CallStatus};
use super::flight::{Departure, FlightResult, Leader, SharedError};
use super::known_functions::FunctionState;
use super::lease::Lease;
use super::liveness::{BodyPoll, Watch, Watched};
use super::near::Near;
use super::policy::Policy;
use super::span::LoadSpan;
use super::staleness::Freshness;
use super::state::Cache;
use crate::client::guard::{self, Observed};
use crate::client::outage::Step;
use crate::client::tags::Tags;
use crate::client::value_tags::Sampled;
use crate::clock::Moment;
use crate::codec::Times;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::local::Value;
#[cfg(feature = "metrics")]
use crate::metrics;
use crate::runtime::{self, BoxFuture, Instant};
use crate::stats::Counters;
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// What to do for one call.
pub(crate) enum Entered {
    /// The plain form of a value, from another caller's load, and what a call that returns it comes to.
    Shared(Bytes, CallStatus),
    /// The error of another caller's load.
    Failed(SharedError),
    /// The plain form of a value. It was found by this call, which says whether it is one.
    Found(Bytes, Box<Load>),
    /// Run the body, and say what came of it.
    Load(Box<Load>),
    /// Run the body; nobody wants to know.
    Alone(BypassReason),
}

/// A body that is about to run, and everything its result needs. It is large: where it goes from step to step it is in a
/// box, or each step would copy it.
pub(crate) struct Load {
    pub(super) cache: Arc<Cache>,
    pub(super) key: Key,
    pub(super) full: FullKey,
    pub(super) counters: Arc<Counters>,
    pub(super) function: Option<Arc<FunctionState>>,
    pub(super) policy: Policy,
    pub(super) tags: Tags,
    pub(super) leader: Option<Leader>,
    /// When the step left on which the result rests: the read, then the body.
    pub(super) departed: Departure,
    /// What the read saw; nothing if it failed, and then nothing is stored.
    pub(super) observed: Option<Observed>,
    /// The nonces of tags that come from the value, where they were read before the body.
    pub(super) sampled: Sampled,
    pub(super) budget: Duration,
    pub(super) read_at: Moment,
    /// How one load serves all processes, if it does.
    pub(super) cluster: Option<&'static ClusterFlight>,
    /// Held while this is the load of the key in all processes.
    pub(super) lease: Option<Box<Lease>>,
    /// Whether a read is a part of the wait for another process's body, and not of that for the cache.
    pub(super) waits: bool,
    /// What shows to waiters that the body is polled.
    watch: Option<Watch>,
    /// When the body began, by the clock of this process, which no test moves.
    runs_since: Option<Instant>,
    /// What the value that was found is good for.
    pub(super) found: Found,
    /// An old value, for where the body fails.
    pub(super) stale: Option<Bytes>,
    /// When the body began.
    pub(super) began: Began,
    /// Where this runs in the background.
    pub(super) background: Option<Begun>,
    pub(super) span: LoadSpan,
    /// How this process keeps the value too, if it does.
    pub(super) keeper: Option<&'static Keeper>,
    pub(super) near: Option<Box<Near>>,
    /// What is loaded takes the place of what is there, which may be fresh.
    pub(super) refresh: bool,
}

/// What a function adds to its loads whose values this process keeps too. It is reached by these pointers alone, so that
/// a program without such a function does not contain it: at the edge each KB counts.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The read is about to leave.
    pub(super) sample: fn(&mut Load),
    /// What was found is kept.
    pub(super) keep_found: fn(&mut Load, &[u8], Option<Value>),
    /// This is to be kept, once it is stored.
    pub(super) will_keep: fn(&mut Load, Option<Value>),
    /// It is about to be stored, and then is good for as long as these say.
    pub(super) will_last: fn(&mut Load, Option<Times>),
    /// The step leaves that finds out whether the value is current.
    pub(super) departs: fn(&mut Load),
    /// What the body returned is stored: it is kept in the place of what this process had.
    pub(super) keep_stored: fn(&mut Load, &[u8]),
}

/// What a function adds to its loads of which one serves all processes. It is reached by these pointers alone, so that
/// a program without such a function does not contain it: at the edge each KB counts.
#[derive(Debug)]
pub(crate) struct ClusterFlight {
    /// Looks at what the read found, and takes the lease or waits for whoever has it.
    pub(super) look: fn(Box<Load>, Instant) -> BoxFuture<Entered>,
    /// Takes the lease for a load in the background; nothing if another process has it.
    pub(super) background: fn(Box<Load>) -> BoxFuture<Option<Box<Load>>>,
}

/// What is known of a value beside its plain form.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) freshness: Freshness,
    pub(super) times: Option<Times>,
    /// When the read left that found it.
    pub(super) read: Departure,
}

/// When a body began.
#[derive(Clone, Copy, Default)]
pub(super) struct Began {
    /// By the clock of the server, in ms since the Unix epoch, at the earliest.
    pub(super) server: u64,
    /// By the monotonic clock.
    pub(super) monotonic: Duration,
}

impl Load {
    pub(super) fn new(
        cache: Arc<Cache>,
        key: Key,
        full: FullKey,
        counters: Arc<Counters>,
        function: Option<Arc<FunctionState>>,
        policy: Policy,
        tags: Tags,
    ) -> Self {
        let budget = cache.client.settings.budget;
        Self {
            cache,
            key,
            full,
            counters,
            function,
            policy,
            tags,
            leader: None,
            departed: Departure::default(),
            observed: None,
            sampled: Sampled::new(),
            budget,
            read_at: Moment::default(),
            cluster: None,
            lease: None,
            waits: false,
            watch: None,
            runs_since: None,
            found: Found {
                freshness: Freshness::Fresh,
                times: None,
                read: Departure::default(),
            },
            stale: None,
            began: Began::default(),
            background: None,
            span: LoadSpan::none(),
            keeper: None,
            near: None,
            refresh: false,
        }
    }

    /// Another load of the same key, which nobody waits for.
    pub(super) fn without_leader(&self) -> Self {
        let mut other = Self::new(
            Arc::clone(&self.cache),
            self.key.clone(),
            self.full.clone(),
            Arc::clone(&self.counters),
            self.function.clone(),
            self.policy,
            self.tags.clone(),
        );
        other.read_at = self.read_at;
        other.found = self.found;
        other.cluster = self.cluster;
        other.keeper = self.keeper;
        other
    }

    /// Reads the value and the guard; neither, where the call has waited for the cache long enough.
    pub(super) async fn read(mut self: Box<Self>, leader: Option<Leader>) -> Box<Self> {
        self.leader = leader;
        if self.policy.staleness.is_some() {
            let (client, mut budget) = (&self.cache.client, self.budget);
            let learn = client.learn_time_from(&self.counters, &mut budget);
            self.watched(learn).await;
            self.budget = budget;
        }
        if self.budget.is_zero() {
            return self;
        }
        let step = if self.waits {
            Leader::body_departs
        } else {
            Leader::read_departs
        };
        self.departed = self.departs(step);
        if let Some(keeper) = self.keeper {
            (keeper.sample)(&mut self);
        }
        let clock = &self.cache.client.settings.clock;
        self.read_at = clock.now();
        let started = runtime::now();
        let (command, observed): (_, fn(_) -> _) = if self.policy.guard {
            (guard::read(&self.full), guard::observed)
        } else {
            (guard::read_unguarded(&self.full), guard::observed_unguarded)
        };
        let client = &self.cache.client;
        let observed = if self.tags.is_empty() {
            let read = client.settled(&self.full, &self.counters, command, self.budget);
            self.watched(read).await.and_then(observed)
        } else {
            let keys = client.tag_keys(&self.tags);
            let read = client.read_tagged(&self.full, &keys, &self.counters, self.budget);
            self.watched(Box::pin(read)).await
        };
        self.budget = self.budget.saturating_sub(started.elapsed());
        self.has_observed(observed);
        self
    }

    /// Takes what the read saw.
    pub(super) fn has_observed(&mut self, observed: Result<Observed, Error>) {
        self.observed = match observed {
            Ok(observed) => {
                self.cache.client.outages.succeeded(Step::Read);
                Some(observed)
            }
            Err(error) => {
                self.report(Step::Read, &error);
                None
            }
        };
    }

    pub(super) fn departs(&self, step: fn(&Leader) -> Departure) -> Departure {
        self.leader.as_ref().map(step).unwrap_or_default()
    }

    /// Runs a step so that waiters see that it is polled.
    pub(super) fn watched<F: Future>(&self, step: F) -> Watched<F> {
        Watched::new(self.leader.as_ref().map(Leader::watch), step)
    }

    /// What was found is a value of the right type, and is returned. Where it is to be loaded again, that load
    /// comes back.
    pub(crate) fn hit(
        &mut self,
        bytes: Bytes,
        null: bool,
        value: Option<Value>,
    ) -> Option<Box<Self>> {
        let freshness = self.found.freshness;
        if freshness == Freshness::Fresh
            && let Some(keeper) = self.keeper
        {
            (keeper.keep_found)(self, &bytes, value);
        }
        let result = match (freshness.is_fresh(), null) {
            (true, false) => "hit",
            (true, true) => "null",
            (false, _) => "stale",
        };
        if freshness.is_fresh() {
            self.counters.hit(null);
        } else {
            self.counters.stale.add(1);
            if self.is_pausing() && !self.is_loading_already() {
                self.say_load_failed();
            }
        }
        self.ends_with_found(result);
        let outages = &self.cache.client.outages;
        outages.succeeded_for(Step::Decode, self.key.prefix());
        let loads_again = matches!(freshness, Freshness::Ahead | Freshness::Revalidate);
        let again = loads_again.then(|| self.again()).flatten();
        let result = if freshness.is_fresh() {
            FlightResult::Value(bytes)
        } else {
            FlightResult::Old(bytes, self.found_age())
        };
        self.share(result);
        again
    }

    /// What was found is no value of the type: a miss, to be overwritten.
    pub(crate) fn garbage(&self, what: &str) {
        self.cannot_be_read(what);
        self.missed();
    }

    /// Counts a miss, unless this runs in the background of a call that was answered.
    pub(super) fn missed(&self) {
        if self.background.is_none() {
            self.counters.misses.add(1);
        }
    }

    /// Counts that what was found is no value, and says so.
    pub(super) fn cannot_be_read(&self, what: &str) {
        self.counters.decode_failures.add(1);
        if let Some(function) = &self.function {
            function.found_garbage();
        }
        let outages = &self.cache.client.outages;
        outages.failed_for(Step::Decode, self.key.prefix(), Some(what));
    }

    /// The body is about to run.
    pub(crate) fn begin_body(&mut self) {
        self.counters.loads.add(1);
        self.departed = self.departs(Leader::body_departs);
        if self.policy.staleness.is_some() {
            self.began = Began {
                server: self.cache.client.time().earliest,
                monotonic: self.cache.client.settings.clock.monotonic(),
            };
        }
        self.watch = self.leader.as_ref().map(Leader::watch);
        self.runs_since = Some(runtime::now());
    }

    /// The body returned.
    pub(crate) fn end_body(&self) {
        let Some(took) = self.runs_since.map(|since| since.elapsed()) else {
            return;
        };
        if self.stale.is_some() {
            // The old value was not needed. Where it is, the call counts as stale.
            self.counters.misses.add(1);
        }
        self.counters.load_times.record(took);
        #[cfg(feature = "metrics")]
        metrics::load_took(self.key.prefix(), self.counters.is_declared(), took);
    }

    /// What a call comes to whose body returned.
    pub(super) fn loaded_status(&self) -> CallStatus {
        match self.observed {
            Some(_) => CallStatus::Loaded,
            None => CallStatus::Bypassed(BypassReason::NoAnswer),
        }
    }

    /// The body returned a value.
    pub(super) fn has_loaded(&self) {
        let outages = &self.cache.client.outages;
        outages.succeeded_for(Step::Load, self.key.prefix());
        self.span.ends("miss", "body");
    }

    /// One poll of the body.
    pub(crate) fn watch<'a>(&'a self, cx: &'a Context<'_>) -> BodyPoll<'a> {
        let poll = match &self.watch {
            Some(watch) => watch.start(cx),
            None => BodyPoll::unwatched(cx),
        };
        poll.within(&self.span)
    }

    /// The load ends without a value that other processes find.
    pub(super) fn has_no_value(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.without_value();
        }
    }

    /// The body returned an error.
    pub(crate) fn failed(mut self, error: Option<SharedError>) {
        self.counters.load_errors.add(1);
        self.span.ends("error", "body");
        self.has_no_value();
        match error {
            Some(error) => self.share(FlightResult::Error(error)),
            None => self.fail(),
        }
    }

    /// The body returned something that is not to be stored, but may be shared.
    pub(crate) fn keep(mut self, bytes: Bytes) {
        self.has_no_value();
        self.share(FlightResult::Value(bytes));
    }

    /// Whether other callers wait for what comes of this.
    pub(crate) fn is_awaited(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::has_waiters)
    }

    /// What the body returned is not stored and cannot be shared.
    pub(crate) fn not_stored(mut self) {
        self.has_no_value();
        self.fail();
    }

    /// Gives this to callers who joined before the step left on which it rests.
    pub(super) fn share(&mut self, result: FlightResult) {
        if let Some(leader) = self.leader.take() {
            leader.share(result, self.departed);
        }
    }

    /// Nobody else can use what the body returned.
    fn fail(self) {
        if let Some(leader) = self.leader {
            leader.fail();
        }
    }

    /// Those who still wait start again.
    pub(super) fn restart(self) {
        if let Some(leader) = self.leader {
            leader.restart();
        }
    }

    pub(super) fn report(&self, step: Step, error: &Error) {
        self.counters.errors.add(1);
        let prefix = self.key.prefix();
        if error.kind() == ErrorKind::Config {
            // Was said when the configuration was read.
            tracing::debug!(prefix, ?step, %error, "the cache is not configured");
        } else {
            self.cache.client.outages.failed(step, prefix, error);
        }
    }
}
