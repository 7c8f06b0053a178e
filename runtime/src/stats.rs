//! Counters: what happened in the cache, how long it took, and what it cost on the wire.

mod durations;
mod limits;
#[cfg(feature = "dashboard")]
mod windows;

use crate::sync;
pub use durations::Durations;
pub(crate) use durations::Histogram;
pub use limits::LimitStats;
pub(crate) use limits::{CheckOutcome, LimitCounters, LimitRegistry};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
#[cfg(feature = "dashboard")]
pub use windows::Window;
#[cfg(feature = "dashboard")]
pub(crate) use windows::{Counted, Totals, Windows};

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
    /// How often the circuit breaker opened.
    pub(crate) circuit_opened: Counter,
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
            /// What function bodies took.
            pub(crate) load_times: Histogram,
            /// Whether the prefix is that of a function, and not only of a key.
            is_declared: AtomicBool,
        }

        /// What happened in the cache: counted since the [`Millpond`](crate::Millpond) was built.
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

            #[cfg(any(feature = "metrics", feature = "dashboard"))]
            pub(crate) fn merge(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            #[cfg(feature = "dashboard")]
            fn since(&self, earlier: &Self) -> Self {
                Self {
                    $($name: self.$name.saturating_sub(earlier.$name),)*
                }
            }
        }
    };
}

cache_counters! {
    /// A value was found and returned.
    hits,
    /// A cached `None` was found and returned.
    null_hits,
    /// A value, or a `None`, was found in the local tier of this process.
    local_hits,
    /// An old value was returned: while it was loaded again, or because its body failed or took too long.
    stale,
    /// Nothing usable was found, or an old value was, and the body that replaces it was waited for.
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
    /// Stored values that could not be decrypted, decompressed or read as the requested type.
    decode_failures,
    /// Values that could not be stored: they cannot be represented as JSON, exceed the size limit, or there is no
    /// key to encrypt them with.
    encode_failures,
    /// Reads, fills and invalidations that failed.
    errors,
    /// Calls that ran without the cache: the key could not be rendered, the load of the key called the function
    /// again, there is no Tokio runtime, no key to encrypt with, or the wait for another caller's load came to nothing.
    bypassed,
    /// Keys invalidated.
    invalidations,
    /// Commands that the cache issued, not counting retries.
    commands,
}

impl Counters {
    /// A value or a cached `None` was found.
    pub(crate) fn hit(&self, null: bool) {
        if null { &self.null_hits } else { &self.hits }.add(1);
    }

    /// Whether the prefix is that of a function, of which there are as many as the program has.
    #[cfg(any(feature = "metrics", feature = "dashboard"))]
    pub(crate) fn is_declared(&self) -> bool {
        self.is_declared.load(Ordering::Relaxed)
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
    /// What happened at the limits. A decision of several limits counts once.
    pub limits: LimitStats,
    /// How long calls waited for the load of another caller in this process.
    pub wait_times: Durations,
    /// How long the store took to answer, retries included: one duration for each batch of commands that belong
    /// together. Nothing for the embedded engine.
    pub store_times: Durations,
    /// Commands sent to the engine, including retries; a script call counts as one.
    pub commands: u64,
    /// Requests sent: HTTP requests to Upstash, batches written to a RESP connection, or batches run by the
    /// embedded engine.
    pub requests: u64,
    /// Bytes sent: request bodies over HTTP, encoded commands over RESP.
    pub bytes_sent: u64,
    /// Bytes received in answers.
    pub bytes_received: u64,
    /// Requests sent again after a failure.
    pub retries: u64,
    /// How often the circuit breaker opened, so that nothing was sent to the store for a while.
    pub circuit_opened: u64,
    /// Invalidations that have not been delivered yet; see [`Millpond::flush`](crate::Millpond::flush).
    pub pending_invalidations: u64,
    /// How many of these are prefixes. The keys of undelivered invalidations take at most 64 MiB; beyond that the
    /// prefixes are remembered instead, and the keys under them are scanned when the server is back.
    pub pending_prefixes: u64,
    /// Why the circuit breaker is open, so that nothing is sent to the store. `None` while it is closed.
    pub outage: Option<String>,
    /// How many values the local tier keeps.
    pub local_values: u64,
    /// About how many bytes they take; see [`Builder::local_bytes`](crate::Builder::local_bytes).
    pub local_bytes: u64,
    /// Messages on the channel of the backplane that were none of its form, and so ignored.
    pub backplane_foreign: u64,
    prefixes: HashMap<String, CacheStats>,
    load_times: HashMap<String, Durations>,
    pub(crate) kinds: HashMap<String, LimitStats>,
    #[cfg(feature = "dashboard")]
    pub(crate) windows: Vec<Arc<Window>>,
}

impl Stats {
    /// The counters of one prefix. All are zero for a prefix that has not been used.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert_eq!(stats.prefix("user").hits, 0);
    /// ```
    pub fn prefix(&self, prefix: &str) -> CacheStats {
        self.prefixes.get(prefix).copied().unwrap_or_default()
    }

    /// Hits that were counted apart from the rest.
    pub(crate) fn add_local_hits(&mut self, prefix: &str, hits: u64) {
        self.cache.local_hits += hits;
        let of_prefix = self.prefixes.entry(prefix.to_owned()).or_default();
        of_prefix.local_hits += hits;
    }

    /// Every prefix that has been used, in no particular order. Each cached function has the counters of its own
    /// prefix. Of other keys, the first thousand prefixes are counted; the rest, and keys without a `:`, are
    /// counted under the empty prefix.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().prefixes().count(), 0);
    /// ```
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, CacheStats)> {
        self.prefixes
            .iter()
            .map(|(prefix, stats)| (prefix.as_str(), *stats))
    }

    /// How long the bodies took that were run for keys of this prefix, including those that returned an error. A
    /// body that was cancelled is not in it.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().load_times("user").count(), 0);
    /// ```
    pub fn load_times(&self, prefix: &str) -> Durations {
        self.load_times.get(prefix).cloned().unwrap_or_default()
    }

    /// What happened at the limits of one kind. Where several limits decide together, each counts the check, and the
    /// refusal belongs to those that refused.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.limiter(&millpond::limit::API).check("ada").await?;
    /// assert_eq!(pond.stats().kind("API").checks, 1);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn kind(&self, kind: &str) -> LimitStats {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// Every kind of limit that has been checked, in no particular order. A limit without a kind has a name made of
    /// where it stands and of its numbers. The first thousand kinds are counted; the rest is under the empty one.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().kinds().count(), 0);
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = (&str, LimitStats)> {
        let kinds = self.kinds.iter();
        kinds.map(|(kind, stats)| (kind.as_str(), *stats))
    }

    /// What happened in the last five minutes, in [`Window`]s of fifteen seconds: the oldest first, and the one that is
    /// not over last. Those in which nothing happened are left out. Needs the feature `dashboard`.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().stats().windows().count(), 0);
    /// ```
    #[cfg(feature = "dashboard")]
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().map(|window| &**window)
    }
}

/// How many prefixes that were found in keys have counters of their own; a key made from user input may hold
/// anything before the colon. Prefixes of functions do not count towards this: the program has a fixed number.
const MAX_PREFIXES: usize = 1_000;

/// All counters of one `Millpond`.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    pub(crate) meter: Arc<Meter>,
    /// What calls waited for other callers' loads.
    pub(crate) wait_times: Histogram,
    /// What a remote store took to answer.
    pub(crate) store_times: Histogram,
    by_prefix: RwLock<ByPrefix>,
    #[cfg(feature = "dashboard")]
    pub(crate) windows: Arc<Windows>,
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

    /// The counters of a function's prefix, which are its own however many other prefixes there are.
    pub(crate) fn counters_of_function(&self, prefix: &str) -> Arc<Counters> {
        let mut by_prefix = sync::write(&self.by_prefix);
        let counters = by_prefix.counters.entry(prefix.to_owned()).or_default();
        counters.is_declared.store(true, Ordering::Relaxed);
        Arc::clone(counters)
    }

    pub(crate) fn snapshot(&self) -> Stats {
        let mut stats = Stats {
            commands: self.meter.commands.get(),
            requests: self.meter.requests.get(),
            bytes_sent: self.meter.bytes_sent.get(),
            bytes_received: self.meter.bytes_received.get(),
            retries: self.meter.retries.get(),
            circuit_opened: self.meter.circuit_opened.get(),
            wait_times: self.wait_times.snapshot(),
            store_times: self.store_times.snapshot(),
            ..Stats::default()
        };
        for (prefix, counters) in &sync::read(&self.by_prefix).counters {
            stats.cache.add(counters);
            stats
                .prefixes
                .entry(prefix.clone())
                .or_default()
                .add(counters);
            if counters.loads.get() > 0 {
                let times = counters.load_times.snapshot();
                stats.load_times.insert(prefix.clone(), times);
            }
        }
        stats
    }

    /// The counters of every prefix.
    #[cfg(any(feature = "metrics", feature = "dashboard"))]
    pub(crate) fn each_prefix(&self, mut with: impl FnMut(&str, &Counters, &CacheStats)) {
        for (prefix, counters) in &sync::read(&self.by_prefix).counters {
            let mut stats = CacheStats::default();
            stats.add(counters);
            with(prefix, counters, &stats);
        }
    }

    /// The prefixes of functions.
    #[cfg(feature = "dashboard")]
    pub(crate) fn declared(&self) -> std::collections::BTreeSet<String> {
        let by_prefix = sync::read(&self.by_prefix);
        let declared = by_prefix.counters.iter();
        let declared = declared.filter(|(_, counters)| counters.is_declared());
        declared.map(|(prefix, _)| prefix.clone()).collect()
    }
}
