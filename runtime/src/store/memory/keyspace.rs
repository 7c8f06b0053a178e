//! Keys with their values and deadlines: lookup, expiry, and the bound on bytes.

use super::value::{Collection, Value, detached, scan};
use crate::error::{Error, ErrorKind};
use crate::store::server_error::server_error;
use bytes::Bytes;
use indexmap::IndexMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a key weighs beside its bytes: the record, its place in the index and in the deadlines.
const KEY: usize = 256;

/// What one argument may add beside its bytes; see `value::ITEM`.
const ARGUMENT: usize = 96;

/// Keys looked at to find one that was not used for long. Redis takes 5 and calls 10 "very close".
const SAMPLE: usize = 8;

/// Expired keys removed at most in passing, so that no caller pays for everybody's.
const REAPED_PER_BATCH: usize = 32;

pub(crate) struct Keyspace {
    records: IndexMap<Bytes, Record>,
    /// Every deadline that was set, earliest first; those that were changed since are skipped.
    deadlines: BinaryHeap<Reverse<(u64, Bytes)>>,
    bytes: usize,
    max_bytes: usize,
    now: u64,
    tick: u64,
    dice: u64,
}

struct Record {
    value: Value,
    expires_at: Option<u64>,
    touched: u64,
}

impl Keyspace {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            records: IndexMap::new(),
            deadlines: BinaryHeap::new(),
            bytes: 0,
            max_bytes,
            now: 0,
            tick: 0,
            // Fixed, so that a test under a manual clock sees the same evictions each time.
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// A batch starts: its commands share one reading of the clock, and clear a few expired keys.
    pub(crate) fn begin(&mut self, now: u64) {
        self.now = now;
        self.reap(REAPED_PER_BATCH);
    }

    /// What is touched from here on is not evicted before the next command.
    pub(crate) fn next_command(&mut self) {
        self.tick += 1;
    }

    /// Milliseconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn value(&mut self, key: &[u8]) -> Option<&Value> {
        self.record(key).map(|record| &record.value)
    }

    /// The text under the key; an error if it holds another kind of value.
    pub(crate) fn text(&mut self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong_type()),
        }
    }

    /// The collection under the key; an error if it holds another kind of value.
    pub(crate) fn collection<C: Collection>(&mut self, key: &[u8]) -> Result<Option<&C>, Error> {
        match self.record(key) {
            None => Ok(None),
            Some(record) => C::of(&record.value).map(Some).ok_or_else(wrong_type),
        }
    }

    /// Changes the collection under the key, which starts out empty and goes away when empty.
    pub(crate) fn edit<C: Collection, R>(
        &mut self,
        key: &Bytes,
        change: impl FnOnce(&mut C) -> R,
    ) -> Result<R, Error> {
        let Some(record) = self.record(key) else {
            let mut fresh = C::default();
            let output = change(&mut fresh);
            if !fresh.is_empty() {
                self.set(key, fresh.into_value(), None);
            }
            return Ok(output);
        };
        let collection = C::of_mut(&mut record.value).ok_or_else(wrong_type)?;
        let before = collection.bytes();
        let output = change(collection);
        let (after, empty) = (collection.bytes(), collection.is_empty());
        self.bytes = (self.bytes + after).saturating_sub(before);
        if empty {
            self.remove(key);
        }
        Ok(output)
    }

    /// Stores, whatever was there.
    pub(crate) fn set(&mut self, key: &Bytes, value: Value, expires_at: Option<u64>) {
        let record = Record {
            value,
            expires_at,
            touched: self.tick,
        };
        self.bytes += record.value.bytes();
        if let Some(old) = self.records.get_mut(key) {
            self.bytes = self.bytes.saturating_sub(old.value.bytes());
            *old = record;
        } else {
            self.bytes += KEY + key.len();
            self.records.insert(detached(key), record);
        }
        if let Some(at) = expires_at {
            self.remember_deadline(at, key);
        }
    }

    pub(crate) fn set_text(&mut self, key: &Bytes, text: &[u8], expires_at: Option<u64>) {
        self.set(key, Value::Text(detached(text)), expires_at);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        match self.records.get_index_of(key) {
            Some(index) => self.remove_at(index),
            None => false,
        }
    }

    pub(crate) fn contains(&mut self, key: &[u8]) -> bool {
        self.record(key).is_some()
    }

    /// When the key goes, in milliseconds since the Unix epoch; none for one that stays.
    pub(crate) fn expires_at(&mut self, key: &[u8]) -> Option<u64> {
        self.record(key).and_then(|record| record.expires_at)
    }

    /// Gives the key a deadline, or takes it away. One that has passed removes the key.
    pub(crate) fn set_deadline(&mut self, key: &Bytes, expires_at: Option<u64>) {
        if let Some(record) = self.record(key) {
            record.expires_at = expires_at;
        }
        match expires_at {
            Some(at) if at <= self.now => _ = self.remove(key),
            Some(at) => self.remember_deadline(at, key),
            None => {}
        }
    }

    /// Number of keys that have not expired.
    pub(crate) fn len(&mut self) -> usize {
        self.reap(usize::MAX);
        self.records.len()
    }

    pub(crate) fn clear(&mut self) {
        self.records = IndexMap::new();
        self.deadlines = BinaryHeap::new();
        self.bytes = 0;
    }

    /// A page of keys that have not expired, and the next cursor; see [`scan`].
    pub(crate) fn scan(
        &self,
        cursor: usize,
        count: usize,
    ) -> (usize, impl Iterator<Item = (&Bytes, &Value)>) {
        let (next, page) = scan(&self.records, cursor, count);
        let now = self.now;
        let alive = page.filter(move |(_, record)| record.expires_at.is_none_or(|at| at > now));
        (next, alive.map(|(key, record)| (key, &record.value)))
    }

    /// An error if these arguments, on top of what `grows` already holds, can never fit.
    pub(crate) fn admit(&mut self, args: &[Bytes], grows: Option<&Bytes>) -> Result<(), Error> {
        let held = grows
            .and_then(|key| self.value(key))
            .map_or(0, Value::bytes);
        let added: usize = args.iter().map(|arg| arg.len() + ARGUMENT).sum();
        let needed = KEY + held + added;
        if needed <= self.max_bytes {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "OOM command not allowed: it needs {needed} bytes and the embedded engine holds at \
                 most {}; raise its bound or store less",
                self.max_bytes
            ),
        ))
    }

    /// Removes expired keys, then keys not used for long, until what is left is within the bound.
    pub(crate) fn make_room(&mut self) {
        if self.bytes <= self.max_bytes {
            return;
        }
        self.reap(usize::MAX);
        while self.bytes > self.max_bytes {
            let Some(coldest) = self.coldest() else {
                return;
            };
            self.remove_at(coldest);
        }
    }

    /// The bytes as kept up to date, and as counted anew.
    #[cfg(test)]
    pub(crate) fn weigh(&self) -> (usize, usize) {
        let weights = self.records.iter();
        let counted = weights.map(|(key, record)| KEY + key.len() + record.value.bytes());
        (self.bytes, counted.sum())
    }

    #[cfg(test)]
    pub(crate) fn deadlines(&self) -> usize {
        self.deadlines.len()
    }

    fn record(&mut self, key: &[u8]) -> Option<&mut Record> {
        let (index, _, record) = self.records.get_full(key)?;
        if record.expires_at.is_some_and(|at| at <= self.now) {
            self.remove_at(index);
            return None;
        }
        let (_, record) = self.records.get_index_mut(index)?;
        record.touched = self.tick;
        Some(record)
    }

    fn remove_at(&mut self, index: usize) -> bool {
        let Some((key, record)) = self.records.swap_remove_index(index) else {
            return false;
        };
        self.bytes = self
            .bytes
            .saturating_sub(KEY + key.len() + record.value.bytes());
        true
    }

    fn remember_deadline(&mut self, at: u64, key: &Bytes) {
        let Some((key, _)) = self.records.get_key_value(key) else {
            return;
        };
        self.deadlines.push(Reverse((at, key.clone())));
        // Each overwrite leaves a stale deadline behind; together they stay fewer than the keys.
        if self.deadlines.len() > 2 * self.records.len() + 64 {
            self.deadlines = self
                .records
                .iter()
                .filter_map(|(key, record)| Some(Reverse((record.expires_at?, key.clone()))))
                .collect();
        }
    }

    fn reap(&mut self, at_most: usize) {
        for _ in 0..at_most {
            let due = self
                .deadlines
                .peek()
                .is_some_and(|Reverse((at, _))| *at <= self.now);
            if !due {
                return;
            }
            let Some(Reverse((at, key))) = self.deadlines.pop() else {
                return;
            };
            if self
                .records
                .get(&key)
                .is_some_and(|record| record.expires_at == Some(at))
            {
                self.remove(&key);
            }
        }
    }

    fn coldest(&mut self) -> Option<usize> {
        let candidates: [usize; SAMPLE] = std::array::from_fn(|_| self.roll());
        let idle = |index: &usize| self.idle_since(*index);
        candidates
            .into_iter()
            .filter(|index| idle(index).is_some())
            .min_by_key(idle)
            .or_else(|| {
                // Few keys, nearly all of them touched by this very command.
                (0..self.records.len())
                    .filter(|index| idle(index).is_some())
                    .min_by_key(idle)
            })
    }

    /// When the key was last touched; none for a key that the running command touches.
    fn idle_since(&self, index: usize) -> Option<u64> {
        let (_, record) = self.records.get_index(index)?;
        (record.touched < self.tick).then_some(record.touched)
    }

    /// A place among the keys, by xorshift64.
    fn roll(&mut self) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let keys = u64::try_from(self.records.len()).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.dice % keys).unwrap_or(0)
    }
}

/// The error for a command on a value of another kind.
pub(crate) fn wrong_type() -> Error {
    server_error("WRONGTYPE Operation against a key holding the wrong kind of value")
}
