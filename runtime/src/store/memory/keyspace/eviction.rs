//! The bound on bytes: what is admitted, and what goes to make room.

use super::{KEY, Keyspace};
use crate::error::{Error, ErrorKind};
use crate::store::command::Purpose;
use crate::store::memory::budgets;
use crate::store::memory::value::Value;
use bytes::Bytes;

/// What one argument may add beside its bytes; see `value::ITEM`.
const ARGUMENT: usize = 96;

/// Keys looked at to find one that was not used for long. Redis takes 5 and calls 10 "very close".
const SAMPLE: usize = 8;

impl Keyspace {
    /// An error if these arguments, on top of what `grows` already holds, can never fit.
    pub(crate) fn admit(&mut self, args: &[Bytes], grows: Option<&[u8]>) -> Result<(), Error> {
        self.admit_bytes(args.iter().map(Bytes::len).sum(), args.len(), grows)
    }

    /// The same of so many arguments with so many bytes.
    pub(crate) fn admit_bytes(
        &mut self,
        bytes: usize,
        args: usize,
        grows: Option<&[u8]>,
    ) -> Result<(), Error> {
        let added = KEY + bytes + args * ARGUMENT;
        // Whatever the key holds is among the bytes.
        if self.bytes.saturating_add(added) <= self.max_bytes {
            return Ok(());
        }
        let held = grows
            .and_then(|key| self.value(key))
            .map_or(0, Value::bytes);
        let needed = added + held;
        let is_new = grows.is_none_or(|key| !self.records.contains_key(key));
        if self.bytes > self.max_bytes && is_new && !self.may_shrink {
            // Room was made before, so what is left stays.
            return Err(Error::new(
                ErrorKind::TooLarge,
                "OOM command not allowed: the embedded engine is full of locks, sessions and used-up budgets; raise \
                 its bound",
            ));
        }
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

    /// Removes expired keys, then values not used for long, then budgets that have most left, until what is left is
    /// within the bound. Locks, sessions and used-up budgets stay.
    pub(crate) fn make_room(&mut self) {
        if self.bytes <= self.max_bytes {
            return;
        }
        self.follow_wall_clock(0);
        self.reap(usize::MAX);
        while self.bytes > self.max_bytes {
            if let Some(coldest) = self.coldest() {
                self.remove_at(coldest);
            } else if !self.forget_weakest_budget() {
                return;
            }
        }
    }

    /// Whether a check may take from this budget: it is there, or there is room for it.
    pub(crate) fn has_room_for_budget(&mut self, key: &[u8]) -> bool {
        if self.contains(key) {
            return true;
        }
        if self.is_full_of_budgets() {
            self.reap(usize::MAX);
        }
        !self.is_full_of_budgets()
    }

    fn is_full_of_budgets(&self) -> bool {
        let is_full = self.bytes > self.max_bytes || self.budgets.len() >= budgets::MOST;
        is_full && self.budgets.weakest(0).is_none()
    }

    /// Notes how much of a budget is used.
    pub(crate) fn hold_budget(&mut self, key: &Bytes, level: usize) {
        if let Some(place) = self.records.get_index_of(key) {
            self.hold_budget_at(place, level);
        }
    }

    /// The same of the one at this place.
    pub(crate) fn hold_budget_at(&mut self, place: usize, level: usize) {
        let Some((key, record)) = self.records.get_index_mut(place) else {
            return;
        };
        let before = record.level.replace(level);
        if before == Some(level) {
            return;
        }
        let key = key.clone();
        if let Some(before) = before {
            self.budgets.remove(&key, before);
        }
        self.budgets.put(&key, level);
        while self.budgets.len() > budgets::MOST && self.forget_weakest_budget() {}
    }

    fn forget_weakest_budget(&mut self) -> bool {
        let number = self.roll();
        let weakest = self.budgets.weakest(number);
        weakest.is_some_and(|weakest| self.remove(&weakest))
    }

    fn coldest(&mut self) -> Option<usize> {
        if self.values == 0 {
            return None;
        }
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

    /// When the key was last touched; none for a key that the running command touches, or that is to stay.
    fn idle_since(&self, index: usize) -> Option<u64> {
        let (_, record) = self.records.get_index(index)?;
        let may_go = record.touched < self.tick && record.purpose != Purpose::Held;
        may_go.then_some(record.touched)
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
