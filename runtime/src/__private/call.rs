//! A call of a cached function, from its key to its return value.

use super::cached_function::CachedFunction;
use crate::cache::call_mode::{self, CallMode};
use crate::cache::{Answer, Cache, Cacheable, CachedCall, Policy, ReturnKind};
use crate::entry::{Entry, EntryRef, Invalidation};
use crate::key::Key;
use crate::pond::Millpond;
use crate::scope;
use crate::stats::Counters;
use crate::sync;
use std::future::Future;
use std::sync::Arc;

/// One call: which function, which key, under which cache.
#[derive(Debug)]
pub struct Call {
    function: &'static CachedFunction,
    key: Key,
    pond: Option<Millpond>,
    owner: Option<&'static str>,
    when: bool,
}

impl Call {
    /// A call of this function for this key, in the current cache.
    pub fn new(function: &'static CachedFunction, key: Key) -> Self {
        Self {
            function,
            key,
            pond: None,
            owner: None,
            when: true,
        }
    }

    /// In this cache instead.
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// In an `impl` for this type, or in a trait that it implements.
    #[must_use]
    pub fn of<Owner: ?Sized>(mut self) -> Self {
        self.owner = Some(std::any::type_name::<Owner>());
        self
    }

    /// Around the cache unless this holds.
    #[must_use]
    pub fn when(mut self, yes: bool) -> Self {
        self.when = yes;
        self
    }

    fn policy(&self) -> Policy {
        let CachedFunction {
            ttl,
            null_ttl,
            flight,
            encoding,
            ..
        } = *self.function;
        Policy {
            ttl,
            null_ttl,
            flight,
            encoding,
        }
    }

    fn into_reference(self) -> EntryRef {
        let policy = self.policy();
        EntryRef {
            cache: Arc::clone(&self.pond.unwrap_or_else(scope::current).0.cache),
            key: self.key,
            policy,
        }
    }

    /// The call, unless it goes around the cache.
    fn begin(self, value_type: &'static str) -> Option<CachedCall> {
        let mode = call_mode::take();
        if !self.when || mode == Some(CallMode::Uncached) || scope::is_bypassed() {
            return None;
        }
        let policy = self.policy();
        let pond = self.pond.unwrap_or_else(scope::current);
        let cache = Arc::clone(&pond.0.cache);
        let counters = cache.counters(self.function, value_type, self.owner);
        if policy.encoding.encrypt && cache.client.codec.lacks_key() {
            counters.bypassed.add(1);
            return None;
        }
        Some(CachedCall {
            cache,
            key: self.key,
            policy,
            counters,
            refresh: mode == Some(CallMode::Refresh),
        })
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
    let call = call.begin(std::any::type_name::<K::Value>());
    Answer::new(call, cacheable, unless, body)
}

impl Cache {
    /// The counters of a function. Its first call also reports two functions that share keys but
    /// not a type, one function that shares keys between two types, and a key for encryption that is missing.
    fn counters(
        &self,
        function: &'static CachedFunction,
        kind: &'static str,
        owner: Option<&'static str>,
    ) -> Arc<Counters> {
        let id = (
            std::ptr::from_ref(function) as usize,
            kind.as_ptr() as usize,
            owner.map_or(0, |owner| owner.as_ptr() as usize),
        );
        if let Some(counters) = sync::read(&self.checked).get(&id) {
            return Arc::clone(counters);
        }
        let counters = self.client.registry.counters(function.prefix);
        let mut checked = sync::write(&self.checked);
        let is_first = checked.insert(id, Arc::clone(&counters)).is_none();
        drop(checked);
        if is_first && function.encoding.encrypt && self.client.codec.lacks_key() {
            let (prefix, error) = (function.prefix, crate::keyring::no_key());
            tracing::error!(prefix, %error, "a function runs uncached");
        }
        if let Some(owner) = owner {
            self.check_owner(function, owner);
        }
        let mut types = sync::lock(&self.types);
        let first = *types.entry(function.keys()).or_insert(kind);
        if first != kind {
            tracing::error!(
                prefix = function.prefix,
                function = function.name,
                template = function.template,
                first,
                second = kind,
                "two functions cache different types under the same keys; give one of them \
                 another prefix or key"
            );
        }
        counters
    }
}

impl Cache {
    /// What a macro cannot see: `impl<T> Repo<T>` is one `impl` for many types, as a default method of a trait is one
    /// method. Where the key does not tell them apart, each answers with the other's values.
    fn check_owner(&self, function: &'static CachedFunction, owner: &'static str) {
        let mut owners = sync::lock(&self.owners);
        let known = owners
            .entry((function.name, function.keys()))
            .or_insert(Some(owner));
        let Some(first) = known.filter(|first| *first != owner) else {
            return;
        };
        *known = None;
        drop(owners);
        tracing::error!(
            prefix = function.prefix,
            function = function.name,
            template = function.template,
            first,
            second = owner,
            "one function is called on two types under the same keys, so each gets the other's values; \
             put what tells them apart into the key or the prefix, or write skip(Self)"
        );
    }
}

/// The entry of a call.
pub fn entry<R>(call: Call) -> Entry<R> {
    Entry::new(call.into_reference())
}

/// Invalidates the entry of a call.
#[expect(
    clippy::needless_pass_by_value,
    reason = "generated code hands over what it made"
)]
pub fn invalidate<R>(entry: Entry<R>) -> Invalidation {
    entry.invalidate()
}
