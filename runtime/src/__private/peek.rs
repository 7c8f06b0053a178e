//! The beginning of a call in the embedded engine: a value that is there, and needs nothing but to be read, ends it before
//! there is a call.

#![expect(
    clippy::inline_always,
    reason = "what is known of a function at compile time is used up"
)]

use crate::cache::{Cache, Cacheable, CachedFunction, FunctionState, ReturnKind, call_mode};
use crate::json::JsonText;
use crate::key::ShortKey;
use crate::pond::Millpond;
use crate::scope;
use crate::value;
use std::sync::Arc;

/// The embedded engine, for a call of which nothing else is asked.
#[derive(Debug)]
pub struct Peek<'a> {
    cache: Found<'a>,
    owner: Option<&'static str>,
}

#[derive(Debug)]
enum Found<'a> {
    Here(&'a Cache),
    InScope(Arc<Cache>),
}

impl<'a> Peek<'a> {
    /// Nothing where there is another engine, or more to see to.
    #[inline(always)]
    pub fn at(pond: Option<&'a Millpond>, when: bool) -> Option<Self> {
        if cfg!(target_arch = "wasm32") || !when || !call_mode::requested().is_nothing() {
            return None;
        }
        let cache = match scope::without_scope(pond) {
            Some(pond) if pond.0.cache.can_peek() => Found::Here(&pond.0.cache),
            Some(_) => return None,
            None => Found::InScope(in_scope(pond)?),
        };
        Some(Self { cache, owner: None })
    }

    /// In an `impl` for the type of this name, or in a trait that it implements.
    #[inline(always)]
    #[must_use]
    pub fn of(mut self, owner: &'static str) -> Self {
        self.owner = Some(owner);
        self
    }

    /// What the call returns, if it is there.
    #[inline(always)]
    pub fn look<K: ReturnKind>(
        self,
        function: &'static CachedFunction,
        key: ShortKey,
        cacheable: &Cacheable<K>,
    ) -> Option<K::Return> {
        let mut found = None;
        let read = &mut |json: &mut JsonText<'_>| (cacheable.read)(json, &mut found);
        if !self.reads(function, key, cacheable.value_type, read) {
            return None;
        }
        found.map(|value| cacheable.kind.success(value))
    }

    fn reads(
        self,
        function: &'static CachedFunction,
        key: ShortKey,
        value_type: &'static str,
        read: &mut dyn FnMut(&mut JsonText<'_>) -> Result<(), serde_json::Error>,
    ) -> bool {
        let Self { owner, cache } = &self;
        let cache = match cache {
            Found::Here(cache) => cache,
            Found::InScope(cache) => &**cache,
        };
        let Some(key) = key.settled() else {
            return false;
        };
        let read = |known: &Arc<FunctionState>| {
            let plain = cache.peek_plain(key.as_slice(&key.bytes()))?;
            let is_null = value::is_null(plain.as_bytes());
            value::read_text(&plain, is_null, read).ok()?;
            known.counters.commands.add(1);
            known.counters.hit(is_null);
            Some(())
        };
        // The first call has more to see to.
        let found = cache
            .functions
            .with_known(function, value_type, *owner, read);
        found.flatten().is_some()
    }
}

/// The cache that is used here, if there may be a scope around.
#[inline(never)]
fn in_scope(pond: Option<&Millpond>) -> Option<Arc<Cache>> {
    scope::with_own_or_current(pond, |pond| {
        let cache = &pond.0.cache;
        cache.can_peek().then(|| Arc::clone(cache))
    })
}
