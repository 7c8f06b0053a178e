//! A call of a cached function, from its key to its return value.

use crate::cache::call_mode::{self, CallMode};
use crate::cache::{Answer, Cacheable, CachedCall, CachedFunction, Policy, ReturnKind};
use crate::entry::{Entry, EntryRef, Invalidation};
use crate::key::Key;
use crate::pond::Millpond;
use crate::scope;
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
        let registry = &cache.client.registry;
        let (function, is_first) =
            cache
                .functions
                .state(self.function, value_type, self.owner, || {
                    registry.counters_of_function(self.function.prefix)
                });
        let lacks_key = policy.encoding.encrypt && cache.client.codec.lacks_key();
        if lacks_key && is_first {
            let (prefix, error) = (self.function.prefix, crate::keyring::no_key());
            tracing::error!(prefix, %error, "a function runs uncached");
        }
        let counters = Arc::clone(&function.counters);
        if lacks_key {
            counters.bypassed.add(1);
            return None;
        }
        Some(CachedCall {
            cache,
            key: self.key,
            policy,
            counters,
            function: Some(function),
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
