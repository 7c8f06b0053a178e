//! Which lock is wanted, and for how long.

use super::queue::LockQueues;
use crate::client::Client;
use crate::key::{FullKey, Key};
use std::sync::Arc;
use std::time::Duration;

/// A lock, whether or not somebody holds it.
#[derive(Clone, Debug)]
pub(super) struct LockTarget {
    pub(super) client: Arc<Client>,
    pub(super) queues: LockQueues,
    pub(super) key: Key,
    pub(super) ttl: Duration,
    pub(super) options: LockOptions,
}

impl LockTarget {
    pub(super) fn full(&self) -> FullKey {
        self.client.full(&self.key)
    }

    /// Wakes a waiter of this process.
    pub(super) fn free(&self) {
        self.queues.free(&self.client.name(&self.key));
    }
}

/// How long a lock is to be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct LockOptions {
    pub(super) extended: bool,
    pub(super) longest: Option<Duration>,
}

impl Default for LockOptions {
    fn default() -> Self {
        Self {
            extended: true,
            longest: None,
        }
    }
}

impl LockOptions {
    /// The first lifetime of the lock.
    pub(super) fn first(self, ttl: Duration) -> Duration {
        self.longest.map_or(ttl, |longest| ttl.min(longest))
    }
}
