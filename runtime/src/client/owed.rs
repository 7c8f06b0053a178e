//! Invalidations that could not be delivered: kept, retried, and until they are through this
//! process does not believe what the server holds under those keys.

use crate::cache::pulse;
use crate::key::FullKey;
use crate::sync;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many keys may wait; with the server gone for long, memory must not grow without end.
const MAX_PENDING: usize = 1_000_000;

/// How long a delivery task may give no sign, in ms, before another takes over: its runtime may be one
/// that nobody drives. Longer than its longest pause and a budget together.
const SILENCE: u64 = 10_000;

/// The keys whose invalidation waits to be delivered.
#[derive(Default)]
pub(crate) struct Pending {
    waiting: Mutex<Waiting>,
    len: AtomicUsize,
    /// Until when the delivery task counts as active; 0 without one.
    delivery_task: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    numbers: HashMap<Bytes, u64>,
    keys: BTreeMap<u64, FullKey>,
    newest: u64,
    /// The last one handed out: each gets its turn, whatever becomes of those before it.
    last: u64,
}

/// A pending key, and which of its invalidations.
pub(crate) type Ticket = (FullKey, u64);

impl Pending {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        sync::lock(&self.waiting)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Remembers a key; false when there is no more room.
    pub(crate) fn add(&self, key: FullKey) -> bool {
        let mut waiting = self.waiting();
        waiting.newest += 1;
        let number = waiting.newest;
        if let Some(older) = waiting.numbers.insert(key.value.clone(), number) {
            waiting.keys.remove(&older);
        } else if waiting.keys.len() >= MAX_PENDING {
            waiting.numbers.remove(&key.value);
            return false;
        }
        waiting.keys.insert(number, key);
        self.len.store(waiting.keys.len(), Ordering::SeqCst);
        true
    }

    /// The invalidation that waits for this key.
    pub(crate) fn ticket(&self, key: &FullKey) -> Option<Ticket> {
        if self.len() == 0 {
            return None;
        }
        let number = *self.waiting().numbers.get(&key.value)?;
        Some((key.clone(), number))
    }

    /// Forgets an invalidation that was delivered, unless a newer one waits for the key.
    pub(crate) fn delivered(&self, (key, number): &Ticket) {
        let mut waiting = self.waiting();
        if waiting.keys.remove(number).is_some() {
            waiting.numbers.remove(&key.value);
            self.len.store(waiting.keys.len(), Ordering::SeqCst);
        }
    }

    /// The next that wait, in turn.
    pub(crate) fn some(&self, at_most: usize) -> Vec<FullKey> {
        let mut waiting = self.waiting();
        let later = waiting
            .keys
            .range((Bound::Excluded(waiting.last), Bound::Unbounded));
        let earlier = waiting.keys.range(..=waiting.last);
        let turn: Vec<(u64, FullKey)> = later
            .chain(earlier)
            .take(at_most)
            .map(|(number, key)| (*number, key.clone()))
            .collect();
        if let Some((number, _)) = turn.last() {
            waiting.last = *number;
        }
        turn.into_iter().map(|(_, key)| key).collect()
    }

    /// The right to deliver in the background, if nobody has it. It ends when it is dropped, which
    /// also happens when the runtime of the task that holds it goes away, or after a silence.
    pub(crate) fn delivery_task(self: &Arc<Self>) -> Option<DeliveryTask> {
        let until = self.delivery_task.load(Ordering::SeqCst);
        let now = pulse::now();
        if self.len() == 0 || until > now {
            return None;
        }
        let next = now + SILENCE;
        self.delivery_task
            .compare_exchange(until, next, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
            .then(|| DeliveryTask {
                pending: Arc::clone(self),
                until: next,
            })
    }
}

/// See [`Pending::delivery_task`].
pub(crate) struct DeliveryTask {
    pending: Arc<Pending>,
    until: u64,
}

impl DeliveryTask {
    /// Gives a sign of life; false if another took over.
    pub(crate) fn is_active(&mut self) -> bool {
        let until = pulse::now() + SILENCE;
        let kept = self
            .pending
            .delivery_task
            .compare_exchange(self.until, until, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        self.until = until;
        kept
    }
}

impl Drop for DeliveryTask {
    fn drop(&mut self) {
        let mine = self.until;
        let _ = self.pending.delivery_task.compare_exchange(
            mine,
            0,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> FullKey {
        FullKey::new(format!("key:{n}").into())
    }

    #[test]
    fn every_key_gets_its_turn_though_the_first_never_get_through() {
        let pending = Pending::default();
        for n in 0..10 {
            assert!(pending.add(key(n)));
        }
        let turns: Vec<_> = (0..5)
            .flat_map(|_| pending.some(3))
            .map(|key| key.value)
            .collect();
        for n in 0..10 {
            assert!(turns.contains(&key(n).value), "{n}");
        }
    }

    #[test]
    fn a_newer_invalidation_outlives_the_delivery_of_an_older_one() {
        let pending = Pending::default();
        pending.add(key(1));
        let older = pending.ticket(&key(1)).unwrap();
        pending.add(key(1));
        pending.delivered(&older);
        assert_eq!(pending.len(), 1);
        pending.delivered(&pending.ticket(&key(1)).unwrap());
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn one_delivery_task_runs_at_a_time() {
        let pending = Arc::new(Pending::default());
        assert!(pending.delivery_task().is_none());
        pending.add(key(1));
        let mut first = pending.delivery_task().unwrap();
        assert!(pending.delivery_task().is_none());
        assert!(first.is_active());
        drop(first);
        assert!(pending.delivery_task().is_some());
    }
}
