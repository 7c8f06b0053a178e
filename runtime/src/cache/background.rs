//! The loads that run in the background: at most one for each key and process (at the edge: and request).

use crate::runtime::{BoxFuture, PerRequest};
use crate::sync;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A task that loads a value.
pub(crate) type BackgroundTask = BoxFuture<()>;

/// The background loads of one `Millpond`. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Backgrounds(PerRequest<Table>);

struct Table {
    loads: Mutex<HashMap<Arc<str>, Arc<Load>>>,
    running: watch::Sender<usize>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            loads: Mutex::default(),
            running: watch::Sender::new(0),
        }
    }
}

struct Load {
    out_of_date: AtomicBool,
    progress: watch::Sender<Progress>,
}

/// How far a background load is.
#[derive(Clone, Debug)]
pub(crate) enum Progress {
    Running,
    /// The body returned this, and it is being stored.
    Loaded(Bytes),
    /// It is over: what it loaded, if it loaded something.
    Done(Option<Bytes>),
}

/// The right to run the background load of a key. Dropping it ends the load.
pub(crate) struct Begun {
    table: Arc<Table>,
    key: Arc<str>,
    load: Arc<Load>,
}

impl Backgrounds {
    fn table(&self) -> Arc<Table> {
        #[allow(
            clippy::needless_borrow,
            reason = "where requests share nothing it is no reference"
        )]
        let table = Arc::clone(&self.0.current());
        table
    }

    /// Begins the load of this key, unless one is running.
    pub(crate) fn begin(&self, key: &str) -> Option<Begun> {
        let table = self.table();
        let mut loads = sync::lock(&table.loads);
        if loads.contains_key(key) {
            return None;
        }
        let key: Arc<str> = key.into();
        let load = Arc::new(Load {
            out_of_date: AtomicBool::new(false),
            progress: watch::Sender::new(Progress::Running),
        });
        loads.insert(Arc::clone(&key), Arc::clone(&load));
        drop(loads);
        table.running.send_modify(|running| *running += 1);
        Some(Begun { table, key, load })
    }

    /// The key was invalidated or written: what its load returns is not stored.
    pub(crate) fn detach(&self, key: &str) {
        let table = self.table();
        let load = sync::lock(&table.loads).remove(key);
        if let Some(load) = load {
            load.out_of_date.store(true, Ordering::SeqCst);
        }
    }

    /// The same for every key for which this holds.
    pub(crate) fn detach_where(&self, matches: impl Fn(&str) -> bool) {
        let table = self.table();
        let mut loads = sync::lock(&table.loads);
        for (_, load) in loads.extract_if(|key, _| matches(key)) {
            load.out_of_date.store(true, Ordering::SeqCst);
        }
    }

    /// Whether the load of this key runs.
    pub(crate) fn is_running(&self, key: &str) -> bool {
        sync::lock(&self.table().loads).contains_key(key)
    }

    /// Waits until none is running.
    pub(crate) async fn idle(&self) {
        let mut running = self.table().running.subscribe();
        // An error says that the table is gone, and with it all loads.
        let _ = running.wait_for(|running| *running == 0).await;
    }
}

impl Begun {
    pub(crate) fn is_out_of_date(&self) -> bool {
        self.load.out_of_date.load(Ordering::SeqCst)
    }

    /// What follows the load.
    pub(crate) fn follow(&self) -> watch::Receiver<Progress> {
        self.load.progress.subscribe()
    }

    /// The body returned this.
    pub(crate) fn loaded(&self, plain: Bytes) {
        self.load.progress.send_replace(Progress::Loaded(plain));
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let mut loads = sync::lock(&self.table.loads);
        let current = loads.get(&self.key);
        if current.is_some_and(|current| Arc::ptr_eq(current, &self.load)) {
            loads.remove(&self.key);
        }
        drop(loads);
        self.load.progress.send_modify(|progress| {
            *progress = Progress::Done(match progress {
                Progress::Loaded(plain) => Some(plain.clone()),
                Progress::Running | Progress::Done(_) => None,
            });
        });
        self.table.running.send_modify(|running| *running -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::Backgrounds;

    #[tokio::test]
    async fn one_load_of_a_key_runs_at_a_time_and_an_invalidation_makes_room_for_another() {
        let backgrounds = Backgrounds::default();
        let first = backgrounds.begin("k").unwrap();
        assert!(backgrounds.begin("k").is_none());
        let other = backgrounds.begin("other").unwrap();
        backgrounds.detach("k");
        assert!(first.is_out_of_date());
        let second = backgrounds.begin("k").unwrap();
        drop(first);
        assert!(backgrounds.begin("k").is_none());
        assert!(!second.is_out_of_date());
        drop((second, other));
        backgrounds.idle().await;
        assert!(backgrounds.begin("k").is_some());
    }
}
