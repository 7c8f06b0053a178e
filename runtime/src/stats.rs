//! Counters: what happened in the cache, and what it cost on the wire.

use crate::sync;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// What went over the wire; an engine counts as it sends and receives.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Commands sent, repeats included; a script call is one.
    pub(crate) commands: Counter,
    /// HTTP requests sent; for RESP, batches written.
    pub(crate) requests: Counter,
    /// Bytes of request bodies (RESP: of commands as encoded).
    pub(crate) bytes_sent: Counter,
    /// Bytes of answers.
    pub(crate) bytes_received: Counter,
    /// Repeats after a failure.
    pub(crate) retries: Counter,
}

/// A number that only goes up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Adds how many there are.
    pub(crate) fn add_len(&self, len: usize) {
        self.add(u64::try_from(len).unwrap_or(u64::MAX));
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! cache_counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What happened to the keys of one prefix.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)*
        }

        /// What happened in the cache: numbers since the [`Millpond`](crate::Millpond) was built.
        ///
        /// ```
        /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        /// let pond = millpond::Millpond::memory();
        /// pond.get::<u32>("user:1").await?;
        /// assert_eq!(pond.stats().prefix("user").misses, 1);
        /// # Ok::<_, millpond::Error>(()) }).unwrap();
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct CacheStats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl CacheStats {
            fn add(&mut self, counters: &Counters) {
                $(self.$name += counters.$name.get();)*
            }
        }
    };
}

cache_counters! {
    /// A value was found and returned.
    hits,
    /// A cached `None` was found and returned.
    null_hits,
    /// Nothing usable was found.
    misses,
    /// Results taken from a load of another caller in this process.
    shared,
    /// Function bodies run to fill the cache.
    loads,
    /// Loads whose body returned an error.
    load_errors,
    /// Values stored.
    stores,
    /// Loads that were not stored because the key was invalidated or written meanwhile.
    refused,
    /// Loads that were not stored because they took longer than half the life of a guard.
    too_slow,
    /// Stored bytes that were not a value of the type asked for, or that did not open.
    decode_failures,
    /// Values that could not be stored: no JSON for them, over the size limit, or nothing to encrypt them with.
    encode_failures,
    /// Reads, fills and invalidations that failed.
    errors,
    /// Calls that could not use the cache: a key that did not render or that its own load asked for, no Tokio
    /// runtime, nothing to encrypt with.
    bypassed,
    /// Keys invalidated.
    invalidations,
    /// Commands that the cache issued (not counting repeats after failures).
    commands,
}

impl Counters {
    /// A value, or a null, was found.
    pub(crate) fn hit(&self, null: bool) {
        if null { &self.null_hits } else { &self.hits }.add(1);
    }
}

/// A snapshot of every counter of a [`Millpond`](crate::Millpond).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::time::Duration;
///
/// let pond = millpond::Millpond::memory();
/// pond.set("user:1", "Ada", Duration::from_secs(60)).await?;
/// pond.get::<String>("user:1").await?;
/// let stats = pond.stats();
/// assert_eq!((stats.cache.hits, stats.commands), (1, 2));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The sum over all prefixes.
    pub cache: CacheStats,
    /// What happened at the limits.
    pub limits: LimitStats,
    /// Commands sent to the engine, repeats included; a script call is one.
    pub commands: u64,
    /// HTTP requests sent (over RESP: batches written; embedded: batches run).
    pub requests: u64,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Bytes of answers.
    pub bytes_received: u64,
    /// Requests repeated after a failure.
    pub retries: u64,
    /// Invalidations that wait to be delivered.
    pub pending_invalidations: u64,
    /// Why nothing is sent to the store at the moment: its circuit breaker is open. `None` while calls go
    /// through.
    pub outage: Option<String>,
    prefixes: HashMap<String, CacheStats>,
}

impl Stats {
    /// The counters of one prefix; zeros for one that was not seen.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert_eq!(stats.prefix("user").hits, 0);
    /// ```
    pub fn prefix(&self, prefix: &str) -> CacheStats {
        self.prefixes.get(prefix).copied().unwrap_or_default()
    }

    /// Every prefix seen, in no order. Keys without a `:`, and prefixes of keys past the first thousand, are
    /// counted under the empty one; a cached function always has its own.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().prefixes().count(), 0);
    /// ```
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, CacheStats)> {
        self.prefixes
            .iter()
            .map(|(prefix, stats)| (prefix.as_str(), *stats))
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

/// Prefixes of keys that have counters of their own; keys that users make may hold anything before the
/// colon. Those of functions do not count: there are as many as the program has.
const MAX_PREFIXES: usize = 1_000;

/// All counters of one `Millpond`.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) meter: Arc<Meter>,
    by_prefix: RwLock<ByPrefix>,
}

#[derive(Debug, Default)]
struct ByPrefix {
    counters: HashMap<String, Arc<Counters>>,
    /// How many of them were found in keys only.
    unknown: usize,
}

impl Registry {
    /// The counters of a prefix that was found in a key.
    pub(crate) fn counters(&self, prefix: &str) -> Arc<Counters> {
        if let Some(counters) = sync::read(&self.by_prefix).counters.get(prefix) {
            return Arc::clone(counters);
        }
        let mut by_prefix = sync::write(&self.by_prefix);
        let is_new = !by_prefix.counters.contains_key(prefix);
        let prefix = if is_new && by_prefix.unknown >= MAX_PREFIXES {
            ""
        } else {
            by_prefix.unknown += usize::from(is_new);
            prefix
        };
        Arc::clone(by_prefix.counters.entry(prefix.to_owned()).or_default())
    }

    /// The counters of the prefix of a function, which has its own however many others there are.
    pub(crate) fn counters_of_function(&self, prefix: &str) -> Arc<Counters> {
        let mut by_prefix = sync::write(&self.by_prefix);
        Arc::clone(by_prefix.counters.entry(prefix.to_owned()).or_default())
    }

    pub(crate) fn snapshot(&self, pending_invalidations: u64) -> Stats {
        let mut stats = Stats {
            commands: self.meter.commands.get(),
            requests: self.meter.requests.get(),
            bytes_sent: self.meter.bytes_sent.get(),
            bytes_received: self.meter.bytes_received.get(),
            retries: self.meter.retries.get(),
            pending_invalidations,
            ..Stats::default()
        };
        for (prefix, counters) in &sync::read(&self.by_prefix).counters {
            stats.cache.add(counters);
            stats
                .prefixes
                .entry(prefix.clone())
                .or_default()
                .add(counters);
        }
        stats
    }
}
