//! One call of a cached function.

use super::known_functions::FunctionState;
use super::load::{ClusterFlight, Keeper, Load};
use super::policy::Policy;
use super::state::Cache;
use crate::client::Client;
use crate::client::tags::Tags;
use crate::client::value_tags::are_current;
use crate::codec::Opened;
use crate::key::{FullKey, Key};
use crate::stats::Counters;
use crate::store::Store;
use crate::value;
use bytes::Bytes;
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
    pub(super) fn new_load(&self, full: FullKey) -> Load {
        let mut load = Load::new(
            Arc::clone(&self.cache),
            self.key.clone(),
            full,
            Arc::clone(&self.counters),
            self.function.clone(),
            self.policy,
            self.tags.clone(),
        );
        load.refresh = self.refresh;
        load.keeper = self.keeper;
        load.cluster = self.cluster.filter(|_| !self.cache.client.is_embedded());
        load
    }

    /// What was found at once is returned; whether it is a null.
    pub(crate) fn hit_at_once(&self, opened: &Opened) -> bool {
        let is_null = value::is_null(&opened.plain);
        self.counters.hit(is_null);
        is_null
    }

    /// What the embedded engine can say at once: there is nothing to wait for, nothing to share.
    /// Without an answer, [`enter`](Self::enter).
    pub(crate) fn peek(&self) -> Option<Opened> {
        let Cache {
            client, flights, ..
        } = &*self.cache;
        let Client { store, pending, .. } = &**client;
        // What it finds is to be kept, which `enter` sees to.
        let is_kept = self.keeper.is_some();
        if is_kept || self.refresh || pending.len() > 0 || self.key.check().is_err() {
            return None;
        }
        let name = self.cache.client.name(&self.key);
        if flights.leads(&name) {
            return None;
        }
        let store = store.as_ref().ok()?;
        client.begin_event();
        let value = store.peek(name.as_bytes())?;
        let encrypted = self.policy.encoding.encrypt;
        let opened = self
            .cache
            .client
            .codec
            .open_now(name.as_bytes(), value, encrypted);
        // What takes long is read again where others can run meanwhile.
        let opened = opened?.ok()?;
        if opened.members.is_none() && self.tags.is_empty() {
            return Some(opened);
        }
        self.accepts(&opened, &**store).then_some(opened)
    }

    /// Whether there is nothing to do about a value but to return it: it is fresh, and its tags are current.
    fn accepts(&self, opened: &Opened, store: &dyn Store) -> bool {
        let client = &self.cache.client;
        if let Some(times) = opened.times()
            && !self.policy.windows().is_plainly_fresh(times, client.time())
        {
            return false;
        }
        let nonces: Vec<Option<Bytes>> = self
            .tags
            .iter()
            .map(|tag| store.peek(&client.tag_key(tag).value))
            .collect();
        let Some(others) = self.tags.others(opened, &nonces) else {
            return false;
        };
        let nonces: Vec<Option<Bytes>> = others
            .iter()
            .map(|tag| store.peek(&client.tag_key(tag).value))
            .collect();
        are_current(opened, &others, &nonces)
    }
}
