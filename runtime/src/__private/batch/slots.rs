//! The values of the distinct items of one call, as far as they are known.

use crate::cache::{BatchStatus, CachedCall, NearForm};
use crate::local::{Value, Within};
use crate::value::{self, ErasedValue, Read, TypedValue, Write};
use bytes::Bytes;
use std::sync::Arc;

/// What is asked of the value of an item, where the function for one returns an `S`.
pub(super) struct OfItem<V, S> {
    /// Whether an item without a value is cached, too.
    pub(super) nulls: bool,
    pub(super) read: Read<V>,
    pub(super) write: Write<V>,
    pub(super) as_one: fn(&Option<V>) -> Option<&S>,
    pub(super) of_one: fn(S) -> Option<V>,
}

/// One slot for each distinct item.
pub(super) struct Slots<V, S> {
    each: Vec<Slot<V>>,
    of_item: OfItem<V, S>,
    /// How this process keeps values, if it does.
    near: Option<Near<S>>,
    /// Whether an item stands in the list more than once.
    repeats: bool,
}

struct Slot<V> {
    value: TypedValue<V>,
    /// From where the value comes again, where items repeat.
    source: Option<Source>,
}

enum Source {
    Plain(Bytes),
    Kept(Value),
}

/// How this process keeps the values of the function for one.
pub(super) struct Near<S> {
    pub(super) form: Arc<NearForm<S>>,
    /// Up to which age the function uses them.
    pub(super) within: Within,
}

impl<V, S> Slots<V, S> {
    pub(super) fn new(
        distinct: usize,
        of_item: OfItem<V, S>,
        near: Option<Near<S>>,
        repeats: bool,
    ) -> Self {
        let slot = |_| Slot {
            value: TypedValue::new(of_item.read, of_item.write),
            source: None,
        };
        Self {
            each: (0..distinct).map(slot).collect(),
            of_item,
            near,
            repeats,
        }
    }

    /// Takes what this process keeps, and what an embedded engine has. The other calls come back with their places,
    /// and what those that are answered came to.
    pub(super) fn look(
        &mut self,
        calls: Vec<CachedCall>,
    ) -> (Vec<(usize, CachedCall)>, BatchStatus) {
        let mut status = BatchStatus::default();
        let (mut missing, mut read) = (Vec::new(), None);
        for (at, call) in calls.into_iter().enumerate() {
            if let Some(is_null) = self.find(at, &call) {
                status.found_local(is_null);
            } else if let Some(is_null) = self.peek(at, &call) {
                status.found(is_null);
                read = Some(call);
            } else {
                missing.push((at, call));
            }
        }
        // One command reads all of a batch: what is missing here is read by another, which counts for these too.
        if let Some(call) = read.filter(|_| missing.is_empty()) {
            call.counters.commands.add(1);
        }
        (missing, status)
    }

    /// What an embedded engine has is read as for a call of one; whether it is a null.
    fn peek(&mut self, at: usize, call: &CachedCall) -> Option<bool> {
        let opened = call.peek()?;
        self.read(at, &opened.plain).ok()?;
        Some(call.hit_at_once(&opened))
    }

    /// Whether what was found is a `None`.
    fn find(&mut self, at: usize, call: &CachedCall) -> Option<bool> {
        let near = self.near.as_ref().filter(|_| !call.refresh)?;
        let form = near.form.form;
        let found = near.form.find(&call.cache.local, &call.key, near.within)?;
        let is_null = (form.is_null)(&found);
        let slot = &mut self.each[at];
        slot.source = self.repeats.then(|| Source::Kept((form.keep)(&found)));
        if let Some(value) = (self.of_item.of_one)(found) {
            slot.value.set(value);
        }
        Some(is_null)
    }

    /// Reads what was found; where nulls stand for an item that there is not, nothing.
    pub(super) fn read(&mut self, at: usize, plain: &Bytes) -> Result<(), String> {
        if self.of_item.nulls && value::is_null(plain) {
            return Ok(());
        }
        let Slot { value, source } = &mut self.each[at];
        value::read_plain(plain, &mut |json| value.read(json))?;
        *source = self.repeats.then(|| Source::Plain(plain.clone()));
        Ok(())
    }

    /// The body gave this, whose plain form `plain_form` knows.
    pub(super) fn given(
        &mut self,
        at: usize,
        value: Option<V>,
        plain_form: impl FnOnce(&dyn ErasedValue) -> Option<Bytes>,
    ) -> Option<Bytes> {
        let slot = &mut self.each[at];
        let Some(value) = value else {
            let null = || Bytes::from_static(value::NULL_SENTINEL.as_bytes());
            return self.of_item.nulls.then(null);
        };
        slot.value.set(value);
        let plain = plain_form(&slot.value);
        let repeated = plain.clone().filter(|_| self.repeats);
        slot.source = repeated.map(Source::Plain);
        plain
    }

    /// What this process is to keep of a value.
    pub(super) fn kept(&self, at: usize) -> Option<Value> {
        let near = self.near.as_ref()?;
        let value = (self.of_item.as_one)(self.each[at].value.get())?;
        Some((near.form.form.keep)(value))
    }

    pub(super) fn take_all(&mut self) -> Vec<Option<V>> {
        let each = self.each.iter_mut();
        each.map(|slot| slot.value.take()).collect()
    }

    /// The value of an item that stands in the list more than once.
    pub(super) fn again(&self, at: usize) -> Option<V> {
        match self.each[at].source.as_ref()? {
            Source::Plain(plain) => {
                let mut value = TypedValue::new(self.of_item.read, self.of_item.write);
                value::read_plain(plain, &mut |json| value.read(json)).ok()?;
                value.take()
            }
            Source::Kept(kept) => {
                let near = self.near.as_ref()?;
                let value = (near.form.form.restore)(Arc::clone(kept))?;
                (self.of_item.of_one)(value)
            }
        }
    }
}
