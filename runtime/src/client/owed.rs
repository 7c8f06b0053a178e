//! What this process owes the server: invalidations that could not be delivered, and writes without an answer
//! that are to be given up. Until it is through, this process does not believe what the server holds under
//! those keys.

mod filter;
mod owed_key;
mod prefixes;

use crate::key::FullKey;
use crate::runtime;
use crate::sync;
use bytes::Bytes;
pub(crate) use owed_key::Owed;
use prefixes::Prefixes;
pub(crate) use prefixes::{NextWalk, Walk};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How many bytes the keys that wait may take up; with the server gone for long, memory must not grow without
/// end. From then on prefixes wait.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// How long a delivery task may give no sign, in ms, before another takes over: its runtime may be one
/// that nobody drives. Longer than its longest pause and a budget together.
const SILENCE: u64 = 10_000;

/// The keys for which something waits to be delivered, and the prefixes, where they are too many.
pub(crate) struct Pending {
    waiting: Mutex<Waiting>,
    max_bytes: usize,
    /// How many bytes of each key are the namespace.
    namespace: usize,
    /// Of keys and prefixes.
    len: AtomicUsize,
    prefixes: AtomicUsize,
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
    prefixes: Option<Prefixes>,
}

/// What waits for a key, and its place in the queue, which changes when more is owed; none if only its prefix
/// waits.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) owed: Owed,
    place: Option<u64>,
}

/// What came of remembering what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    Key,
    /// There was no room for its key.
    Prefix,
    /// There was no room for keys any more: from now on prefixes wait.
    FirstPrefix,
}

impl Waiting {
    fn take(&mut self, place: u64) -> Option<Owed> {
        let owed = self.keys.remove(&place)?;
        self.places.remove(&owed.key.value);
        self.bytes = self.bytes.saturating_sub(weight(&owed.key));
        Some(owed)
    }

    fn push(&mut self, owed: Owed) {
        self.newest += 1;
        self.bytes += weight(&owed.key);
        self.places.insert(owed.key.value.clone(), self.newest);
        self.keys.insert(self.newest, owed);
    }
}

/// What a key that waits takes up: its own bytes and those of its guard, and its places in both maps.
fn weight(key: &FullKey) -> usize {
    key.value.len() + key.guard.len() + 256
}

/// The prefix of a key behind so many bytes of namespace, with both: empty if it has none.
fn prefix_of(key: &Bytes, namespace: usize) -> Bytes {
    let name = key.get(namespace..).unwrap_or_default();
    match name.iter().position(|byte| *byte == b':') {
        Some(end) => key.slice(..=namespace + end),
        None => Bytes::new(),
    }
}

impl Pending {
    /// Nothing yet. `namespace`: how many bytes of each key it is.
    pub(crate) fn new(namespace: usize) -> Self {
        Self::bounded(MAX_BYTES, namespace)
    }

    fn bounded(max_bytes: usize, namespace: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            max_bytes,
            namespace,
            len: AtomicUsize::new(0),
            prefixes: AtomicUsize::new(0),
            delivery_task: AtomicU64::new(0),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        sync::lock(&self.waiting)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// How many of these are prefixes.
    pub(crate) fn prefixes(&self) -> usize {
        self.prefixes.load(Ordering::SeqCst)
    }

    fn count(&self, waiting: &Waiting) {
        let prefixes = waiting.prefixes.as_ref().map_or(0, Prefixes::len);
        self.prefixes.store(prefixes, Ordering::SeqCst);
        let len = waiting.keys.len() + prefixes;
        self.len.store(len, Ordering::SeqCst);
    }

    /// Remembers what is owed, together with what is owed for the key already. Where there is no more room for
    /// keys, prefixes take their place, those of most bytes first. `now`: by the monotonic clock.
    pub(crate) fn add(&self, mut owed: Owed, now: Duration) -> Added {
        let mut waiting = self.waiting();
        let older = waiting.places.get(&owed.key.value).copied();
        if let Some(older) = older.and_then(|place| waiting.take(place)) {
            owed = owed.with(&older);
        }
        let mut added = Added::Key;
        if waiting.bytes + weight(&owed.key) > self.max_bytes {
            added = if waiting.prefixes.is_some() {
                Added::Prefix
            } else {
                Added::FirstPrefix
            };
            self.make_room(&mut waiting, now);
        }
        let prefix = prefix_of(&owed.key.value, self.namespace);
        match &mut waiting.prefixes {
            Some(prefixes) if prefixes.takes(&prefix) => {
                prefixes.add(&prefix, &owed, now);
                if added == Added::Key {
                    added = Added::Prefix;
                }
            }
            _ => waiting.push(owed),
        }
        self.count(&waiting);
        added
    }

    /// Lets prefixes stand for half of the bytes.
    fn make_room(&self, waiting: &mut Waiting, now: Duration) {
        let mut sizes: HashMap<Bytes, usize> = HashMap::new();
        for owed in waiting.keys.values() {
            let prefix = prefix_of(&owed.key.value, self.namespace);
            *sizes.entry(prefix).or_default() += weight(&owed.key);
        }
        let mut sizes: Vec<(usize, Bytes)> = sizes
            .into_iter()
            .map(|(prefix, size)| (size, prefix))
            .collect();
        sizes.sort_unstable();
        let (mut doomed, mut left) = (HashSet::new(), waiting.bytes);
        while left > self.max_bytes / 2
            && let Some((size, prefix)) = sizes.pop()
        {
            left = left.saturating_sub(size);
            doomed.insert(prefix);
        }
        let mut prefixes = waiting
            .prefixes
            .take()
            .unwrap_or_else(|| Prefixes::new(self.max_bytes / 4));
        for (place, owed) in std::mem::take(&mut waiting.keys) {
            let prefix = prefix_of(&owed.key.value, self.namespace);
            if doomed.contains(&prefix) {
                waiting.places.remove(&owed.key.value);
                waiting.bytes = waiting.bytes.saturating_sub(weight(&owed.key));
                prefixes.add(&prefix, &owed, now);
            } else {
                waiting.keys.insert(place, owed);
            }
        }
        waiting.places.shrink_to_fit();
        waiting.prefixes = Some(prefixes);
    }

    /// What waits for this key.
    pub(crate) fn ticket(&self, key: &FullKey) -> Option<Ticket> {
        if self.len() == 0 {
            return None;
        }
        let waiting = self.waiting();
        let place = waiting.places.get(&key.value).copied();
        let owed = place.and_then(|place| waiting.keys.get(&place)).cloned();
        let under = waiting
            .prefixes
            .as_ref()
            .and_then(|prefixes| prefixes.owed(&prefix_of(&key.value, self.namespace), key));
        let owed = match (owed, under) {
            (Some(owed), Some(under)) => owed.with(&under),
            (owed, under) => owed.or(under)?,
        };
        Some(Ticket { owed, place })
    }

    /// Forgets what was delivered, unless more is owed for the key since.
    pub(crate) fn delivered(&self, ticket: &Ticket) {
        let mut waiting = self.waiting();
        if let Some(place) = ticket.place {
            waiting.take(place);
        }
        if let Some(prefixes) = &mut waiting.prefixes {
            prefixes.close(&prefix_of(&ticket.owed.key.value, self.namespace));
        }
        self.count(&waiting);
    }

    /// Which prefix is to be walked through, now or later. `settle`: after how long no load is under way any more
    /// that began before.
    pub(crate) fn next_walk(&self, now: Duration, settle: Duration) -> NextWalk {
        let waiting = self.waiting();
        // Without a namespace, not all keys are ours.
        let may_walk_all = self.namespace > 0;
        let prefixes = waiting.prefixes.as_ref();
        prefixes.map_or(NextWalk::None, |prefixes| {
            prefixes.next(now, settle, may_walk_all)
        })
    }

    /// What is owed for a key that a walk has found.
    pub(crate) fn owed_under(&self, walk: &Walk, key: &FullKey) -> Option<Owed> {
        let prefix = prefix_of(&key.value, self.namespace);
        if !walk.is_of_all() && walk.prefix != prefix {
            return None;
        }
        self.waiting().prefixes.as_ref()?.owed(&prefix, key)
    }

    /// A walk has come to its end; whether it was the last.
    pub(crate) fn walked(&self, walk: &Walk, settle: Duration) -> bool {
        let mut waiting = self.waiting();
        let Some(prefixes) = &mut waiting.prefixes else {
            return false;
        };
        let is_last = prefixes.walked(walk, settle) && prefixes.len() == 0;
        if is_last {
            waiting.prefixes = None;
        }
        self.count(&waiting);
        is_last
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
                place: Some(place),
            })
            .collect();
        if let Some(place) = turn.last().and_then(|ticket| ticket.place) {
            waiting.last = place;
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
mod tests;
