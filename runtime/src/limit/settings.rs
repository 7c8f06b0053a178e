//! How limits are counted: what the builder sets, and what depends on the deployment.

use super::Limit;
use super::names::DEFAULT_PREFIX;
use crate::settings::Engine;
use std::time::Duration;

/// An answer that comes later than this admits nobody, whatever the budget of a check: what is stored of a
/// limit is kept for this long, and as long again for clocks that differ, after the time that it counts for.
pub(crate) const MOST_DELAY: Duration = Duration::from_secs(5);

/// What can be tuned.
#[derive(Clone, Debug)]
pub(crate) struct LimitSettings {
    pub(crate) prefix: String,
    pub(crate) budget: Duration,
    pub(crate) overrides: Vec<Limit>,
    /// `None`: where a console shows them, which is on Upstash.
    pub(crate) analytics: Option<bool>,
    /// Events hold hashes instead of identifiers.
    pub(crate) hash_names: bool,
    pub(crate) block_cache: bool,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
            budget: Duration::from_secs(1),
            overrides: Vec::new(),
            analytics: None,
            hash_names: false,
            block_cache: true,
        }
    }
}

impl LimitSettings {
    /// Whether checks are counted in the store.
    pub(crate) fn counted(&self, deployment: Deployment) -> bool {
        self.analytics.unwrap_or(deployment == Deployment::Upstash)
    }

    /// What cannot work.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        if self.budget.is_zero() {
            return Some("limit_budget is zero; no check could be answered in time");
        }
        if self.budget > MOST_DELAY {
            return Some(
                "limit_budget is over 5 s, and counters are not kept for checks that take longer; choose a shorter one",
            );
        }
        if self.prefix.is_empty() {
            return Some("limit_prefix is empty; leave it out for that of @upstash/ratelimit");
        }
        None
    }
}

/// Where the limits live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deployment {
    #[default]
    Elsewhere,
    Upstash,
    Cluster,
}

impl Deployment {
    pub(crate) fn of(engine: &Engine) -> Self {
        match engine {
            Engine::Upstash { .. } => Self::Upstash,
            Engine::Redis { cluster: true, .. } => Self::Cluster,
            Engine::Memory | Engine::Redis { .. } => Self::Elsewhere,
        }
    }
}
