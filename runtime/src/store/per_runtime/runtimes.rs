//! Tokio runtimes, told apart by their ids, each with a task that ends when its runtime does.

use super::Local;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::sync;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

pub(crate) struct PerRuntime<T: Local>(Arc<Entries<T>>);

struct Entries<T>(Mutex<HashMap<Id, PerRuntimeEntry<T>, RandomState>>);

struct PerRuntimeEntry<T> {
    local: Arc<T>,
    /// Dropped with the entry, which ends the sentinel.
    _alive: oneshot::Sender<Infallible>,
}

impl<T: Local> Default for PerRuntime<T> {
    fn default() -> Self {
        Self(Arc::new(Entries(Mutex::default())))
    }
}

impl<T: Local> PerRuntime<T> {
    /// The one of the current runtime, made at first use.
    pub(crate) fn current(&self, make: impl FnOnce() -> Result<T, Error>) -> Result<Arc<T>, Error> {
        let id = Handle::try_current().map_err(|_| outside())?.id();
        let (local, ended) = {
            let mut entries = self.0.lock();
            if let Some(entry) = entries.get(&id)
                && !entry.local.has_ended()
            {
                return Ok(Arc::clone(&entry.local));
            }
            let local = Arc::new(make()?);
            let (alive, ended) = oneshot::channel();
            let entry = PerRuntimeEntry {
                local: Arc::clone(&local),
                _alive: alive,
            };
            entries.insert(id, entry);
            (local, ended)
        };
        let sentinel = Sentinel {
            entries: Arc::downgrade(&self.0),
            id,
            local: Arc::downgrade(&local),
        };
        // Only now, with the lock released: a runtime that shuts down drops the task at once.
        runtime::spawn(async move {
            let _sentinel = sentinel;
            let _ = ended.await;
        });
        Ok(local)
    }

    /// How many runtimes have one.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl<T> Entries<T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, PerRuntimeEntry<T>, RandomState>> {
        sync::lock(&self.0)
    }
}

/// Lives in a parked task; is dropped when the runtime is.
struct Sentinel<T: Local> {
    entries: Weak<Entries<T>>,
    id: Id,
    local: Weak<T>,
}

impl<T: Local> Drop for Sentinel<T> {
    fn drop(&mut self) {
        let Some(local) = self.local.upgrade() else {
            return;
        };
        let Some(entries) = self.entries.upgrade() else {
            return;
        };
        let removed = {
            let mut entries = entries.lock();
            match entries.get(&self.id) {
                Some(entry) if Arc::ptr_eq(&entry.local, &local) => entries.remove(&self.id),
                _ => None,
            }
        };
        drop(removed);
        local.end();
    }
}

fn outside() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "no Tokio runtime: a remote store can only be used from a task or a block_on of Tokio",
    )
}
