//! What one `Millpond` knows and does about limits: settings, memory, counters.

use super::Limit;
use super::blocked::Blocked;
use super::fallback::Fallback;
use super::flush_turn::FlushTurn;
use super::names::Names;
use super::settings::{Deployment, LimitSettings};
use super::sums::Sums;
use crate::client::Client;
use crate::stats::LimitRegistry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Limits {
    pub(super) client: Arc<Client>,
    pub(super) names: Names,
    pub(super) budget: Duration,
    pub(crate) overrides: Vec<Limit>,
    pub(super) analytics: bool,
    /// Whether events hold hashes instead of identifiers.
    pub(super) hash_names: bool,
    pub(super) blocked: Blocked,
    pub(super) fallback: Fallback,
    pub(super) events: Mutex<Sums>,
    /// Who waits to send the events.
    pub(super) flushing: FlushTurn,
    pub(crate) counts: Arc<LimitRegistry>,
}

impl Limits {
    /// The namespace is already encoded.
    pub(crate) fn new(
        client: Arc<Client>,
        settings: &LimitSettings,
        deployment: Deployment,
    ) -> Self {
        let cluster = deployment == Deployment::Cluster;
        let names = Names::new(client.namespace(), &settings.prefix, cluster);
        for limit in super::BUILT_IN.iter().chain(&settings.overrides) {
            names.reserve(limit);
        }
        Self {
            client,
            names,
            budget: settings.budget,
            overrides: settings.overrides.clone(),
            analytics: settings.counted(deployment),
            hash_names: settings.hash_names,
            blocked: Blocked::new(settings.block_cache),
            fallback: Fallback::default(),
            events: Mutex::default(),
            flushing: FlushTurn::default(),
            counts: Arc::default(),
        }
    }
}
