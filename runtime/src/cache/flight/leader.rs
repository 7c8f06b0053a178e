//! The caller who loads the value of a key, for itself and for who waits.

use super::departure::Departure;
use super::ending::Ending;
use super::phase::Phase;
use super::result::FlightResult;
use super::state::Flight;
use super::table::Table;
use crate::cache::liveness::{Liveness, Watch};
use std::sync::Arc;

/// The right, and the duty, to get the value. Dropping it hands over to a waiter.
pub(crate) struct Leader {
    table: Arc<Table>,
    flight: Arc<Flight>,
    liveness: Arc<Liveness>,
    done: bool,
}

impl Leader {
    pub(super) fn new(table: Arc<Table>, flight: Arc<Flight>, liveness: Arc<Liveness>) -> Self {
        Self {
            table,
            flight,
            liveness,
            done: false,
        }
    }

    /// What shows to waiters that a step of the load is polled.
    pub(crate) fn watch(&self) -> Watch {
        Watch::new(Arc::clone(&self.liveness))
    }

    /// The read leaves.
    pub(crate) fn read_departs(&self) -> Departure {
        self.flight.depart(&self.liveness, Phase::Reading)
    }

    /// The body begins.
    pub(crate) fn body_departs(&self) -> Departure {
        self.flight.depart(&self.liveness, Phase::Body)
    }

    /// The fill leaves.
    pub(crate) fn fill_departs(&self) -> Departure {
        self.flight.fill_departs(&self.liveness)
    }

    /// Whether the key was invalidated here, or the lead was taken over, since the load began.
    pub(crate) fn is_out_of_date(&self) -> bool {
        self.flight.is_out_of_date(&self.liveness)
    }

    /// What shows whether the load is polled.
    pub(crate) fn liveness(&self) -> Arc<Liveness> {
        Arc::clone(&self.liveness)
    }

    /// Whether anybody waits.
    pub(crate) fn has_waiters(&self) -> bool {
        self.flight.has_waiters()
    }

    /// Gives this to callers who joined before the departure, and goes on for the others.
    pub(crate) fn deliver(&self, result: &FlightResult, before: Departure) {
        self.flight.deliver(&self.liveness, result, before);
    }

    /// Ends the load with something for callers who joined before the departure.
    pub(crate) fn share(self, result: FlightResult, before: Departure) {
        self.end(Some(&(result, before)), Ending::Landed);
    }

    /// Ends the load with nothing for those who still wait: they start again with a read.
    pub(crate) fn restart(self) {
        self.end(None, Ending::Landed);
    }

    /// The body failed for its own caller only, or what it returned cannot be shared.
    pub(crate) fn fail(self) {
        self.end(None, Ending::Failed);
    }

    fn end(mut self, result: Option<&(FlightResult, Departure)>, ending: Ending) {
        self.done = true;
        self.table.end(&self.flight, &self.liveness, result, ending);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let ending = if self.liveness.has_panicked() {
            Ending::Failed
        } else {
            Ending::Abandoned
        };
        self.table.end(&self.flight, &self.liveness, None, ending);
    }
}
