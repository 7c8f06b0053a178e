//! A call of a cached function, from its key to its return value.

use super::shape::{Cacheable, Outcome};
use super::site::Site;
use crate::cache::{Cache, CachedCall, Entered, Policy};
use crate::entry::{Entry, EntryRef, Invalidation};
use crate::key::Key;
use crate::pond::Millpond;
use crate::scope;
use crate::stats::Counters;
use crate::value;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

/// One call: which function, which key, under which cache.
#[derive(Debug)]
pub struct Call {
    site: &'static Site,
    key: Key,
    pond: Option<Millpond>,
    when: bool,
}

impl Call {
    /// A call of this function for this key, in the current cache.
    pub fn new(site: &'static Site, key: Key) -> Self {
        Self {
            site,
            key,
            pond: None,
            when: true,
        }
    }

    /// In this cache instead.
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// Around the cache unless this holds.
    #[must_use]
    pub fn when(mut self, yes: bool) -> Self {
        self.when = yes;
        self
    }

    fn policy(&self) -> Policy {
        let Site {
            ttl,
            null_ttl,
            flight,
            encoding,
            ..
        } = *self.site;
        Policy {
            ttl,
            null_ttl,
            flight,
            encoding,
        }
    }
}

/// The default of `unless`.
pub fn never<T: ?Sized>(_value: &T) -> bool {
    false
}

/// Answers a call from the cache, or runs the body and stores what it returns.
pub async fn cached<S, F>(
    call: Call,
    shape: Cacheable<S>,
    unless: fn(&S::Value) -> bool,
    body: F,
) -> S::Return
where
    S: Outcome,
    F: Future<Output = S::Return>,
{
    let mode = forced(call.site.id);
    if !call.when || mode == Some(Mode::Around) || scope::is_bypassed() {
        return body.await;
    }
    let policy = call.policy();
    let pond = call.pond.unwrap_or_else(scope::current);
    let cache = Arc::clone(&pond.0.cache);
    let counters = cache.counters(call.site, std::any::type_name::<S::Value>());
    if policy.encoding.encrypt && cache.client.codec.lacks_key() {
        counters.bypassed.add(1);
        return body.await;
    }
    let refresh = mode == Some(Mode::Refresh);
    let call = CachedCall {
        cache,
        key: call.key,
        policy,
        counters,
        refresh,
    };
    answer(call, shape, unless, body).await
}

/// See [`cached`].
pub(crate) async fn answer<S, F>(
    call: CachedCall,
    cacheable: Cacheable<S>,
    unless: fn(&S::Value) -> bool,
    body: F,
) -> S::Return
where
    S: Outcome,
    F: Future<Output = S::Return>,
{
    let shape = cacheable.shape;
    if let Some(bytes) = call.peek()
        && let Ok(value) = (cacheable.decode)(&bytes)
    {
        call.counters.hit(value::is_null(&bytes));
        return shape.success(value);
    }
    // Boxed, here and below: cached functions call cached functions, and each would hold all of it.
    let mut load = match Box::pin(call.enter()).await {
        Entered::Load(load) => load,
        Entered::Alone => return body.await,
        Entered::Shared(bytes) => match (cacheable.decode)(&bytes) {
            Ok(value) => return shape.success(value),
            Err(_) => return body.await,
        },
        Entered::Failed(error) => {
            // Not a `match`: the error, which need not be `Send`, would live across the `await`.
            if let Some(error) = (cacheable.take)(&error) {
                return shape.failure(error);
            }
            return body.await;
        }
        Entered::Found(bytes, load) => match (cacheable.decode)(&bytes) {
            Ok(value) => {
                let null = value::is_null(&bytes);
                load.hit(bytes, null);
                return shape.success(value);
            }
            Err(what) => load.garbage(&what),
        },
    };
    // The error, which need not be `Send`, must be gone before the next `await`.
    let value = match shape.split(load.run(body).await) {
        Ok(value) => value,
        Err(error) => {
            load.failed((cacheable.share)(&error));
            return shape.failure(error);
        }
    };
    match (cacheable.plain_form)(&value) {
        Ok(bytes) if unless(&value) => load.keep(bytes),
        Ok(bytes) => {
            let null = value::is_null(&bytes);
            Box::pin(load.store(bytes, null)).await;
        }
        Err(error) => load.unstorable(&error),
    }
    shape.success(value)
}

impl Cache {
    /// The counters of a function. Its first call also reports two functions that share keys but
    /// not a type, and a key for encryption that is missing.
    fn counters(&self, site: &'static Site, kind: &'static str) -> Arc<Counters> {
        let id = (std::ptr::from_ref(site) as usize, kind.as_ptr() as usize);
        let checked = self.checked.read();
        if let Some(counters) = checked.unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Arc::clone(counters);
        }
        let counters = self.client.registry.counters(site.prefix);
        let mut checked = self.checked.write().unwrap_or_else(PoisonError::into_inner);
        let is_first = checked.insert(id, Arc::clone(&counters)).is_none();
        drop(checked);
        if is_first && site.encoding.encrypt && self.client.codec.lacks_key() {
            let (prefix, error) = (site.prefix, crate::keyring::no_key());
            tracing::error!(prefix, %error, "a function runs uncached");
        }
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *types.entry(site.keys()).or_insert(kind);
        if first != kind {
            tracing::error!(
                prefix = site.prefix,
                template = site.template,
                first,
                second = kind,
                "two functions cache different types under the same keys; give one of them \
                 another prefix or key"
            );
        }
        counters
    }
}

/// The entry of a call.
pub fn entry<R>(call: Call) -> Entry<R> {
    let policy = call.policy();
    let pond = call.pond.unwrap_or_else(scope::current);
    Entry::new(EntryRef {
        cache: Arc::clone(&pond.0.cache),
        key: call.key,
        policy,
    })
}

/// Invalidates an entry.
#[expect(
    clippy::needless_pass_by_value,
    reason = "generated code hands over what it made"
)]
pub fn invalidate<R>(entry: Entry<R>) -> Invalidation {
    entry.invalidate()
}

/// What a companion asks of the next call of its function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Load and store anew.
    Refresh,
    /// Leave the cache aside.
    Around,
}

thread_local! {
    /// Set while a companion polls its function; taken by the first call of that function.
    static FORCED: Cell<Option<(&'static str, Mode)>> = const { Cell::new(None) };
}

fn forced(site: &'static str) -> Option<Mode> {
    match FORCED.get() {
        Some((id, mode)) if id == site => {
            FORCED.set(None);
            Some(mode)
        }
        _ => None,
    }
}

/// Runs a call that loads and stores anew.
pub fn refreshed<F: Future>(site: &'static str, call: F) -> Forced<F> {
    Forced {
        site,
        mode: Some(Mode::Refresh),
        call,
    }
}

/// Runs a call that leaves the cache aside.
pub fn uncached<F: Future>(site: &'static str, call: F) -> Forced<F> {
    Forced {
        site,
        mode: Some(Mode::Around),
        call,
    }
}

pin_project! {
    /// See [`refreshed`].
    pub struct Forced<F> {
        site: &'static str,
        mode: Option<Mode>,
        #[pin]
        call: F,
    }
}

impl<F: Future> Future for Forced<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _restore = Restore(FORCED.replace(this.mode.map(|mode| (*this.site, mode))));
        let polled = this.call.poll(cx);
        if FORCED.get().is_none() {
            *this.mode = None;
        }
        polled
    }
}

struct Restore(Option<(&'static str, Mode)>);

impl Drop for Restore {
    fn drop(&mut self) {
        FORCED.set(self.0);
    }
}
