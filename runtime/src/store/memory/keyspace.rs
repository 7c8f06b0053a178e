//! Keys with their values and deadlines.

mod eviction;
mod expiry;

use super::budgets::Budgets;
use super::deadline::{Deadline, Now};
use super::index::{Index, index};
use super::value::{Collection, Text, Value, detached, scan};
use crate::error::Error;
use crate::store::command::Purpose;
use crate::store::server_error::server_error;
use bytes::Bytes;
use bytestring::ByteString;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a key weighs beside its bytes: the record, its place in the index and in the deadlines.
const KEY: usize = 256;

pub(crate) struct Keyspace {
    records: Index<Record>,
    /// When to look at a key, by the monotonic clock, earliest first; those that were changed since are skipped.
    deadlines: BinaryHeap<Reverse<(u64, Bytes)>>,
    /// The wall clock as the deadlines were made with it.
    wall_ahead: i128,
    budgets: Budgets,
    /// How many keys are none that stay.
    values: usize,
    /// Whether the running command is one that is to run even where there is no room.
    may_shrink: bool,
    bytes: usize,
    max_bytes: usize,
    now: Now,
    /// What the keys are for that are made now.
    purpose: Purpose,
    tick: u64,
    dice: u64,
}

struct Record {
    value: Value,
    deadline: Option<Deadline>,
    /// Its place among the deadlines.
    due: u64,
    purpose: Purpose,
    /// Of a budget: how much of it is used.
    level: Option<usize>,
    touched: u64,
}

impl Record {
    fn is_over(&self, now: Now) -> bool {
        self.deadline
            .is_some_and(|deadline| deadline.left(now, self.purpose) == 0)
    }
}

impl Keyspace {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            records: index(),
            deadlines: BinaryHeap::new(),
            wall_ahead: 0,
            budgets: Budgets::default(),
            values: 0,
            may_shrink: false,
            bytes: 0,
            max_bytes,
            now: Now::default(),
            purpose: Purpose::Value,
            tick: 0,
            // Fixed, so that a test under a manual clock sees the same evictions each time.
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// What is touched from here on is not evicted before the next command, and what is made is for this.
    pub(crate) fn next_command(&mut self, purpose: Purpose) {
        self.tick += 1;
        self.may_shrink = false;
        self.purpose = purpose;
    }

    /// The running command gives something up, or knows itself whether there is room.
    pub(crate) fn run_even_if_full(&mut self) {
        self.may_shrink = true;
    }

    /// What is made in the meantime is for this.
    pub(crate) fn making<T>(&mut self, purpose: Purpose, make: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.purpose, purpose);
        let output = make(self);
        self.purpose = before;
        output
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    pub(crate) fn value(&mut self, key: &[u8]) -> Option<&Value> {
        self.record(key).map(|record| &record.value)
    }

    /// The text under the key; an error if it holds another kind of value.
    pub(crate) fn text(&mut self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => value.text().map(Some).ok_or_else(wrong_type),
        }
    }

    /// The string under the key, if there is one that is not over by the coarse clocks, which lag behind by so much at
    /// most. What is over waits for the next command, which frees it: where there are nothing but hits, nothing is freed.
    #[inline]
    pub(crate) fn peek(&mut self, key: &[u8], now: Now, lag: u64) -> Option<ByteString> {
        let record = self.records.get_mut(key)?;
        if let Some(deadline) = record.deadline
            && deadline.left(now, record.purpose) <= lag
        {
            return None;
        }
        record.touched = self.tick;
        match &mut record.value {
            Value::Text(text) => text.utf8(),
            _ => None,
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
        key: &[u8],
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
    pub(crate) fn set(&mut self, key: &[u8], value: Value, deadline: Option<Deadline>) {
        let purpose = self.purpose;
        let record = Record {
            value,
            deadline,
            due: u64::MAX,
            purpose,
            level: self.records.get(key).and_then(|old| old.level),
            touched: self.tick,
        };
        self.bytes += record.value.bytes();
        self.values += usize::from(purpose != Purpose::Held);
        if let Some(old) = self.records.get_mut(key) {
            self.bytes = self.bytes.saturating_sub(old.value.bytes());
            self.values -= usize::from(old.purpose != Purpose::Held);
            *old = record;
        } else {
            self.bytes += KEY + key.len();
            self.records.insert(detached(key), record);
        }
        self.remember_deadline(key);
    }

    pub(crate) fn set_text(&mut self, key: &Bytes, text: &[u8], deadline: Option<Deadline>) {
        self.set(key, Value::Text(Text::Any(detached(text))), deadline);
    }

    /// Where a key is that is there, until one goes.
    pub(crate) fn place(&mut self, key: &[u8]) -> Option<usize> {
        let (place, _, record) = self.records.get_full_mut(key)?;
        if record.is_over(self.now) {
            self.remove_at(place);
            return None;
        }
        record.touched = self.tick;
        Some(place)
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn value_at(&self, place: usize) -> Option<&Value> {
        let (_, record) = self.records.get_index(place)?;
        Some(&record.value)
    }

    /// Stores a number that lives as long as what it replaces.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn replace_at(&mut self, place: usize, number: i64) {
        let Some((key, record)) = self.records.get_index_mut(place) else {
            return;
        };
        let value = Value::Integer(number);
        if record.purpose != self.purpose {
            let (key, deadline) = (key.clone(), record.deadline);
            self.set(&key, value, deadline);
            return;
        }
        self.bytes = (self.bytes + value.bytes()).saturating_sub(record.value.bytes());
        record.value = value;
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

    /// When the key goes; none for one that stays.
    pub(crate) fn deadline(&mut self, key: &[u8]) -> Option<Deadline> {
        self.record(key).and_then(|record| record.deadline)
    }

    /// How many milliseconds the key has left with this deadline.
    pub(crate) fn left(&mut self, key: &[u8], deadline: Deadline) -> u64 {
        let held = self.record(key).map(|record| record.purpose);
        deadline.left(self.now, held.unwrap_or(self.purpose))
    }

    /// Gives the key a deadline, or takes it away. One that has passed removes the key.
    pub(crate) fn set_deadline(&mut self, key: &[u8], deadline: Option<Deadline>) {
        let Some(record) = self.record(key) else {
            return;
        };
        record.deadline = deadline;
        record.due = u64::MAX;
        if self.contains(key) {
            self.remember_deadline(key);
        }
    }

    /// Number of keys that have not expired.
    pub(crate) fn len(&mut self) -> usize {
        self.follow_wall_clock(0);
        self.reap(usize::MAX);
        self.records.len()
    }

    pub(crate) fn clear(&mut self) {
        self.records = index();
        self.deadlines = BinaryHeap::new();
        self.budgets.clear();
        self.values = 0;
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
        let alive = page.filter(move |(_, record)| !record.is_over(now));
        (next, alive.map(|(key, record)| (key, &record.value)))
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
        let place = self.place(key)?;
        let (_, record) = self.records.get_index_mut(place)?;
        Some(record)
    }

    fn remove_at(&mut self, index: usize) -> bool {
        let Some((key, record)) = self.records.swap_remove_index(index) else {
            return false;
        };
        if let Some(level) = record.level {
            self.budgets.remove(&key, level);
        }
        self.values -= usize::from(record.purpose != Purpose::Held);
        self.bytes = self
            .bytes
            .saturating_sub(KEY + key.len() + record.value.bytes());
        true
    }
}

/// The error for a command on a value of another kind.
pub(crate) fn wrong_type() -> Error {
    server_error("WRONGTYPE Operation against a key holding the wrong kind of value")
}
