//! The flights under way, by key.

use super::departure::{Departure, Ticket};
use super::ending::{Ending, wake};
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
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use std::task::Waker;

const SHARDS: usize = 32;

pub(super) type Shard = HashMap<Bytes, Entry, RandomState>;

/// What stands under a key.
pub(super) enum Entry {
    Flight {
        flight: Arc<Flight>,
        /// The number of the read that it began with, and its lead, until that takes it.
        reader: Option<(u64, Arc<Liveness>)>,
    },
    /// A read that nobody has joined.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    Glance {
        number: u64,
        /// What wakes it, for whoever wants to know whether it is polled.
        waker: Waker,
    },
}

impl Entry {
    fn flight(&self) -> Option<&Arc<Flight>> {
        match self {
            Self::Flight { flight, .. } => Some(flight),
            #[cfg(all(
                any(feature = "upstash", feature = "redis"),
                not(target_arch = "wasm32")
            ))]
            Self::Glance { .. } => None,
        }
    }
}

impl From<Arc<Flight>> for Entry {
    fn from(flight: Arc<Flight>) -> Self {
        Self::Flight {
            flight,
            reader: None,
        }
    }
}

pub(super) struct Table {
    /// Tells flights of one `Millpond` from those of another.
    pub(super) id: u64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
    /// How many reads have begun here without a flight.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    glances: AtomicU64,
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
            #[cfg(all(
                any(feature = "upstash", feature = "redis"),
                not(target_arch = "wasm32")
            ))]
            glances: AtomicU64::new(0),
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
        let flight = match shard.get_mut(key) {
            Some(entry) => self.joined(key, entry, now),
            None => {
                let flight = Arc::new(Flight::new(self.id, key.clone(), now));
                shard.insert(key.clone(), Arc::clone(&flight).into());
                flight
            }
        };
        let joined = flight.join(now);
        (flight, joined)
    }

    /// The flight of this entry, which may be one from now on only.
    #[cfg_attr(
        not(all(
            any(feature = "upstash", feature = "redis"),
            not(target_arch = "wasm32")
        )),
        expect(
            clippy::unused_self,
            reason = "only reads that nobody has joined become flights"
        )
    )]
    pub(super) fn joined(&self, key: &Bytes, entry: &mut Entry, now: Instant) -> Arc<Flight> {
        match entry {
            Entry::Flight { flight, .. } => Arc::clone(flight),
            #[cfg(all(
                any(feature = "upstash", feature = "redis"),
                not(target_arch = "wasm32")
            ))]
            Entry::Glance { number, waker } => {
                let flight = Arc::new(Flight::new(self.id, key.clone(), now));
                let reader = flight.reads(waker.clone());
                *entry = Entry::Flight {
                    flight: Arc::clone(&flight),
                    reader: Some((*number, reader)),
                };
                flight
            }
        }
    }

    /// Takes a place for a read that this wakes, if nothing stands under the key.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(super) fn glance(&self, key: &Bytes, waker: &Waker) -> Option<u64> {
        let mut shard = self.shard(key);
        if shard.contains_key(key) {
            return None;
        }
        let number = self.glances.fetch_add(1, Ordering::Relaxed);
        let waker = waker.clone();
        shard.insert(key.clone(), Entry::Glance { number, waker });
        Some(number)
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
                removed = shard.insert(next.key.clone(), next.into());
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
