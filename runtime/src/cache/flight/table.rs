//! The flights under way, by key.

use super::departure::{Departure, Ticket};
use super::ending::{Ending, wake};
use super::entry::Entry;
use super::result::FlightResult;
use super::state::{Detached, Flight, Joined, Leaves};
use crate::cache::liveness::Liveness;
use crate::random;
use crate::runtime::Instant;
use crate::sync;
use bytes::Bytes;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};

const SHARDS: usize = 32;

pub(super) type Shard = HashMap<Bytes, Entry, RandomState>;

pub(super) struct Table {
    /// Tells flights of one `Millpond` from those of another.
    pub(super) id: u64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            id: random::random_u64(),
            hasher: RandomState::default(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    pub(super) fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[at])
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.shard(key.as_bytes()).contains_key(key.as_bytes())
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Joins the flight of this key, or begins it.
    pub(super) fn join(&self, key: &Bytes, now: Instant) -> (Arc<Flight>, Joined) {
        let mut shard = self.shard(key);
        let flight = if let Some(entry) = shard.get_mut(key) {
            entry.joined(|| self.begin(key, now))
        } else {
            let flight = Arc::new(self.begin(key, now));
            shard.insert(key.clone(), Entry::of(Arc::clone(&flight)));
            flight
        };
        let joined = flight.join(now);
        (flight, joined)
    }

    /// A flight that nobody is part of yet.
    pub(super) fn begin(&self, key: &Bytes, now: Instant) -> Flight {
        Flight::new(self.id, key.clone(), now)
    }

    /// A leader is done, with something to share or with nothing.
    pub(super) fn end(
        &self,
        flight: &Arc<Flight>,
        leader: &Arc<Liveness>,
        result: Option<&(FlightResult, Departure)>,
        ending: Ending,
    ) {
        // Held over the end of the flight: whoever joined in between would wait for nobody.
        let mut shard = self.shard(&flight.key);
        let ended = flight.end(leader, result, ending);
        let removed = if ended.is_over {
            remove(&mut shard, flight)
        } else {
            None
        };
        drop(shard);
        drop(removed);
        wake(ended.wakers);
    }

    /// A waiter goes away.
    pub(super) fn leave(&self, mut flight: Arc<Flight>, ticket: Ticket) {
        loop {
            match flight.leave(ticket) {
                Leaves::Moved(next) => flight = next,
                Leaves::Led(leader) => {
                    return self.end(&flight, &leader, None, Ending::Abandoned);
                }
                Leaves::Others => return,
                Leaves::Last => {
                    let mut shard = self.shard(&flight.key);
                    let removed = if flight.is_idle() {
                        remove(&mut shard, &flight)
                    } else {
                        None
                    };
                    drop(shard);
                    drop(removed);
                    return;
                }
            }
        }
    }

    /// Takes the flight of this key out of the table, for an invalidation.
    pub(super) fn detach(&self, key: &str) {
        let mut shard = self.shard(key.as_bytes());
        let Some(entry) = shard.get(key.as_bytes()) else {
            return;
        };
        let (mut wake_up, mut removed) = (Vec::new(), None);
        match entry.flight().map(|flight| flight.detach()) {
            Some(Detached::Stays) => {}
            // A read that nobody has joined left before.
            Some(Detached::Goes) | None => removed = shard.remove(key.as_bytes()),
            Some(Detached::Replaced(next, wakers)) => {
                removed = shard.insert(next.key.clone(), Entry::of(next));
                wake_up = wakers;
            }
        }
        drop(shard);
        drop(removed);
        wake(wake_up);
    }

    /// Takes every flight out of the table whose key this holds for.
    pub(super) fn detach_where(&self, matches: impl Fn(&str) -> bool) {
        for shard in &self.shards {
            let keys: Vec<Bytes> = lock(shard).keys().cloned().collect();
            // Keys are made of texts.
            let keys = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
            for key in keys.filter(|key| matches(key)) {
                self.detach(key);
            }
        }
    }
}

/// Takes out a flight that is over, unless another stands under its key.
fn remove(shard: &mut Shard, flight: &Arc<Flight>) -> Option<Entry> {
    let current = shard.get(&flight.key)?.flight()?;
    if Arc::ptr_eq(current, flight) {
        shard.remove(&flight.key)
    } else {
        None
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    sync::lock(shard)
}
