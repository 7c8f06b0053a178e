//! What one `Millpond` knows and does about limits: settings, memory, counters.

use super::Limit;
use super::analytics::{Tally, Turn};
use super::blocked::Blocked;
use super::fallback::Fallback;
use super::names::{DEFAULT_PREFIX, Names};
use crate::config::Builder;
use crate::stats::Counter;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What can be tuned.
#[derive(Clone, Debug)]
pub(crate) struct LimitSettings {
    pub(crate) prefix: String,
    pub(crate) budget: Duration,
    pub(crate) overrides: Vec<Limit>,
    /// `None`: where a console shows them, which is on Upstash.
    pub(crate) analytics: Option<bool>,
    pub(crate) block_cache: bool,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
            budget: Duration::from_secs(1),
            overrides: Vec::new(),
            analytics: None,
            block_cache: true,
        }
    }
}

impl LimitSettings {
    /// Whether checks are counted in the store.
    pub(crate) fn counted(&self, home: Home) -> bool {
        self.analytics.unwrap_or(home == Home::Upstash)
    }

    /// What cannot work.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        if self.budget.is_zero() {
            return Some("limit_budget is zero; no check could be answered in time");
        }
        if self.prefix.is_empty() {
            return Some("limit_prefix is empty; leave it out for that of @upstash/ratelimit");
        }
        None
    }
}

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
    pub(super) events: Mutex<Tally>,
    /// Who waits to send the events.
    pub(super) flushing: Turn,
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

/// Where the limits live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Home {
    #[default]
    Elsewhere,
    Upstash,
    Cluster,
}

impl Limits {
    /// The namespace is already encoded.
    pub(crate) fn new(settings: &LimitSettings, namespace: Option<&str>, home: Home) -> Self {
        let prefix = match namespace {
            Some(namespace) => format!("{namespace}:{}", settings.prefix),
            None => settings.prefix.clone(),
        };
        Self {
            names: Names {
                prefix,
                cluster: home == Home::Cluster,
            },
            budget: settings.budget,
            overrides: settings.overrides.clone(),
            analytics: settings.counted(home),
            blocked: Blocked::new(settings.block_cache),
            fallback: Fallback::default(),
            events: Mutex::default(),
            flushing: Turn::default(),
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

/// What happened at the limits: numbers since the [`Millpond`](crate::Millpond) was built.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, limit};
///
/// let pond = Millpond::memory();
/// for _ in 0..7 {
///     pond.limiter(&limit::AUTH).check("mallory").await?;
/// }
/// let stats = pond.stats().limits;
/// assert_eq!((stats.checks, stats.refusals, stats.blocked), (7, 2, 1));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitStats {
    /// Checks, however they ended.
    pub checks: u64,
    /// Checks that refused.
    pub refusals: u64,
    /// Refusals without a command, since an earlier one was remembered.
    pub blocked: u64,
    /// Checks that the store did not answer, so that `on_outage` decided, or a caller's patience ended.
    pub degraded: u64,
    /// Events that analytics lack: too many waited, or they could not be sent.
    pub events_lost: u64,
}
