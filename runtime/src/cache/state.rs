//! What the cache of one `Millpond` has beside its client.

use super::background::Backgrounds;
use super::flight::Flights;
use super::known_functions::KnownFunctions;
use super::retries::Retries;
use crate::client::Client;
use crate::local::Local;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The loads under way and what is known of the cached functions.
pub(crate) struct Cache {
    pub(crate) client: Arc<Client>,
    pub(crate) flights: Flights,
    pub(crate) backgrounds: Backgrounds,
    pub(crate) retries: Arc<Retries>,
    /// Whether a call outside of a Tokio runtime has been reported.
    warned_outside: AtomicBool,
    pub(crate) functions: KnownFunctions,
    pub(crate) local: Arc<Local>,
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
        let settings = &client.settings;
        let namespace = client
            .namespace()
            .map_or(0, |namespace| namespace.len() + 1);
        let local = Local::new(settings.clock.clone(), settings.local, namespace);
        let local = Arc::new(local);
        let (backgrounds, retries) = (Backgrounds::default(), Arc::<Retries>::default());
        let (flown, begun, paused) = (flights.clone(), backgrounds.clone(), Arc::clone(&retries));
        let moved = Arc::clone(&local);
        client.on_change(move |key| {
            // The name of a tag is that of no flight.
            moved.changed(key);
            moved.move_tag(key);
            flown.detach(key);
            begun.detach(key);
            paused.forget(key);
        });
        Self {
            client,
            flights,
            backgrounds,
            retries,
            warned_outside: AtomicBool::new(false),
            functions: KnownFunctions::default(),
            local,
        }
    }

    /// A call waited for another caller's load.
    pub(super) fn waited(&self, time: Duration) {
        self.client.registry.wait_times.record(time);
        #[cfg(feature = "metrics")]
        crate::metrics::waited(time);
    }

    /// The key was written here, or is about to be: what this process keeps of it is old.
    pub(crate) fn forget(&self, full: &str) {
        self.local.changed(full);
    }

    /// The key was written here: what is being loaded is not stored.
    pub(crate) fn changed(&self, key: &str) {
        self.forget(key);
        self.flights.detach(key);
        self.backgrounds.detach(key);
        self.retries.forget(key);
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
