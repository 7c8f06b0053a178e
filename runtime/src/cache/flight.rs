//! Single flight: one load per key and process (at the edge: per key and request). Every caller joins the flight of its key; the first
//! leads, the others wait, and a leader that goes away or stalls hands over.
//!
//! The rules are in the states: what may be shared with whom in [`departure`], whom the end of a load
//! lets go in [`state`], how long a caller waits in [`waiter`]. Together they hold a bound: whatever
//! becomes of other callers' loads, a call takes about two bodies and its budget for the cache.

mod departure;
mod ending;
#[cfg_attr(
    not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )),
    path = "flight/only_flights.rs"
)]
mod entry;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod glance;
mod leader;
mod leaders;
mod phase;
mod result;
mod ring;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod waiter;
mod waiters;

pub(crate) use departure::Departure;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
pub(crate) use glance::{Glancing, Place};
pub(crate) use leader::Leader;
pub(crate) use result::{FlightResult, SharedError};
pub(crate) use waiter::{Patience, Waited, Waiter};

use super::liveness;
use crate::runtime::{Instant, PerRequest};
use bytes::Bytes;
use state::Joined;
use std::sync::Arc;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use std::task::Waker;
use table::Table;

/// The flights under way in one `Millpond`. Clones share them.
#[derive(Clone)]
pub(crate) struct Flights(PerRequest<Table>);

/// What a caller is in the flight of its key.
pub(crate) enum Role {
    Lead(Leader),
    Wait(Waiter),
}

impl Flights {
    pub(crate) fn new() -> Self {
        Self(PerRequest::default())
    }

    /// Whether the task that is being polled leads this key: it must not wait for itself.
    pub(crate) fn leads(&self, key: &[u8]) -> bool {
        liveness::leads(self.0.current().id, key)
    }

    /// Whether a call is looking this key up, or loading it.
    pub(crate) fn is_loading(&self, key: &str) -> bool {
        self.0.current().contains(key)
    }

    /// Leads the flight of this key, or waits in it.
    pub(crate) fn join(&self, key: &Bytes, now: Instant) -> Role {
        #[allow(
            clippy::needless_borrow,
            reason = "where requests share nothing it is no reference"
        )]
        let table = Arc::clone(&self.0.current());
        let (flight, joined) = table.join(key, now);
        match joined {
            Joined::Leader(liveness) => Role::Lead(Leader::new(table, flight, liveness)),
            Joined::Waiter(ticket, cache) => Role::Wait(Waiter::new(table, flight, ticket, cache)),
        }
    }

    /// Reads under this key, woken by this, if nobody else does: then there is no flight until somebody joins.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(crate) fn glance(&self, key: &Bytes, waker: &Waker) -> Option<Glancing> {
        Glancing::begin(Arc::clone(self.0.current()), key, waker)
    }

    /// Takes the flight of this key out of the table: callers from now on start anew, and what the
    /// flight loads is not stored.
    pub(crate) fn detach(&self, key: &str) {
        self.0.current().detach(key);
    }

    /// Takes every flight out of the table whose key this holds for.
    pub(crate) fn detach_where(&self, matches: impl Fn(&str) -> bool) {
        self.0.current().detach_where(matches);
    }

    /// How many flights are under way.
    pub(crate) fn len(&self) -> usize {
        self.0.current().len()
    }
}
