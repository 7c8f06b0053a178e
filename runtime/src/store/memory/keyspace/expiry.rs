//! Keys whose time is over: when to look at them, by both clocks.

use super::Keyspace;
use crate::store::memory::deadline::Now;
use std::cmp::Reverse;

/// Expired keys removed at most in passing, so that no caller pays for everybody's.
const REAPED_PER_BATCH: usize = 32;

/// How far in ms the wall clock may run ahead of the monotonic one before keys are looked for in passing
/// whose time is over by it alone. A key that is asked for is looked at in any case.
const AHEAD: i128 = 1_000;

impl Keyspace {
    /// A batch starts: its commands share one reading of the clock, and clear a few expired keys.
    pub(crate) fn begin(&mut self, now: Now) {
        self.now = now;
        self.follow_wall_clock(AHEAD);
        self.reap(REAPED_PER_BATCH);
    }

    pub(super) fn remember_deadline(&mut self, key: &[u8]) {
        let Some((_, key, record)) = self.records.get_full_mut(key) else {
            return;
        };
        let Some(deadline) = record.deadline else {
            return;
        };
        record.due = deadline.due(self.now, record.purpose);
        self.deadlines.push(Reverse((record.due, key.clone())));
        // Each overwrite leaves a stale deadline behind; together they stay fewer than the keys.
        if self.deadlines.len() > 2 * self.records.len() + 64 {
            self.gather_deadlines();
        }
    }

    /// Makes the deadlines anew where the wall clock, so many ms ahead, says that some are earlier.
    pub(super) fn follow_wall_clock(&mut self, ahead: i128) {
        let now = self.now.wall_ahead();
        if now > self.wall_ahead + ahead {
            self.wall_ahead = now;
            self.gather_deadlines();
        }
    }

    fn gather_deadlines(&mut self) {
        let now = self.now;
        self.deadlines = self
            .records
            .iter_mut()
            .filter_map(|(key, record)| {
                record.due = record.deadline?.due(now, record.purpose);
                Some(Reverse((record.due, key.clone())))
            })
            .collect();
    }

    pub(super) fn reap(&mut self, at_most: usize) {
        for _ in 0..at_most {
            let next = self.deadlines.peek();
            if next.is_none_or(|Reverse((due, _))| !self.now.is_due(*due)) {
                return;
            }
            let Some(Reverse((due, key))) = self.deadlines.pop() else {
                return;
            };
            match self.records.get(&key) {
                Some(record) if record.due != due => {}
                Some(record) if record.is_over(self.now) => _ = self.remove(&key),
                // The wall clock went back since.
                Some(_) => self.remember_deadline(&key),
                None => {}
            }
        }
    }
}
