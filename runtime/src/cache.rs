//! The read path: `key → flight → store → open → decode → body → encode → seal → store`.
//!
//! Everything here is compiled once; what depends on the function's types is in `answer`.

mod answer;
mod cacheable;
mod cached_function;
pub(crate) mod call_mode;
pub(crate) mod flight;
mod key_form;
mod known_functions;
mod liveness;
mod return_kind;
mod state;

pub use answer::{Answer, never};
pub use cacheable::{CacheValue, Cacheable, CacheableKind, cacheable};
pub use cached_function::{CachedFunction, check_prefix};
pub use call_mode::{refresh, uncached};
pub(crate) use return_kind::Nested;
pub use return_kind::{Fallible, Plain, ReturnKind, Shareable};

use crate::client::Client;
use crate::client::guard::{self, Observed};
use crate::client::outage::Step;
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::reply;
use crate::runtime;
use crate::stats::Counters;
use crate::value::{self, ErasedValue};
use bytes::Bytes;
pub(crate) use flight::SharedError;
use flight::{Departure, FlightResult, Leader, Patience, Role, Waited};
use known_functions::FunctionState;
use liveness::{BodyPoll, Watch};
pub(crate) use state::Cache;
use std::future::Future;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// One call of a cached function: what it looks up, and under which rules.
pub(crate) struct CachedCall {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) counters: Arc<Counters>,
    /// What is remembered of the function; nothing for values by hand.
    pub(crate) function: Option<Arc<FunctionState>>,
    /// Load and store anew, whatever is there.
    pub(crate) refresh: bool,
}

/// The rules of one cached function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) ttl: Duration,
    pub(crate) null_ttl: Option<Duration>,
    pub(crate) flight: bool,
    pub(crate) encoding: Encoding,
}

impl Policy {
    /// The defaults of `#[cached]`, for values by hand.
    pub(crate) fn by_hand(ttl: Duration) -> Self {
        Self {
            ttl,
            null_ttl: Some(ttl.min(crate::ttl::SHORT)),
            flight: true,
            encoding: Encoding::default(),
        }
    }
}

/// What to do for one call.
pub(crate) enum Entered {
    /// The plain form of a value, from another caller's load.
    Shared(Bytes),
    /// The error of another caller's load.
    Failed(SharedError),
    /// The plain form of a value. It was found by this call, which says whether it is one.
    Found(Bytes, Load),
    /// Run the body, and say what came of it.
    Load(Load),
    /// Run the body; nobody wants to know.
    Alone,
}

/// A body that is about to run, and everything its result needs.
pub(crate) struct Load {
    cache: Arc<Cache>,
    key: Key,
    full: FullKey,
    counters: Arc<Counters>,
    function: Option<Arc<FunctionState>>,
    policy: Policy,
    leader: Option<Leader>,
    /// When the step left on which the result rests: the read, then the body.
    departed: Departure,
    /// What the read saw; nothing if it failed, and then nothing is stored.
    observed: Option<Observed>,
    budget: Duration,
    read_at: Duration,
    /// What shows to waiters that the body is polled.
    watch: Option<Watch>,
}

impl CachedCall {
    /// What the embedded engine can say at once: there is nothing to wait for, nothing to share.
    /// Without an answer, [`enter`](Self::enter).
    pub(crate) fn peek(&self) -> Option<Bytes> {
        let Cache {
            client, flights, ..
        } = &*self.cache;
        let Client { store, pending, .. } = &**client;
        if self.refresh || pending.len() > 0 || self.key.check().is_err() {
            return None;
        }
        let name = self.cache.client.name(&self.key);
        if flights.leads(&name) {
            return None;
        }
        let value = store.as_ref().ok()?.peek(name.as_bytes())?;
        self.counters.commands.add(1);
        let encrypted = self.policy.encoding.encrypt;
        let opened = self
            .cache
            .client
            .codec
            .open_now(name.as_bytes(), value, encrypted);
        // What takes long is read again where others can run meanwhile.
        opened?.ok()
    }

    /// Looks the key up, or waits for who does.
    pub(crate) async fn enter(self) -> Entered {
        let counters = &self.counters;
        if let Err(error) = self.key.check() {
            let prefix = self.key.prefix();
            if self.function.as_ref().is_none_or(|it| it.says_unusable()) {
                tracing::warn!(prefix, %error, "called without the cache");
            } else {
                tracing::debug!(prefix, %error, "called without the cache");
            }
            counters.bypassed.add(1);
            return Entered::Alone;
        }
        if !runtime::in_runtime() && self.cache.client.needs_runtime() {
            self.cache.warn_outside();
            counters.bypassed.add(1);
            return Entered::Alone;
        }
        self.cache.client.deliver_in_background();
        let full = self.cache.client.full(&self.key);
        let name = full.text();
        if self.cache.flights.leads(&name) {
            // The body of a load asks for the key that it is loading.
            counters.bypassed.add(1);
            return Entered::Alone;
        }
        let load = Load::new(&self, full);
        if self.refresh || !self.policy.flight {
            let load = load.read(None).await;
            return if self.refresh {
                load.begin()
            } else {
                load.look().await
            };
        }
        self.fly(&name, load).await
    }

    /// Takes part in the flight of the key.
    async fn fly(&self, name: &str, mut load: Load) -> Entered {
        let settings = &self.cache.client.settings;
        let now = runtime::now();
        let leader = match self.cache.flights.join(name, now) {
            Role::Lead(leader) => leader,
            Role::Wait(_) if !runtime::in_runtime() => {
                // A wait has to have an end, and nothing keeps the time here.
                self.cache.warn_outside();
                load.counters.bypassed.add(1);
                return Entered::Alone;
            }
            Role::Wait(waiter) => {
                let mut patience = Patience {
                    until: now + settings.flight_wait,
                    cache: load.budget,
                };
                let end = waiter.wait(&mut patience).await;
                load.budget = patience.cache;
                match end {
                    Waited::Leads(leader) => leader,
                    Waited::GoesAlone => return Entered::Alone,
                    Waited::Shared(result) => {
                        load.counters.shared.add(1);
                        return match result {
                            FlightResult::Value(bytes) => Entered::Shared(bytes),
                            FlightResult::Error(error) => Entered::Failed(error),
                        };
                    }
                }
            }
        };
        load.read(Some(leader)).await.look().await
    }
}

impl Load {
    fn new(call: &CachedCall, full: FullKey) -> Self {
        Self {
            cache: Arc::clone(&call.cache),
            key: call.key.clone(),
            full,
            counters: Arc::clone(&call.counters),
            function: call.function.clone(),
            policy: call.policy,
            leader: None,
            departed: Departure::default(),
            observed: None,
            budget: call.cache.client.settings.budget,
            read_at: Duration::ZERO,
            watch: None,
        }
    }

    /// Reads the value and the guard; neither, where the call has waited for the cache long enough.
    async fn read(mut self, leader: Option<Leader>) -> Self {
        self.leader = leader;
        if self.budget.is_zero() {
            return self;
        }
        self.departed = self.departs(Leader::read_departs);
        let clock = &self.cache.client.settings.clock;
        self.read_at = clock.monotonic();
        let started = tokio::time::Instant::now();
        let reply = self
            .watched(self.cache.client.settled(
                &self.full,
                &self.counters,
                guard::read(&self.full),
                self.budget,
            ))
            .await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        self.observed = match reply.and_then(guard::observed) {
            Ok(observed) => {
                self.cache.client.outages.succeeded(Step::Read);
                Some(observed)
            }
            Err(error) => {
                self.report(Step::Read, &error);
                None
            }
        };
        self
    }

    /// Opens what the read found. What is compared at the fill stays as it was found.
    async fn look(self) -> Entered {
        let Some(stored) = self
            .observed
            .as_ref()
            .and_then(|observed| observed.value.clone())
        else {
            return self.begin();
        };
        let encrypted = self.policy.encoding.encrypt;
        let codec = &self.cache.client.codec;
        let opened = codec.open(&self.full.value, stored, encrypted);
        match self.watched(opened).await {
            Ok(plain) => Entered::Found(plain, self),
            Err(what) => Entered::Load(self.garbage(&what)),
        }
    }

    /// Counts a miss; the body comes next.
    fn begin(self) -> Entered {
        self.counters.misses.add(1);
        Entered::Load(self)
    }

    fn departs(&self, step: fn(&Leader) -> Departure) -> Departure {
        self.leader.as_ref().map(step).unwrap_or_default()
    }

    /// Runs a step so that waiters see that it is polled.
    async fn watched<F: Future>(&self, step: F) -> F::Output {
        match &self.leader {
            Some(leader) => leader.watch(step).await,
            None => step.await,
        }
    }

    /// What was found is a value of the right type.
    pub(crate) fn hit(self, bytes: Bytes, null: bool) {
        self.counters.hit(null);
        self.share(FlightResult::Value(bytes));
    }

    /// What was found is no value of the type: a miss, to be overwritten.
    pub(crate) fn garbage(self, what: &str) -> Self {
        self.counters.decode_failures.add(1);
        if let Some(function) = &self.function {
            function.found_garbage();
        }
        let prefix = self.key.prefix();
        tracing::warn!(
            prefix,
            what,
            "a cached value cannot be read and is loaded again"
        );
        self.counters.misses.add(1);
        self
    }

    /// The body is about to run.
    pub(crate) fn begin_body(mut self) -> Self {
        self.counters.loads.add(1);
        self.departed = self.departs(Leader::body_departs);
        self.watch = self.leader.as_ref().map(Leader::watch_body);
        self
    }

    /// One poll of the body.
    pub(crate) fn watch<'a>(&'a self, cx: &'a Context<'_>) -> BodyPoll<'a> {
        match &self.watch {
            Some(watch) => watch.start(cx),
            None => BodyPoll::unwatched(cx),
        }
    }

    /// The body returned an error.
    pub(crate) fn failed(self, error: Option<SharedError>) {
        self.counters.load_errors.add(1);
        match error {
            Some(error) => self.share(FlightResult::Error(error)),
            None => self.fail(),
        }
    }

    /// The body returned something that is not to be stored, but may be shared.
    pub(crate) fn keep(self, bytes: Bytes) {
        self.share(FlightResult::Value(bytes));
    }

    /// Whether other callers wait for what comes of this.
    pub(crate) fn is_awaited(&self) -> bool {
        self.leader.as_ref().is_some_and(Leader::has_waiters)
    }

    /// The plain form of what the body returned, if it may be stored and would be read back. What is
    /// stored is read back before: in debug builds always, else where others wait for it, and where something
    /// could not be read.
    pub(crate) fn plain_form(&self, value: &dyn ErasedValue) -> Option<Bytes> {
        let function = self.function.as_deref();
        if function.is_some_and(FunctionState::stores_no_more) {
            return None;
        }
        let plain = value::plain_form_of(value)
            .inspect_err(|error| self.unstorable(error))
            .ok()?;
        let exactly = cfg!(debug_assertions);
        // Whoever waits must be able to read it: otherwise all of them would run their bodies at once.
        if exactly || self.is_awaited() || function.is_some_and(FunctionState::is_suspect) {
            let survives = value::survives(value, &plain, exactly);
            match (&survives, function) {
                (Ok(()), Some(function)) => function.is_readable(),
                (Err(what), Some(function)) => self.unreadable(function, what),
                (Err(what), None) => {
                    self.unstorable(&Error::new(ErrorKind::Decode, what.clone()));
                }
                (Ok(()), None) => {}
            }
            survives.ok()?;
        }
        Some(plain)
    }

    fn unreadable(&self, function: &FunctionState, what: &str) {
        self.counters.encode_failures.add(1);
        let prefix = self.key.prefix();
        if function.is_unreadable() {
            tracing::warn!(
                prefix,
                what,
                "the values of a function cannot be read back from JSON, so it stores no more of them; \
                 change its type, or take the attribute off"
            );
        } else {
            tracing::debug!(
                prefix,
                what,
                "a result would not be read back and is not stored"
            );
        }
    }

    fn unstorable(&self, error: &Error) {
        let says = self.function.as_ref().is_none_or(|it| it.says_unstorable());
        unstorable(&self.counters, &self.key, error, says);
    }

    /// What the body returned is not stored and cannot be shared.
    pub(crate) fn not_stored(self) {
        self.fail();
    }

    /// Stores a value, if nothing moved since the read.
    pub(crate) async fn store(mut self, plain: Bytes, null: bool) {
        let ttl = match (null, self.policy.null_ttl) {
            (false, _) => self.policy.ttl,
            (true, Some(ttl)) => ttl,
            (true, None) => return self.keep(plain),
        };
        if self.leader.as_ref().is_some_and(Leader::is_out_of_date) {
            self.counters.refused.add(1);
            return self.keep(plain);
        }
        let (Some(observed), Ok(life)) = (self.observed.take(), crate::ttl::lifetime(ttl)) else {
            return self.keep(plain);
        };
        let settings = &self.cache.client.settings;
        if settings.clock.monotonic().saturating_sub(self.read_at) > settings.guard_life / 2 {
            self.counters.too_slow.add(1);
            tracing::warn!(
                prefix = self.key.prefix(),
                "a load took too long to be cached safely"
            );
            return self.keep(plain);
        }
        let encoding = self.policy.encoding;
        let codec = &self.cache.client.codec;
        let stored = codec.stored_form(&self.full, plain.clone(), encoding);
        let stored = match self.watched(stored).await {
            Ok(stored) => stored,
            Err(error) => {
                self.unstorable(&error);
                return self.keep(plain);
            }
        };
        // Whoever joined before the body left gets the value whatever becomes of the fill: it is as
        // current for them as for this caller.
        if let Some(leader) = &self.leader {
            leader.deliver(&FlightResult::Value(plain.clone()), self.departed);
        }
        let before = self.watched(observed.sha1()).await;
        let filled = self.departs(Leader::fill_departs);
        let fill = guard::fill(&self.full, &observed, before, stored, life);
        self.counters.commands.add(1);
        let within = self.budget.max(Duration::from_millis(1));
        let reply = self
            .watched(self.cache.client.send(vec![fill], within))
            .await
            .pop();
        match reply
            .unwrap_or_else(|| Err(reply::no_reply()))
            .and_then(|reply| reply::int(&reply))
        {
            Ok(1) => {
                self.cache.client.outages.succeeded(Step::Fill);
                self.counters.stores.add(1);
                // The script compared the guard, so the value was current when the fill left.
                self.departed = filled;
                self.share(FlightResult::Value(plain));
            }
            Ok(_) => {
                self.counters.refused.add(1);
                self.restart();
            }
            Err(error) => {
                self.report(Step::Fill, &error);
                self.keep(plain);
            }
        }
    }

    /// Gives this to callers who joined before the step left on which it rests.
    fn share(self, result: FlightResult) {
        if let Some(leader) = self.leader {
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
    fn restart(self) {
        if let Some(leader) = self.leader {
            leader.restart();
        }
    }

    fn report(&self, step: Step, error: &Error) {
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

/// A result cannot be stored, and its caller does not want to know.
pub(crate) fn unstorable(counters: &Counters, key: &Key, error: &Error, says: bool) {
    counters.encode_failures.add(1);
    let prefix = key.prefix();
    if error.kind() == ErrorKind::Config || !says {
        // Is said once for each function.
        tracing::debug!(prefix, %error, "a result cannot be cached");
    } else {
        tracing::warn!(prefix, %error, "a result cannot be cached");
    }
}
