//! Invalidations that could not be delivered: kept, retried, and until they are through this
//! process does not believe what the server holds under those keys.

use crate::key::FullKey;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many keys may wait; with the server gone for long, memory must not grow without end.
const MAX_PENDING: usize = 1_000_000;

/// The keys whose invalidation waits to be delivered.
#[derive(Default)]
pub(crate) struct Pending {
    keys: Mutex<HashMap<Bytes, (FullKey, u64)>>,
    len: AtomicUsize,
    counter: AtomicUsize,
    courier: AtomicBool,
}

/// A pending key, and which of its invalidations.
pub(crate) type Ticket = (FullKey, u64);

impl Pending {
    fn keys(&self) -> MutexGuard<'_, HashMap<Bytes, Ticket>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Remembers a key; false when there is no more room.
    pub(crate) fn add(&self, key: FullKey) -> bool {
        let number = self.counter.fetch_add(1, Ordering::SeqCst) as u64;
        let mut keys = self.keys();
        if keys.len() >= MAX_PENDING && !keys.contains_key(&key.value) {
            return false;
        }
        keys.insert(key.value.clone(), (key, number));
        self.len.store(keys.len(), Ordering::SeqCst);
        true
    }

    /// The invalidation that waits for this key.
    pub(crate) fn ticket(&self, key: &FullKey) -> Option<Ticket> {
        if self.len() == 0 {
            return None;
        }
        self.keys().get(&key.value).cloned()
    }

    /// Forgets an invalidation that was delivered, unless a newer one waits for the key.
    pub(crate) fn delivered(&self, (key, number): &Ticket) {
        let mut keys = self.keys();
        if keys
            .get(&key.value)
            .is_some_and(|(_, newest)| newest == number)
        {
            keys.remove(&key.value);
            self.len.store(keys.len(), Ordering::SeqCst);
        }
    }

    /// Some that wait.
    pub(crate) fn some(&self, at_most: usize) -> Vec<Ticket> {
        self.keys().values().take(at_most).cloned().collect()
    }

    /// The right to deliver in the background, if nobody has it. It ends when it is dropped, which
    /// also happens when the runtime of the task that holds it goes away.
    pub(crate) fn courier(self: &std::sync::Arc<Self>) -> Option<Courier> {
        (self.len() > 0 && !self.courier.swap(true, Ordering::SeqCst))
            .then(|| Courier(std::sync::Arc::clone(self)))
    }
}

/// See [`Pending::courier`].
pub(crate) struct Courier(std::sync::Arc<Pending>);

impl Drop for Courier {
    fn drop(&mut self) {
        self.0.courier.store(false, Ordering::SeqCst);
    }
}
