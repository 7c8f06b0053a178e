//! Those in this process who wait for one lock: one of them looks at the server, and a release in this
//! process wakes it at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The locks that somebody in this process waits for.
#[derive(Default)]
pub(crate) struct Queues(Arc<Mutex<HashMap<String, Arc<Waiters>>>>);

#[derive(Default)]
struct Waiters {
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
}

impl Queues {
    /// A place among those who wait for the lock of this name.
    pub(super) fn of(&self, name: &str) -> Queue {
        let waiters = Arc::clone(self.lock().entry(name.to_owned()).or_default());
        Queue {
            all: Self(Arc::clone(&self.0)),
            name: name.to_owned(),
            waiters,
        }
    }

    /// Wakes whoever looks, if anybody waits.
    pub(super) fn free(&self, name: &str) {
        if let Some(waiters) = self.lock().get(name) {
            waiters.freed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Waiters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a queue.
pub(super) struct Queue {
    all: Queues,
    name: String,
    waiters: Arc<Waiters>,
}

impl Queue {
    /// Waits until no other of them looks.
    pub(super) async fn turn(&self) -> impl Sized + '_ {
        self.waiters.turn.lock().await
    }

    /// Waits until the lock is released in this process.
    pub(super) async fn freed(&self) {
        self.waiters.freed.notified().await;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        // This place and the table's own.
        if Arc::strong_count(&self.waiters) <= 2 {
            all.remove(&self.name);
        }
    }
}
