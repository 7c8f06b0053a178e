//! What this process owes the server: invalidations that could not be delivered, and writes without an answer
//! that are to be given up. Until it is through, this process does not believe what the server holds under
//! those keys.

use crate::key::FullKey;
use crate::runtime;
use crate::sync;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many bytes the keys that wait may have; with the server gone for long, memory must not grow without
/// end.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long a delivery task may give no sign, in ms, before another takes over: its runtime may be one
/// that nobody drives. Longer than its longest pause and a budget together.
const SILENCE: u64 = 10_000;

/// A key whose writes up to this number are to be given up, and whether its value is to be removed.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) key: FullKey,
    pub(crate) number: u64,
    pub(crate) removes: bool,
}

impl Owed {
    /// This and what is owed for the same key already.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self {
            key: self.key.clone(),
            number: self.number.max(other.number),
            removes: self.removes || other.removes,
        }
    }
}

/// The keys for which something waits to be delivered.
#[derive(Default)]
pub(crate) struct Pending {
    waiting: Mutex<Waiting>,
    len: AtomicUsize,
    /// Until when the delivery task counts as active; 0 without one.
    delivery_task: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    places: HashMap<Bytes, u64>,
    keys: BTreeMap<u64, Owed>,
    bytes: usize,
    newest: u64,
    /// The last one handed out: each gets its turn, whatever becomes of those before it.
    last: u64,
}

/// What waits for a key, and its place in the queue, which changes when more is owed.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) owed: Owed,
    place: u64,
}

impl Waiting {
    fn take(&mut self, place: u64) -> Option<Owed> {
        let owed = self.keys.remove(&place)?;
        self.places.remove(&owed.key.value);
        self.bytes = self.bytes.saturating_sub(weight(&owed.key));
        Some(owed)
    }
}

/// What a key that waits takes up: its own bytes and those of its guard, and its places in both maps.
fn weight(key: &FullKey) -> usize {
    key.value.len() + key.guard.len() + 128
}

impl Pending {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        sync::lock(&self.waiting)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Remembers what is owed, together with what is owed for the key already; false when there is no more
    /// room.
    pub(crate) fn add(&self, mut owed: Owed) -> bool {
        let mut waiting = self.waiting();
        let older = waiting.places.get(&owed.key.value).copied();
        if let Some(older) = older.and_then(|place| waiting.take(place)) {
            owed = owed.with(&older);
        } else if waiting.bytes + weight(&owed.key) > MAX_BYTES {
            return false;
        }
        waiting.newest += 1;
        let place = waiting.newest;
        waiting.bytes += weight(&owed.key);
        waiting.places.insert(owed.key.value.clone(), place);
        waiting.keys.insert(place, owed);
        self.len.store(waiting.keys.len(), Ordering::SeqCst);
        true
    }

    /// What waits for this key.
    pub(crate) fn ticket(&self, key: &FullKey) -> Option<Ticket> {
        if self.len() == 0 {
            return None;
        }
        let waiting = self.waiting();
        let place = *waiting.places.get(&key.value)?;
        let owed = waiting.keys.get(&place)?.clone();
        Some(Ticket { owed, place })
    }

    /// Forgets what was delivered, unless more is owed for the key since.
    pub(crate) fn delivered(&self, ticket: &Ticket) {
        let mut waiting = self.waiting();
        waiting.take(ticket.place);
        self.len.store(waiting.keys.len(), Ordering::SeqCst);
    }

    /// The next that wait, in turn.
    pub(crate) fn some(&self, at_most: usize) -> Vec<Ticket> {
        let mut waiting = self.waiting();
        let later = waiting
            .keys
            .range((Bound::Excluded(waiting.last), Bound::Unbounded));
        let earlier = waiting.keys.range(..=waiting.last);
        let turn: Vec<Ticket> = later
            .chain(earlier)
            .take(at_most)
            .map(|(&place, owed)| Ticket {
                owed: owed.clone(),
                place,
            })
            .collect();
        if let Some(ticket) = turn.last() {
            waiting.last = ticket.place;
        }
        turn
    }

    /// The right to deliver in the background, if nobody has it. It ends when it is dropped, which
    /// also happens when the runtime of the task that holds it goes away, or after a silence.
    pub(crate) fn delivery_task(self: &Arc<Self>) -> Option<DeliveryTask> {
        let until = self.delivery_task.load(Ordering::SeqCst);
        let now = runtime::real_ms();
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
        let until = runtime::real_ms() + SILENCE;
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

    fn owed(n: usize) -> Owed {
        Owed {
            key: key(n),
            number: 1,
            removes: false,
        }
    }

    #[test]
    fn every_key_gets_its_turn_though_the_first_never_get_through() {
        let pending = Pending::default();
        for n in 0..10 {
            assert!(pending.add(owed(n)));
        }
        let turns: Vec<_> = (0..5)
            .flat_map(|_| pending.some(3))
            .map(|ticket| ticket.owed.key.value)
            .collect();
        for n in 0..10 {
            assert!(turns.contains(&key(n).value), "{n}");
        }
    }

    #[test]
    fn a_newer_invalidation_outlives_the_delivery_of_an_older_one() {
        let pending = Pending::default();
        pending.add(owed(1));
        let older = pending.ticket(&key(1)).unwrap();
        pending.add(owed(1));
        pending.delivered(&older);
        assert_eq!(pending.len(), 1);
        pending.delivered(&pending.ticket(&key(1)).unwrap());
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn what_is_owed_for_a_key_twice_is_owed_together() {
        let pending = Pending::default();
        for (number, removes) in [(1, false), (7, true), (3, false)] {
            let key = key(1);
            pending.add(Owed {
                key,
                number,
                removes,
            });
        }
        let Ticket { owed, .. } = pending.ticket(&key(1)).unwrap();
        assert_eq!((owed.number, owed.removes, pending.len()), (7, true, 1));
    }

    #[test]
    fn one_delivery_task_runs_at_a_time() {
        let pending = Arc::new(Pending::default());
        assert!(pending.delivery_task().is_none());
        pending.add(owed(1));
        let mut first = pending.delivery_task().unwrap();
        assert!(pending.delivery_task().is_none());
        assert!(first.is_active());
        drop(first);
        assert!(pending.delivery_task().is_some());
    }
}
