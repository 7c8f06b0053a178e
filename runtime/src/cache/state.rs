//! What the cache of one `Millpond` has beside its client.

use super::flight::Flights;
use crate::client::Client;
use crate::stats::Counters;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

/// The loads under way and what is known of the cached functions.
pub(crate) struct Cache {
    pub(crate) client: Arc<Client>,
    pub(crate) flights: Flights,
    /// Whether a call outside of a Tokio runtime has been reported.
    warned_outside: AtomicBool,
    /// The type that was first seen under each prefix and template.
    pub(crate) types: Mutex<HashMap<String, &'static str>>,
    /// The type around each function, by the function's name and what its keys have in common, until two
    /// types were found there, which is reported once.
    pub(crate) owners: Mutex<HashMap<(&'static str, String), Option<&'static str>>>,
    /// Functions whose types have been checked: their address, and those of the names of the value's type
    /// and of the type around the function.
    pub(crate) checked: RwLock<BTreeMap<(usize, usize, usize), Arc<Counters>>>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("client", &self.client)
            .field("flights", &self.flights.len())
            .finish_non_exhaustive()
    }
}

impl Cache {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        let flights = Flights::new();
        let detached = flights.clone();
        client.on_change(move |key| detached.detach(key));
        Self {
            client,
            flights,
            warned_outside: AtomicBool::new(false),
            types: Mutex::default(),
            owners: Mutex::default(),
            checked: RwLock::default(),
        }
    }

    /// A cached function runs without the cache, since no Tokio runtime is there. Said once: every
    /// call there would say the same.
    pub(crate) fn warn_outside(&self) {
        if !self.warned_outside.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "cached functions run uncached outside of a Tokio runtime, which carries requests \
                 to Redis and ends waits for other callers"
            );
        }
    }
}
