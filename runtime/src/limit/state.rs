//! What one `Millpond` knows and does about limits: settings, memory, counters.

use super::Limit;
use super::analytics::{FlushTurn, Sums};
use super::blocked::Blocked;
use super::fallback::Fallback;
use super::names::Names;
use super::settings::{Deployment, LimitSettings};
use crate::config::Builder;
use crate::stats::{Counter, LimitStats};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

impl Builder {
    /// What keys of limits begin with; services with the same prefix and kinds share their budgets.
    /// `@upstash/ratelimit` by default, as that package has it: its
    /// `new Ratelimit({ prefix: "@upstash/ratelimit:API", … })` is the kind `API` here.
    ///
    /// A [`namespace`](Self::namespace) goes in front, here as for every key, and ends the sharing
    /// unless the others have it too: `prefix: "staging:@upstash/ratelimit:API"` for `staging`.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().limit_prefix("@acme/ratelimit").build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.limits.prefix = prefix.into();
        self
    }

    /// How long a check may take before `on_outage` decides. 1 s by default.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().limit_budget(Duration::from_millis(300)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_budget(mut self, budget: Duration) -> Self {
        self.settings.limits.budget = budget;
        self
    }

    /// Replaces the limits of this kind, the built-in ones too, wherever they are checked: numbers
    /// and algorithm, and what happens in an outage unless the place says that. Limits made by
    /// [`Limit::checked`] stay as they are.
    ///
    /// ```
    /// use millpond::{Millpond, limit::{self, Limit}};
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let wide = Limit::sliding_window("API", 1_000, Duration::from_secs(60));
    /// let pond = Millpond::builder().limit(wide).build()?;
    /// assert_eq!(pond.limiter(&limit::API).check("user-42").await?.limit(), Some(1_000));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn limit(mut self, limit: Limit) -> Self {
        self.settings.limits.overrides.push(limit);
        self
    }

    /// Whether allowed and refused checks are counted by identifier and hour in the store, for the
    /// Upstash console: a batch a second at the most. By default, on Upstash only.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().limit_analytics(false).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_analytics(mut self, on: bool) -> Self {
        self.settings.limits.analytics = Some(on);
        self
    }

    /// Whether this process remembers whom the store refused, and until when, so that a caller who is
    /// certain to be refused again costs no command. On by default; `@upstash/ratelimit` calls it
    /// `ephemeralCache`.
    ///
    /// Off, every check asks the store: a budget that other software gives back by hand is seen at
    /// once, a flood of refused calls costs a command each, and in an outage a refusal that was known
    /// gives way to `on_outage`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit};
    ///
    /// let pond = Millpond::builder().limit_block_cache(false).build()?;
    /// for _ in 0..7 {
    ///     pond.limiter(&limit::AUTH).check("mallory").await?;
    /// }
    /// let stats = pond.stats().limits;
    /// assert_eq!((stats.refusals, stats.blocked), (2, 0));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn limit_block_cache(mut self, on: bool) -> Self {
        self.settings.limits.block_cache = on;
        self
    }
}

#[derive(Debug)]
pub(crate) struct Limits {
    pub(super) names: Names,
    pub(super) budget: Duration,
    pub(super) overrides: Vec<Limit>,
    pub(super) analytics: bool,
    pub(super) blocked: Blocked,
    pub(super) fallback: Fallback,
    pub(super) events: Mutex<Sums>,
    /// Who waits to send the events.
    pub(super) flushing: FlushTurn,
    /// Whether the last check that asked the store got no answer.
    pub(super) in_outage: AtomicBool,
    pub(super) counts: Counts,
}

/// Numbers of checks.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) checks: Counter,
    pub(super) refusals: Counter,
    pub(super) blocked: Counter,
    pub(super) degraded: Counter,
    pub(super) events_lost: Counter,
}

impl Limits {
    /// The namespace is already encoded.
    pub(crate) fn new(
        settings: &LimitSettings,
        namespace: Option<&str>,
        deployment: Deployment,
    ) -> Self {
        let prefix = match namespace {
            Some(namespace) => format!("{namespace}:{}", settings.prefix),
            None => settings.prefix.clone(),
        };
        Self {
            names: Names {
                prefix,
                cluster: deployment == Deployment::Cluster,
            },
            budget: settings.budget,
            overrides: settings.overrides.clone(),
            analytics: settings.counted(deployment),
            blocked: Blocked::new(settings.block_cache),
            fallback: Fallback::default(),
            events: Mutex::default(),
            flushing: FlushTurn::default(),
            in_outage: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    pub(crate) fn stats(&self) -> LimitStats {
        let counts = &self.counts;
        LimitStats {
            checks: counts.checks.get(),
            refusals: counts.refusals.get(),
            blocked: counts.blocked.get(),
            degraded: counts.degraded.get(),
            events_lost: counts.events_lost.get(),
        }
    }
}
