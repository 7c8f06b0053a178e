//! The flights under way, by key.

use super::departure::{Departure, Ticket};
use super::ending::{Ending, wake};
use super::result::FlightResult;
use super::state::{Detached, Flight, Joined, Leaves};
use crate::cache::liveness::Liveness;
use crate::random;
use crate::runtime::Instant;
use crate::sync;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard};

const SHARDS: usize = 32;

type Shard = HashMap<Arc<str>, Arc<Flight>, RandomState>;

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

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[at])
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.shard(key).contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Joins the flight of this key, or begins it.
    pub(super) fn join(&self, key: &str, now: Instant) -> (Arc<Flight>, Joined) {
        let mut shard = self.shard(key);
        let flight = if let Some(flight) = shard.get(key) {
            Arc::clone(flight)
        } else {
            let name: Arc<str> = key.into();
            let flight = Arc::new(Flight::new(self.id, Arc::clone(&name), now));
            shard.insert(name, Arc::clone(&flight));
            flight
        };
        let joined = flight.join(now);
        (flight, joined)
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
        let mut shard = self.shard(key);
        let Some(flight) = shard.get(key).map(Arc::clone) else {
            return;
        };
        let mut wake_up = Vec::new();
        match flight.detach() {
            Detached::Stays => {}
            Detached::Goes => drop(shard.remove(key)),
            Detached::Replaced(next, wakers) => {
                shard.insert(Arc::clone(&next.key), next);
                wake_up = wakers;
            }
        }
        drop(shard);
        wake(wake_up);
    }

    /// Takes every flight out of the table whose key this holds for.
    pub(super) fn detach_where(&self, matches: impl Fn(&str) -> bool) {
        for shard in &self.shards {
            let keys: Vec<Arc<str>> = lock(shard)
                .keys()
                .filter(|key| matches(key))
                .map(Arc::clone)
                .collect();
            for key in keys {
                self.detach(&key);
            }
        }
    }
}

/// Takes out a flight that is over, unless another stands under its key.
fn remove(shard: &mut Shard, flight: &Arc<Flight>) -> Option<Arc<Flight>> {
    let current = shard.get(&flight.key)?;
    if Arc::ptr_eq(current, flight) {
        shard.remove(&flight.key)
    } else {
        None
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    sync::lock(shard)
}
