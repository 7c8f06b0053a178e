//! Those in this process who wait for one lock: one of them looks at the server, and a release in this
//! process wakes it at once.

use crate::runtime::{self, Instant};
use crate::sync;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long whoever has the turn may go without a look, before another looks in its place: it may be a
/// future that nobody polls. Longer than the longest pause between two looks.
const SILENCE: Duration = Duration::from_millis(1_500);

/// The locks that somebody in this process waits for, and how many are being given back.
#[derive(Clone, Default)]
pub(crate) struct LockQueues {
    lines: Arc<Mutex<HashMap<String, Line>>>,
    releases: Arc<watch::Sender<usize>>,
}

impl fmt::Debug for LockQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockQueues")
    }
}

struct Line {
    waiters: Arc<Waiters>,
    places: usize,
}

struct Waiters {
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
    /// When one of them looked last.
    looked: Mutex<Instant>,
}

impl LockQueues {
    /// A place among those who wait for the lock of this name.
    pub(super) fn of(&self, name: &str) -> LockQueue {
        let mut all = self.lock();
        let line = all.entry(name.to_owned()).or_insert_with(|| Line {
            waiters: Arc::new(Waiters {
                turn: tokio::sync::Mutex::default(),
                freed: Notify::new(),
                looked: Mutex::new(runtime::now()),
            }),
            places: 0,
        });
        line.places += 1;
        LockQueue {
            all: self.clone(),
            name: name.to_owned(),
            waiters: Arc::clone(&line.waiters),
        }
    }

    /// Wakes whoever looks, if anybody waits.
    pub(super) fn free(&self, name: &str) {
        if let Some(line) = self.lock().get(name) {
            line.waiters.freed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        sync::lock(&self.lines)
    }

    /// Counts a release in the background until it is dropped.
    pub(super) fn release(&self) -> Release {
        self.releases.send_modify(|count| *count += 1);
        Release(Arc::clone(&self.releases))
    }

    /// Waits until none is under way, but no longer than this.
    pub(crate) async fn released(&self, patience: Duration) {
        let mut releases = self.releases.subscribe();
        let none = releases.wait_for(|count| *count == 0);
        runtime::timeout(patience, none).await;
    }
}

/// A release in the background.
pub(super) struct Release(Arc<watch::Sender<usize>>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A place in a queue.
pub(super) struct LockQueue {
    all: LockQueues,
    name: String,
    waiters: Arc<Waiters>,
}

impl LockQueue {
    /// Waits until no other of them looks, but no longer than this.
    pub(super) async fn turn(&self, patience: Duration) -> Option<impl Sized + '_> {
        let start = runtime::now();
        loop {
            let left = patience.saturating_sub(start.elapsed());
            let turn = runtime::timeout(left.min(SILENCE), self.waiters.turn.lock()).await;
            if turn.is_some() || left.is_zero() || self.takes_over() {
                return turn;
            }
        }
    }

    /// Whether nobody has looked for too long. Then this one does, and of all who ask it alone.
    fn takes_over(&self) -> bool {
        let mut looked = self.looked();
        let silent = looked.elapsed() >= SILENCE;
        if silent {
            *looked = runtime::now();
        }
        silent
    }

    /// Says that this one looks.
    pub(super) fn looks(&self) {
        *self.looked() = runtime::now();
    }

    fn looked(&self) -> MutexGuard<'_, Instant> {
        sync::lock(&self.waiters.looked)
    }

    /// Waits until the lock is released in this process.
    pub(super) async fn freed(&self) {
        self.waiters.freed.notified().await;
    }
}

impl Drop for LockQueue {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(line) = all.get_mut(&self.name) {
            line.places -= 1;
            if line.places == 0 {
                all.remove(&self.name);
            }
        }
    }
}
