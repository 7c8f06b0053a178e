//! A call of a cached function, from its key to its return value.

use crate::cache::call_mode::{self, CallMode};
use crate::cache::call_status::Reporting;
use crate::cache::{
    Answer, BypassReason, CLUSTER, Cacheable, CachedCall, CachedFunction, ClusterFlight, KEEPER,
    Keeper, Place, Policy, ReturnKind, StaleAnswer, Started,
};
use crate::client::tags::Tags;
use crate::entry::{AllEntries, Entry, EntryRef, Invalidation};
use crate::key::{Key, Tag};
use crate::local::Value;
use crate::pond::Millpond;
use crate::scope;
use crate::value;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// One call: which function, which key, under which cache.
#[derive(Debug)]
pub struct Call {
    function: &'static CachedFunction,
    key: Key,
    pond: Option<Millpond>,
    owner: Option<&'static str>,
    when: bool,
    tags: Vec<Tag>,
    keeper: Option<&'static Keeper>,
    cluster: Option<&'static ClusterFlight>,
}

impl Call {
    /// A call of this function for this key, in the current cache.
    #[inline]
    pub fn new(function: &'static CachedFunction, key: Key) -> Self {
        Self {
            function,
            key,
            pond: None,
            owner: None,
            when: true,
            tags: Vec::new(),
            keeper: None,
            cluster: None,
        }
    }

    /// What is loaded is kept in this process, too.
    #[must_use]
    pub fn near(mut self) -> Self {
        self.keeper = Some(&KEEPER);
        self
    }

    /// In this cache instead.
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// In an `impl` for the type of this name, or in a trait that it implements.
    #[must_use]
    pub fn of(mut self, owner: &'static str) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Around the cache unless this holds.
    #[must_use]
    pub fn when(mut self, yes: bool) -> Self {
        self.when = yes;
        self
    }

    /// Stored under this tag.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    /// One load of the key serves all processes.
    #[must_use]
    pub fn in_cluster(mut self) -> Self {
        self.cluster = Some(&CLUSTER);
        self
    }

    fn take_tags(&mut self) -> Tags {
        let mut tags = std::mem::take(&mut self.tags);
        if self.function.all {
            tags.push(self.function.all_tag());
        }
        Tags::new(tags, self.function.tags_of)
    }

    fn policy(&self) -> Policy {
        Policy::of(self.function)
    }

    fn into_reference(mut self) -> EntryRef {
        let policy = self.policy();
        let tags = self.take_tags();
        EntryRef {
            cache: Arc::clone(&self.pond.unwrap_or_else(scope::current).0.cache),
            key: self.key,
            policy,
            tags,
            function: Some(self.function),
        }
    }

    /// The call, unless it goes around the cache; and who wants to know what it comes to.
    fn begin(self, value_type: &'static str) -> (Option<CachedCall>, Reporting) {
        let (mode, reporting) = call_mode::take();
        match self.begin_as(mode, value_type) {
            Ok(call) => (Some(call), reporting),
            Err(reason) => {
                reporting.bypassed(reason);
                (None, reporting)
            }
        }
    }

    fn begin_as(
        mut self,
        mode: Option<CallMode>,
        value_type: &'static str,
    ) -> Result<CachedCall, BypassReason> {
        if let Some(reason) = bypassed(mode, self.when) {
            return Err(reason);
        }
        let policy = self.policy();
        let tags = self.take_tags();
        #[cfg(feature = "catalogue")]
        let is_without_own = self.pond.is_none();
        let pond = self.pond.unwrap_or_else(scope::current);
        let cache = Arc::clone(&pond.0.cache);
        let registry = &cache.client.registry;
        let (function, is_first) =
            cache
                .functions
                .state(self.function, value_type, self.owner, || {
                    registry.counters_of_function(self.function.prefix)
                });
        #[cfg(feature = "catalogue")]
        if is_first && is_without_own && !scope::is_scoped() {
            crate::catalogue::report_once();
        }
        let lacks_key = policy.encoding.encrypt && cache.client.codec.lacks_key();
        if lacks_key && is_first {
            let (prefix, error) = (self.function.prefix, crate::keyring::no_key());
            tracing::error!(prefix, %error, "a function runs uncached");
        }
        let counters = Arc::clone(&function.counters);
        if lacks_key {
            counters.bypassed.add(1);
            return Err(BypassReason::NoEncryptionKey);
        }
        Ok(CachedCall {
            cache,
            key: self.key,
            policy,
            tags,
            counters,
            function: Some(function),
            refresh: mode == Some(CallMode::Refresh),
            keeper: self.keeper,
            cluster: self.cluster,
        })
    }
}

/// Why a call goes around the cache, if it does.
#[inline]
pub(super) fn bypassed(mode: Option<CallMode>, when: bool) -> Option<BypassReason> {
    if !when {
        Some(BypassReason::When)
    } else if mode == Some(CallMode::Uncached) {
        Some(BypassReason::Uncached)
    } else {
        scope::is_bypassed().then_some(BypassReason::Scope)
    }
}

/// Answers a call from the cache, or runs the body and stores what it returns. To be called when the
/// answer is about to be polled: which cache is used depends on what is around that poll.
pub fn cached<K, F>(
    call: Call,
    cacheable: Cacheable<K>,
    unless: fn(&K::Value) -> bool,
    body: F,
) -> Answer<K, F>
where
    K: ReturnKind,
    F: Future<Output = K::Return>,
{
    let call = call.begin(cacheable.value_type);
    Answer::new(call, cacheable, unless, body)
}

/// As [`cached`], where values may be old: the body is started when it is known where it runs.
pub fn cached_or_stale<K, F, S>(
    call: Call,
    cacheable: Cacheable<K>,
    unless: fn(&K::Value) -> bool,
    start: S,
) -> StaleAnswer<K, F, S>
where
    K: ReturnKind + Send + 'static,
    F: Future<Output = K::Return>,
    S: FnOnce(Place) -> Started<F, K::Return>,
{
    let call = call.begin(cacheable.value_type);
    StaleAnswer::new(call, cacheable, unless, scope::carried, start)
}

/// The entry of a call.
pub fn entry<R>(call: Call) -> Entry<R> {
    Entry::new(call.into_reference())
}

/// The entry of a call of a function with `local = "5s"`. Who finds the value through it learns of `near` how this process keeps
/// it.
pub fn near_entry<R>(call: Call, near: fn() -> Option<Value>) -> Entry<R> {
    entry(call).near(near)
}

/// Invalidates the entry of a call.
#[expect(
    clippy::needless_pass_by_value,
    reason = "generated code hands over what it made"
)]
pub fn invalidate<R>(entry: Entry<R>) -> Invalidation {
    entry.invalidate()
}

/// Every entry of a function with `all`, in this cache or the current one.
pub fn all_entries(function: &'static CachedFunction, pond: Option<&Millpond>) -> AllEntries {
    let pond = pond.cloned().unwrap_or_else(scope::current);
    AllEntries {
        cache: Arc::clone(&pond.0.cache),
        tag: function.all_tag(),
        is_near: function.near().is_some(),
    }
}

/// Invalidates a tag.
pub fn invalidate_tag(tag: &Tag) -> Invalidation {
    tag.invalidate()
}

/// What `ttl_of` says of a value with this plain form; nothing if it cannot be read.
pub fn lifetime_of<T: DeserializeOwned>(plain: &[u8], of: fn(&T) -> Duration) -> Option<Duration> {
    value::decode(plain).ok().map(|value| of(&value))
}

/// What `tags_of` says of a value with this plain form; nothing if it cannot be read.
pub fn tags_of_value<T, I>(plain: &[u8], of: fn(&T) -> I) -> Option<Vec<Tag>>
where
    T: DeserializeOwned,
    I: IntoIterator<Item = Tag>,
{
    let value = value::decode(plain).ok()?;
    Some(of(&value).into_iter().collect())
}

/// Holds `tags_of = path` to the type that is cached; that it gives tags, [`tags_of_value`] asks.
pub fn gives_tags<K: ReturnKind, I>(_: K, _: fn(&K::Value) -> I) {}

/// Holds `ttl_of = path` to the type that is cached.
pub fn takes_value<K: ReturnKind>(_: K, _: fn(&K::Value) -> Duration) {}
