//! Who waits for whom. The body of `a` may wait for a load of `b` in another task, whose body waits
//! for `a`: a ring, in which nobody would ever go on. So a call that is part of a body looks, before
//! it waits, where its wait leads; where that is back to itself, its own body runs.
//!
//! One graph serves all tasks, and every `Millpond` of the process. What a body spawns cannot be
//! seen: it waits until `flight_wait` is over.

use super::departure::Ticket;
use super::state::Flight;
use crate::cache::liveness::{self, Liveness};
use crate::sync;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// Calls that are no part of a body hold nobody up, and have no place here.
static WAITS: Mutex<Waits> = Mutex::new(Waits {
    last: 0,
    places: BTreeMap::new(),
});

struct Waits {
    last: u64,
    /// Where a leader waits: by the address of the leader, which its wait keeps alive, and by the
    /// number of the wait, of which a body may have several.
    places: BTreeMap<(usize, u64), (Arc<Flight>, Ticket)>,
}

/// A wait that is known to the graph, until it is dropped.
pub(super) struct KnownWait {
    number: u64,
    /// The leaders that the call is a part of.
    holds_up: Vec<Arc<Liveness>>,
}

/// Remembers a wait that is about to begin. Nothing comes back if it would close a ring.
pub(super) fn enter(flight: &Arc<Flight>, ticket: Ticket) -> Option<KnownWait> {
    let holds_up = liveness::leading();
    if holds_up.is_empty() {
        return Some(KnownWait {
            number: 0,
            holds_up,
        });
    }
    // Held over the search: of the waits that would close a ring, exactly one finds it closed.
    let mut waits = waits();
    if waits.lead_back(flight, ticket, &holds_up) {
        return None;
    }
    waits.last += 1;
    let number = waits.last;
    for leader in &holds_up {
        let place = (Arc::clone(flight), ticket);
        waits.places.insert((address(leader), number), place);
    }
    Some(KnownWait { number, holds_up })
}

impl Waits {
    /// Whether waiting in this flight is waiting for one of these leaders.
    fn lead_back(&self, flight: &Arc<Flight>, ticket: Ticket, us: &[Arc<Liveness>]) -> bool {
        let us: Vec<usize> = us.iter().map(address).collect();
        let mut known = BTreeSet::new();
        let mut open = vec![(Arc::clone(flight), ticket)];
        while let Some((mut flight, ticket)) = open.pop() {
            while let Some(next) = flight.moved(ticket) {
                flight = next;
            }
            for leader in flight.leaders().iter().map(address) {
                if us.contains(&leader) {
                    return true;
                }
                if known.insert(leader) {
                    let places = self.places.range((leader, 0)..=(leader, u64::MAX));
                    open.extend(places.map(|(_, place)| place.clone()));
                }
            }
        }
        false
    }
}

fn address(leader: &Arc<Liveness>) -> usize {
    Arc::as_ptr(leader).addr()
}

fn waits() -> MutexGuard<'static, Waits> {
    sync::lock(&WAITS)
}

impl Drop for KnownWait {
    fn drop(&mut self) {
        if self.holds_up.is_empty() {
            return;
        }
        let mut waits = waits();
        let ended: Vec<_> = self
            .holds_up
            .iter()
            .map(|leader| waits.places.remove(&(address(leader), self.number)))
            .collect();
        drop(waits);
        // Only now: these may be the last handles of a flight.
        drop(ended);
    }
}
