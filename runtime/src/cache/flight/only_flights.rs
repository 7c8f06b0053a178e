//! In place of [`entry`](super::entry) where there is no network, or code is dear: each read has a flight.

use super::state::Flight;
use std::sync::Arc;

pub(super) struct Entry(Arc<Flight>);

impl Entry {
    pub(super) fn of(flight: Arc<Flight>) -> Self {
        Self(flight)
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
    pub(super) fn flight(&self) -> Option<&Arc<Flight>> {
        Some(&self.0)
    }

    pub(super) fn joined(&self, _: impl FnOnce() -> Flight) -> Arc<Flight> {
        Arc::clone(&self.0)
    }
}
