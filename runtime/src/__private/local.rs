//! A call of a function with `local = "only"`, async or not.

use super::call::bypassed;
use crate::cache::call_mode::{self, CallMode};
use crate::cache::call_status::Reporting;
use crate::cache::only::{Loaded, OnlyCall, OnlyEntered, OnlyEntry, OnlyLoad, Origin, blocking};
use crate::cache::{BypassReason, CacheableKind, CachedFunction, CallStatus, Tier};
use crate::client::tags::Tags;
use crate::entry::{LocalEntries, LocalEntry, LocalInvalidation};
use crate::key::{Key, Tag};
use crate::local::{Form, FunctionNumber};
use crate::pond::Millpond;
use crate::scope;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

/// One call: which function, and which key.
#[derive(Debug)]
pub struct LocalCall {
    function: &'static CachedFunction,
    number: &'static FunctionNumber,
    key: Key,
    pond: Option<Millpond>,
    owner: Option<&'static str>,
    when: bool,
    tags: Vec<Tag>,
}

impl LocalCall {
    /// A call of this function for this key.
    #[inline]
    pub fn new(
        function: &'static CachedFunction,
        number: &'static FunctionNumber,
        key: Key,
    ) -> Self {
        Self {
            function,
            number,
            key,
            pond: None,
            owner: None,
            when: true,
            tags: Vec::new(),
        }
    }

    /// In an `impl` for the type of this name, or in a trait that it implements.
    #[must_use]
    #[inline]
    pub fn of(mut self, owner: &'static str) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Around the cache unless this holds.
    #[must_use]
    #[inline]
    pub fn when(mut self, yes: bool) -> Self {
        self.when = yes;
        self
    }

    /// In this cache instead of the current one.
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// Kept under this tag.
    #[must_use]
    pub fn tag(mut self, tag: Tag) -> Self {
        self.tags.push(tag);
        self
    }

    pub(crate) fn into_entry(self) -> OnlyEntry {
        let mut tags = self.tags;
        if self.function.all {
            tags.push(self.function.all_tag());
        }
        let pond = self.pond.unwrap_or_else(scope::current);
        OnlyEntry {
            cache: Arc::clone(&pond.0.cache),
            function: self.function,
            number: self.number.get(),
            key: self.key,
            tags: Tags::new(tags, None),
        }
    }

    /// The call, unless it goes around the cache; and who wants to know what it comes to.
    fn begin(self, value_type: &'static str) -> (Option<OnlyCall>, Reporting) {
        let (mode, reporting) = call_mode::take();
        if let Some(reason) = bypassed(mode, self.when) {
            reporting.bypassed(reason);
            return (None, reporting);
        }
        let owner = self.owner;
        let entry = self.into_entry();
        let registry = &entry.cache.client.registry;
        let (state, _) = entry
            .cache
            .functions
            .state(entry.function, value_type, owner, || {
                registry.counters_of_function(entry.function.prefix)
            });
        let call = OnlyCall {
            entry,
            state,
            refresh: mode == Some(CallMode::Refresh),
        };
        (Some(call), reporting)
    }
}

/// What a function says of its values.
pub struct LocalRules<K: CacheableKind> {
    kind: K,
    form: Form<K::Value>,
    unless: fn(&K::Value) -> bool,
}

impl<K: CacheableKind> fmt::Debug for LocalRules<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalRules")
    }
}

impl<K: CacheableKind> LocalRules<K> {
    /// How values are kept, and which are not.
    pub fn new(kind: K, form: Form<K::Value>, unless: fn(&K::Value) -> bool) -> Self {
        Self { kind, form, unless }
    }

    fn answered(
        &self,
        entered: OnlyEntered,
        reporting: &Reporting,
    ) -> Result<K::Return, Option<Box<OnlyLoad>>> {
        match entered {
            OnlyEntered::Found(value, origin) => {
                if let Some(value) = (self.form.restore)(value) {
                    reporting.say(|| match origin {
                        Origin::Flight => CallStatus::Shared,
                        Origin::Tier(age) => {
                            CallStatus::found((self.form.is_null)(&value), Tier::Local, age)
                        }
                    });
                    return Ok(self.kind.success(value));
                }
            }
            OnlyEntered::Failed(error) => {
                if let Some(error) = K::take(&error) {
                    reporting.say(|| CallStatus::Shared);
                    return Ok(self.kind.failure(error));
                }
            }
            OnlyEntered::Load(load) => return Err(Some(load)),
            OnlyEntered::Alone(reason) => {
                reporting.bypassed(reason);
                return Err(None);
            }
        }
        reporting.bypassed(BypassReason::Unusable);
        Err(None)
    }

    fn returned(&self, load: OnlyLoad, returned: K::Return, reporting: &Reporting) -> K::Return {
        load.end_body();
        reporting.say(|| CallStatus::Loaded);
        match self.kind.split(returned) {
            Err(error) => {
                load.failed(K::share(&error));
                self.kind.failure(error)
            }
            Ok(value) => {
                load.ended(Loaded {
                    value: (self.form.keep)(&value),
                    is_null: (self.form.is_null)(&value),
                    bytes: (self.form.bytes)(&value),
                    life: self.form.life.map(|of| of(&value)),
                    is_excluded: (self.unless)(&value),
                });
                self.kind.success(value)
            }
        }
    }
}

/// Answers a call that was no hit: by what another caller loads, or by the body.
pub async fn kept<K, F>(call: LocalCall, rules: LocalRules<K>, body: F) -> K::Return
where
    K: CacheableKind,
    F: Future<Output = K::Return>,
{
    let (Some(call), reporting) = call.begin(std::any::type_name::<K::Value>()) else {
        return body.await;
    };
    // Boxed: cached functions call cached functions, and each would hold all of it.
    let entered = Box::pin(call.enter(rules.form.fits)).await;
    let load = match rules.answered(entered, &reporting) {
        Ok(returned) => return returned,
        Err(None) => return body.await,
        Err(Some(load)) => load,
    };
    let mut body = pin!(body);
    let returned = poll_fn(|cx| {
        let watched = load.watch(cx);
        let polled = body.as_mut().poll(&mut watched.context());
        watched.returned();
        polled
    });
    let returned = returned.await;
    rules.returned(*load, returned, &reporting)
}

/// The same on this thread.
#[expect(
    clippy::needless_pass_by_value,
    reason = "generated code hands over what it made"
)]
pub fn kept_here<K>(
    call: LocalCall,
    rules: LocalRules<K>,
    body: impl FnOnce() -> K::Return,
) -> K::Return
where
    K: CacheableKind,
{
    let (Some(call), reporting) = call.begin(std::any::type_name::<K::Value>()) else {
        return body();
    };
    let longest = call.entry.cache.client.settings.flight_wait;
    let entered = blocking::wait(call.enter(rules.form.fits), longest);
    let entered = entered.unwrap_or(OnlyEntered::Alone(BypassReason::Waited));
    let load = match rules.answered(entered, &reporting) {
        Ok(returned) => return returned,
        Err(None) => return body(),
        Err(Some(load)) => load,
    };
    let cx = Context::from_waker(Waker::noop());
    let watched = load.watch(&cx);
    let returned = body();
    watched.returned();
    rules.returned(*load, returned, &reporting)
}

/// The entry of a call.
pub fn local_entry<R, T: 'static>(call: LocalCall, form: Form<T>) -> LocalEntry<R> {
    LocalEntry::new(call.into_entry(), form)
}

/// Removes the entry of a call.
#[expect(
    clippy::needless_pass_by_value,
    reason = "generated code hands over what it made"
)]
pub fn invalidate_local<R>(entry: LocalEntry<R>) -> LocalInvalidation {
    entry.invalidate()
}

/// Every entry of a function with `all`, in this cache or the current one.
pub fn local_entries(function: &'static CachedFunction, pond: Option<&Millpond>) -> LocalEntries {
    let pond = pond.cloned().unwrap_or_else(scope::current);
    LocalEntries {
        cache: Arc::clone(&pond.0.cache),
        tag: function.all_tag(),
    }
}
