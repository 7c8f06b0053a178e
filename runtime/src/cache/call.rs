//! One call of a cached function.

use super::known_functions::FunctionState;
use super::load::{ClusterFlight, Keeper, Load};
use super::policy::Policy;
use super::state::Cache;
use crate::client::tags::Tags;
use crate::codec::Opened;
use crate::key::{FullKey, Key};
use crate::stats::Counters;
use crate::value;
use std::sync::Arc;

/// One call of a cached function: what it looks up, and under which rules.
pub(crate) struct CachedCall {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
    pub(crate) tags: Tags,
    pub(crate) counters: Arc<Counters>,
    /// What is remembered of the function; nothing for values by hand.
    pub(crate) function: Option<Arc<FunctionState>>,
    /// Load and store anew, whatever is there.
    pub(crate) refresh: bool,
    /// How this process keeps values too, if it does.
    pub(crate) keeper: Option<&'static Keeper>,
    /// How one load serves all processes, if it does.
    pub(crate) cluster: Option<&'static ClusterFlight>,
}

impl CachedCall {
    /// The load of this call, which has not begun.
    pub(super) fn into_load(self, full: FullKey) -> Load {
        let is_embedded = self.cache.client.is_embedded();
        let mut load = Load::new(
            self.cache,
            self.key,
            full,
            self.counters,
            self.function,
            self.policy,
            self.tags,
        );
        load.refresh = self.refresh;
        load.keeper = self.keeper;
        load.cluster = self.cluster.filter(|_| !is_embedded);
        load
    }

    /// What was found at once is returned; whether it is a null.
    pub(crate) fn hit_at_once(&self, opened: &Opened) -> bool {
        let is_null = value::is_null(&opened.plain);
        self.counters.hit(is_null);
        is_null
    }
}
