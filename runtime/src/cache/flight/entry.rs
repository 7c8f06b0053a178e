//! What stands under a key of the table: a flight, or a read that nobody has joined.

use super::state::Flight;
use crate::cache::liveness::Liveness;
use std::sync::Arc;
use std::task::Waker;

pub(super) enum Entry {
    Flight {
        flight: Arc<Flight>,
        /// The number of the read that it began with, and its lead, until that takes it.
        reader: Option<(u64, Arc<Liveness>)>,
    },
    Glance {
        number: u64,
        /// What wakes it, for whoever wants to know whether it is polled.
        waker: Waker,
    },
}

impl Entry {
    pub(super) fn of(flight: Arc<Flight>) -> Self {
        Self::Flight {
            flight,
            reader: None,
        }
    }

    pub(super) fn flight(&self) -> Option<&Arc<Flight>> {
        match self {
            Self::Flight { flight, .. } => Some(flight),
            Self::Glance { .. } => None,
        }
    }

    /// Its flight, which may be one from now on only.
    pub(super) fn joined(&mut self, begin: impl FnOnce() -> Flight) -> Arc<Flight> {
        match self {
            Self::Flight { flight, .. } => Arc::clone(flight),
            Self::Glance { number, waker } => {
                let flight = Arc::new(begin());
                let reader = flight.reads(waker.clone());
                *self = Self::Flight {
                    flight: Arc::clone(&flight),
                    reader: Some((*number, reader)),
                };
                flight
            }
        }
    }
}
