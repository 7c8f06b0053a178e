//! A call of the batch form of a cached function, from its items to its return value.

mod batchable;
mod collection;
mod pass;
mod slots;

use super::call::bypassed;
use crate::cache::call_mode::{self, CallMode};
use crate::cache::{Batch, BypassReason, CachedCall, CallStatus, Given, Keeper, ReturnKind};
use crate::entry::{EntryRef, TypedEntryRef};
pub use batchable::{Batchable, batchable};
pub use collection::{BatchCollection, ItemValue};
use foldhash::fast::RandomState;
pub use pass::{Again, Item, PassAs, ViaClone, ViaOnce};
use slots::{Near, Slots};
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

/// The entries of the items of one call, of values of `T`.
pub struct BatchEntries<T> {
    entries: Vec<TypedEntryRef<T>>,
    when: bool,
}

impl<T> BatchEntries<T> {
    /// None yet; around the cache unless `when` holds.
    pub const fn new(when: bool) -> Self {
        Self {
            entries: Vec::new(),
            when,
        }
    }

    /// That of the next item.
    pub fn add(&mut self, entry: TypedEntryRef<T>) {
        self.entries.push(entry);
    }

    /// The calls for the distinct ones, unless the call goes around the cache.
    fn begin(
        self,
        mode: Option<CallMode>,
        places: &[usize],
        keeper: Option<&'static Keeper>,
    ) -> Result<Vec<CachedCall>, BypassReason> {
        if let Some(reason) = bypassed(mode, self.when) {
            return Err(reason);
        }
        let refresh = mode == Some(CallMode::Refresh);
        let mut references = self.entries.into_iter().map(|entry| entry.reference);
        let Some(first) = references.next() else {
            return Ok(Vec::new());
        };
        let cache = Arc::clone(&first.cache);
        let registry = &cache.client.registry;
        let state = |function| {
            let value_type = std::any::type_name::<T>();
            let counters = || registry.counters_of_function(first.key.prefix());
            cache.functions.state(function, value_type, None, counters)
        };
        let state = first.function.map(state);
        let (function, is_first) =
            state.map_or((None, false), |(state, is_first)| (Some(state), is_first));
        let counters = match &function {
            Some(function) => Arc::clone(&function.counters),
            None => registry.counters(first.key.prefix()),
        };
        if first.policy.encoding.encrypt && cache.client.codec.lacks_key() {
            if is_first {
                let (prefix, error) = (first.key.prefix(), crate::keyring::no_key());
                tracing::error!(prefix, %error, "a function runs uncached");
            }
            counters.bypassed.add(1);
            return Err(BypassReason::NoEncryptionKey);
        }
        let mut distinct = Vec::new();
        for (at, reference) in std::iter::once(first.clone()).chain(references).enumerate() {
            // The first of each item stands for all that have its key.
            if places.get(at) != Some(&distinct.len()) {
                continue;
            }
            let EntryRef {
                key, policy, tags, ..
            } = reference;
            distinct.push(CachedCall {
                cache: Arc::clone(&cache),
                key,
                policy,
                tags,
                counters: Arc::clone(&counters),
                function: function.clone(),
                refresh,
                keeper,
                cluster: None,
            });
        }
        Ok(distinct)
    }

    /// What the function for one does not store.
    fn unless(&self) -> Option<fn(&[u8]) -> bool> {
        self.entries.first()?.reference.function?.unless
    }

    /// How this process keeps values, if it does.
    fn near(&self) -> Option<Near<T>>
    where
        T: 'static,
    {
        let first = self.entries.first()?;
        let form = first.near?()?.downcast().ok()?;
        let within = first.reference.function?.within();
        Some(Near { form, within })
    }

    /// For each item, its place among the distinct ones; and the first item of each of these.
    fn distinct(&self) -> (Vec<usize>, Vec<usize>) {
        let hasher = RandomState::default();
        let mut known = HashMap::with_capacity_and_hasher(self.entries.len(), hasher);
        let mut firsts = Vec::new();
        let mut places = Vec::with_capacity(self.entries.len());
        for (at, entry) in self.entries.iter().enumerate() {
            let place = *known
                .entry(entry.reference.key.as_str())
                .or_insert_with(|| {
                    firsts.push(at);
                    firsts.len() - 1
                });
            places.push(place);
        }
        (places, firsts)
    }
}

impl<T> std::fmt::Debug for BatchEntries<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.entries).finish()
    }
}

/// Answers the items that are cached, and runs the body for the others and stores what it gives. To be called when
/// the answer is about to be polled.
pub async fn batch<K, T, V, S, F, R>(
    entries: BatchEntries<S>,
    batchable: Batchable<K, T, V, S>,
    items: Vec<T>,
    body: F,
    again: fn(&F) -> Option<F>,
) -> K::Return
where
    K: ReturnKind,
    T: Clone,
    S: 'static,
    F: FnOnce(Vec<T>) -> R,
    R: Future<Output = K::Return>,
{
    let (places, firsts) = entries.distinct();
    let (unless, near) = (entries.unless(), entries.near());
    let keeper = near.as_ref().map(|near| near.form.keeper);
    let (mode, reporting) = call_mode::take();
    let calls = match entries.begin(mode, &places, keeper) {
        Ok(calls) => calls,
        Err(reason) => {
            reporting.bypassed(reason);
            return body(items).await;
        }
    };
    let repeats = places.len() > firsts.len();
    let Batchable {
        kind,
        of_item,
        split,
        add,
        join,
    } = batchable;
    let mut slots = Slots::new(firsts.len(), of_item, near, repeats);
    let (calls, status) = slots.look(calls);
    let mut rest: Option<K::Value> = None;
    let mut body = Some(body);
    let once = body.as_ref().is_none_or(|body| again(body).is_none());
    let mut batch = Box::pin(Batch::enter(calls, unless, once, status)).await;
    loop {
        for found in batch.take_found() {
            match slots.read(found.at, &found.plain) {
                Ok(()) => {
                    let kept = found.load.as_ref().and_then(|_| slots.kept(found.at));
                    batch.hit(found, kept);
                }
                Err(what) => batch.garbage(found.at, found.load, &what),
            }
        }
        let missing = batch.missing();
        if missing.is_empty() {
            if !batch.is_waiting() {
                break;
            }
            batch = Box::pin(batch.wait()).await;
            continue;
        }
        let Some(run) = body.take() else {
            break;
        };
        body = again(&run);
        let asked: Vec<T> = missing
            .iter()
            .map(|&at| items[firsts[at]].clone())
            .collect();
        batch.begin_body();
        let running = batch.watched(run(asked.clone()));
        let returned = batch.within(running).await;
        batch.end_body();
        // The error, which need not be `Send`, must be gone before the next `await`.
        let value = match kind.split(returned) {
            Ok(value) => value,
            Err(error) => {
                reporting.say(|| CallStatus::Batch(batch.status()));
                batch.failed();
                return kind.failure(error);
            }
        };
        let split = split(value, &asked);
        if split.is_odd {
            batch.odd();
        }
        let mut given: Vec<Option<Given>> = firsts.iter().map(|_| None).collect();
        for (&at, item) in missing.iter().zip(split.items) {
            let plain = slots.given(at, item.value, |value| batch.plain_form(at, value, repeats));
            given[at] = plain.filter(|_| item.is_sure).map(|plain| Given {
                plain,
                kept: slots.kept(at),
            });
        }
        match &mut rest {
            Some(rest) => add(rest, split.rest),
            None => rest = Some(split.rest),
        }
        batch = Box::pin(batch.store(given)).await;
    }
    reporting.say(|| CallStatus::Batch(batch.status()));
    batch.end();
    let values = slots.take_all();
    let again = |at: usize| slots.again(at);
    kind.success(join(rest, &items, &places, values, &again))
}
