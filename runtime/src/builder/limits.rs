//! What the builder sets of limits.

use super::Builder;
use crate::limit::Limit;
use std::time::Duration;

impl Builder {
    /// The first part of the keys of limits. Services with the same prefix and the same kinds share their
    /// budgets. `@upstash/ratelimit` by default, as in the package of that name: `new Ratelimit({ prefix:
    /// "@upstash/ratelimit:API", … })` there is the kind `API` here.
    ///
    /// A [`namespace`](Self::namespace) is put in front of these keys too. Budgets are then shared only with
    /// services that use the same namespace: `prefix: "staging:@upstash/ratelimit:API"` for `staging`.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().limit_prefix("@acme/ratelimit").build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.limits.prefix = prefix.into();
        self
    }

    /// How long a check may take before `on_outage` decides. 1 s by default, 5 s at most: an answer that comes later
    /// admits nobody, and counters are kept for checks that take no longer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let pond = millpond::Millpond::builder().limit_budget(Duration::from_millis(300)).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_budget(mut self, budget: Duration) -> Self {
        self.limits.budget = budget;
        self
    }

    /// Replaces the limit of this kind, even a built-in one, wherever it is checked: its numbers, its
    /// algorithm, and what happens in an outage unless the attribute says so itself. Limits made by
    /// [`Limit::checked`] are not replaced.
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
        self.limits.overrides.push(limit);
        self
    }

    /// Whether the store counts allowed and refused checks by identifier and hour, where `getUsage` of a limiter of
    /// `@upstash/ratelimit` with the same prefix and the Upstash console look: `<prefix>:<KIND>:events:<hour>`. They
    /// are sent in at most one batch a second, and kept for 30 days. On by default over Upstash, off elsewhere.
    ///
    /// In an hour, each process names at most 200 callers of a kind: the first 100, and up to 100 who make more than
    /// one call in 250. All others are counted as `%others`.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().limit_analytics(false).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_analytics(mut self, on: bool) -> Self {
        self.limits.analytics = Some(on);
        self
    }

    /// Whether [`limit_analytics`](Self::limit_analytics) stores a hash of each identifier (`%~` and its SHA-256)
    /// instead of the identifier itself: an address is personal data. Off by default.
    ///
    /// ```
    /// let pond = millpond::Millpond::builder().limit_analytics_hashed(true).build()?;
    /// # Ok::<_, millpond::Error>(())
    /// ```
    pub fn limit_analytics_hashed(mut self, on: bool) -> Self {
        self.limits.hash_names = on;
        self
    }

    /// Whether this process remembers which callers the store refused, and until when, so that a caller who
    /// would be refused again costs no command. On by default; `@upstash/ratelimit` calls it
    /// `ephemeralCache`.
    ///
    /// If off, every check asks the store. A budget that other software resets is then seen at once, each
    /// refused call costs a command, and in an outage `on_outage` decides about callers who were refused
    /// before.
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
        self.limits.block_cache = on;
        self
    }
}
