//! The handle that everything goes through: an engine, its settings, and what this process knows.

mod commands;
mod counter;
mod handles;
mod many;
#[cfg(feature = "metrics")]
mod measured;
mod operations;
mod tags;
#[cfg(feature = "dashboard")]
mod windows;

use crate::cache::Cache;
use crate::client::Client;
use crate::error::Error;
use crate::health::Health;
use crate::limit::{Deployment, LimitSettings, Limits};
use crate::lock::LockQueues;
#[cfg(target_arch = "wasm32")]
use crate::runtime;
use crate::runtime::{PerRequest, in_request};
use crate::settings::{Engine, Settings};
use crate::stats::{Registry, Stats};
use crate::store::Open;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// A cache. Cloning it is cheap; all clones share one state.
///
/// The attributes use the one that [`current`](crate::current) returns. The methods use it without
/// attributes, and they report every failure, where attributes fall back to the function body.
///
/// # Cancel safety
/// If the future of a method is dropped, the operation may or may not have been carried out. An
/// [invalidation](Self::delete) that had begun is delivered in the background.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ttl};
///
/// let pond = Millpond::memory();
/// pond.set("user:42", &"Ada", ttl::MEDIUM).await?;
/// assert_eq!(pond.get::<String>("user:42").await?.as_deref(), Some("Ada"));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Millpond(pub(crate) Arc<Parts>);

/// The features of one `Millpond`, all on one client.
pub(crate) struct Parts {
    pub(crate) client: Arc<Client>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) limits: Arc<Limits>,
    /// Who waits for which lock.
    pub(crate) queues: PerRequest<LockQueues>,
}

impl fmt::Debug for Millpond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Millpond")
            .field("namespace", &self.0.client.namespace())
            .field("flights", &self.0.cache.flights.len())
            .field("pending_invalidations", &self.0.client.pending.len())
            .finish_non_exhaustive()
    }
}

impl Millpond {
    pub(crate) fn start(
        engine: &Engine,
        settings: Settings,
        limits: &LimitSettings,
        open: Open,
    ) -> Result<Self, Error> {
        let registry = Registry::default();
        let store = open(engine, &settings, &registry.meter)?;
        let client = Client::new(Ok(store), settings, registry, engine.is_cluster());
        Ok(Self::on(client, limits, Deployment::of(engine)))
    }

    /// A cache that answers everything with this error, which is logged; attributes run the body.
    pub(crate) fn unconfigured(error: Error) -> Self {
        tracing::error!(%error, "millpond is not configured; functions run uncached");
        let client = Client::new(Err(error), Settings::default(), Registry::default(), false);
        Self::on(client, &LimitSettings::default(), Deployment::default())
    }

    pub(crate) fn on(client: Client, limits: &LimitSettings, deployment: Deployment) -> Self {
        let client = Arc::new(client);
        let parts = Parts {
            cache: Arc::new(Cache::new(Arc::clone(&client))),
            limits: Arc::new(Limits::new(Arc::clone(&client), limits, deployment)),
            queues: PerRequest::default(),
            client,
        };
        #[cfg(feature = "metrics")]
        measured::measure(&parts.client, &parts.cache.local, &parts.limits.counts);
        #[cfg(feature = "dashboard")]
        windows::keep(
            &parts.client.registry,
            &parts.cache.local,
            &parts.limits.counts,
        );
        Self(Arc::new(parts))
    }

    /// The current values of the counters.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().commands, 0);
    /// ```
    pub fn stats(&self) -> Stats {
        let mut stats = self.0.client.registry.snapshot();
        stats.pending_invalidations = self.0.client.pending.len() as u64;
        stats.pending_prefixes = self.0.client.pending.prefixes() as u64;
        let local = &self.0.cache.local;
        stats.local_values = local.len() as u64;
        stats.local_bytes = local.bytes();
        for (prefix, hits) in local.hits().by_prefix() {
            stats.add_local_hits(prefix, hits);
        }
        stats.limits = self.0.limits.counts.stats();
        stats.kinds = self.0.limits.counts.by_kind();
        #[cfg(feature = "dashboard")]
        {
            let client = &self.0.client;
            stats.windows = client.registry.windows.latest(&client.settings.clock);
        }
        stats.outage = self.0.client.outage().map(|error| error.to_string());
        stats
    }

    /// Whether the cache works at the moment, as far as this process knows: no request is sent.
    /// [`Health::probe`] sends one.
    ///
    /// ```
    /// use millpond::{HealthState, Millpond};
    /// assert_eq!(Millpond::memory().health().state(), HealthState::Up);
    /// ```
    pub fn health(&self) -> Health {
        Health::of(Arc::clone(&self.0.client))
    }

    /// Delivers what waits to be sent: undelivered invalidations, releases of dropped locks, and the
    /// analytics of limits. Call it at shutdown, or before a serverless runtime freezes the process.
    ///
    /// # Errors
    /// The reason why something could not be delivered. It keeps waiting, except for analytics that may have
    /// arrived.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// millpond::Millpond::memory().flush().await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn flush(&self) -> impl Future<Output = Result<(), Error>> + use<> {
        let parts = Arc::clone(&self.0);
        // Now, not when it is first polled: what is handed to `waitUntil` is polled outside of the scope.
        in_request(async move {
            parts.cache.backgrounds.idle().await;
            let queues = parts.queues.current().as_ref().clone();
            queues.released(parts.client.settings.budget).await;
            parts.client.flush().await?;
            parts.limits.flush_events().await?;
            #[cfg(target_arch = "wasm32")]
            runtime::background_done().await;
            Ok(())
        })
    }
}
