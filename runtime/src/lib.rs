//! Cache an `async fn`, invalidate it, or rate-limit it with one attribute each: in Upstash Redis over HTTP,
//! in any Redis, or in the process if nothing is configured.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # millpond::Millpond::memory().scope(async {
//! use millpond::{cached, invalidates};
//!
//! #[cached(prefix = "user", ttl = "medium", key = "<user_id>")]
//! async fn get_user(user_id: u64) -> Option<String> { Some(format!("user {user_id}")) }
//!
//! #[invalidates(get_user(user_id))]
//! async fn rename_user(user_id: u64, name: &str) -> Result<(), std::fmt::Error> { Ok(drop(name)) }
//!
//! assert_eq!(get_user(42).await.as_deref(), Some("user 42"));   // runs the body
//! assert_eq!(get_user(42).await.as_deref(), Some("user 42"));   // does not
//! rename_user(42, "Ada").await.unwrap();
//! invalidate_user!(42).await?;                                  // by hand
//! # Ok::<_, millpond::Error>(()) }).await }).unwrap();
//! ```
//!
//! # What you can rely on
//!
//! - **A cache never changes what a function returns.** If Redis is down, slow, misconfigured or holds
//!   garbage, the function body runs.
//! - **A slow load does not undo an invalidation**, across processes too: every key has a guard that an
//!   invalidation changes, and a load is stored only if the guard has not changed since the load began.
//! - **One body per key and process**: the other callers wait for it, and one of them takes over if its
//!   caller goes away. [Nobody waits long for others](#concurrent-callers): whatever happens to their
//!   loads, a call takes about two bodies and its budget for the cache.
//! - **A mutation still invalidates if its caller goes away.**
//! - **Two argument lists never share a key.**
//! - **No secret appears in a log, an error or a `Debug`**, and no input can cause a panic.
//!
//! # Concurrent callers
//!
//! The first caller of a cold key loads it, and the others wait for the result. A caller gets the result
//! only if it called before the read, or the body, that the result comes from was started. So no caller
//! gets a value that is older than a change which was acknowledged before the call.
//!
//! - If a key is invalidated more often than its load takes, each caller waits for two bodies at most.
//! - An error that is `Clone` is returned to every caller that called before the body was started. Any
//!   other error, a panic, and a value that cannot be stored belong to one caller, and two others run
//!   their bodies. So if the body fails for `n` concurrent callers, all of them have returned after
//!   log₂ `n` + 1 bodies, and the first success ends the wait of all the others.
//! - If the caller that loads is cancelled, or is no longer polled, the youngest waiter takes over.
//! - If bodies wait for each other's loads (`a` calls `b`, and in another task `b` calls `a`), this is
//!   detected, and one of them runs the other function's body itself. It cannot be detected through a
//!   task that a body spawns; then the wait ends after [`Builder::flight_wait`].
//!
//! # Tokio
//!
//! Requests to Redis, timeouts, and waiting for another caller's load need a Tokio runtime with
//! `enable_all`. Without one, for example under `futures::executor::block_on`, the embedded engine caches
//! as usual, except that a call which would have to wait for another caller's load runs its body instead.
//! With Redis, cached functions run uncached without a runtime. The log says so once.
//!
//! # Where the values live
//!
//! [`Millpond::from_env`] lists the environment variables. [`Millpond::builder`] configures in code;
//! [`install`] sets the cache of the process, and [`Millpond::scope`] that of one task. Values are JSON that
//! any client of the database can read. The options `compress` and `encrypt` of a function store them as
//! gzip, or encrypted with the key of [`Builder::encryption_key`] or of the variable
//! `MILLPOND_ENCRYPTION_KEY`.
//!
//! # By hand
//!
//! [`Millpond`] has what attributes do not cover: values one by one or [several at once](Millpond::get_many),
//! typed [entries](Millpond::entry), [counters](Millpond::increment), [hashes](Millpond::hash),
//! [locks](Millpond::lock), [sessions](Millpond::sessions), [commands](Millpond::command),
//! [pipelines](Millpond::pipeline), [transactions](Millpond::transaction), and [why a key is found or
//! missed](Millpond::explain). The [guide](https://docs.rs/millpond/latest/millpond/guide/) shows all of it,
//! and maps the names of the TypeScript guide to Rust.
//!
//! # What it costs
//!
//! | event | commands sent | commands executed by the server |
//! |---|---|---|
//! | hit | 1: `MGET` | 1 |
//! | miss and fill | 2: `MGET`, `EVALSHA` | 4 |
//! | `invalidate`, `delete`, `#[invalidates]`, per key | 2, in one request: `SET`, `DEL` | 2 |
//! | `put`, `set` | 1: `EVALSHA` | 4 |
//! | hit by a caller who waited for another's load | 0 | 0 |
//! | limit check, a fixed window | 1: `EVALSHA` | 2 |
//! | limit check, a sliding window | 1: `EVALSHA` | 3 |
//! | limit check, a token bucket | 1: `EVALSHA` | 4 |
//! | limit check of a caller who is known to be refused | 0 | 0 |
//!
//! The first use of a script on a server costs one `EVAL` more. Commands issued while a request is in flight
//! are sent together in the next one. [`Millpond::stats`] counts them. [`settings`] has the whole table, and
//! every setting with its default.
//!
//! # Limits
//!
//! [`Millpond::limiter`] limits callers across processes, in budgets that `@upstash/ratelimit` shares;
//! [`macro@rate_limited`] does it for a function. While the store does not answer, [`limit::OnOutage`]
//! decides; by default every process then has a budget of its own ([`Limit::share`] divides it). Repeated
//! failures open a circuit breaker, so that calls do not wait for a store that is down. Calls use the store
//! again at most 5 s after it is back.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use millpond::{Millpond, limit};
//!
//! let pond = Millpond::memory();
//! let decision = pond.limiter(&limit::AUTH).check("ada@example.com").await?;
//! assert_eq!((decision.is_allowed(), decision.remaining()), (true, Some(4)));
//! # Ok::<_, millpond::Error>(()) }).unwrap();
//! ```
//!
//! # Features
//!
//! - `upstash` (default): Upstash Redis, and anything that speaks its REST protocol.
//! - `redis`: any Redis, Valkey or Redis Cluster over RESP.
//! - `compress` (default): the option `compress` of [`macro@cached`], gzip.
//! - `encrypt` (default): the option `encrypt` of [`macro@cached`], AES-256-GCM.
//! - `catalogue`: `millpond::catalogue()`, which lists what the binary caches, invalidates and limits by attributes.
//! - `dashboard`: `millpond::dashboard::service()`, a live page of all this, and counts of the last minutes.
//! - `axum`: refusals of limits as responses, layers for routes, the caller's address, and `readiness` for probes.
//! - `metrics`: counters, gauges and histograms for the [`metrics`](https://docs.rs/metrics) crate, and through it for
//!   Prometheus and others.
//!
//! # When something is off
//!
//! [`Millpond::explain`] and [`ValueEntry::explain`] say why a key is found or missed. [`Millpond::stats`]
//! counts what happened, by prefix. [`limit::Decision::reason`] says why a check was refused or degraded.
//! `cargo run --example doctor`, in the repository, checks the environment, the database and the clocks.
//!
//! # Logs and traces
//!
//! Events go to [`tracing`](https://docs.rs/tracing) under the target `millpond`: a warning when nothing is
//! configured (`Missing Upstash Redis credentials`), when the cache did not answer, when a value could not be
//! read or stored, when two functions can use the same keys; an error when the configuration is wrong, when two functions cache different types under
//! the same keys, and when a function with `encrypt` has no key. Events name prefixes, never keys or values.
//! A load is a span under the target `millpond::load`, below the span of the call and above those of the body; the
//! [guide](https://docs.rs/millpond/latest/millpond/guide/#logs-and-traces) has its fields, and what is said once for each
//! outage.
//!
//! # The way through the code
//!
//! A cached call: `key → flight → store → open → decode → body → encode → seal → store`. The layers, from the
//! ground up: `ground → store → client → local → cache, limit → features → face`; DEVELOPMENT.md says what is where.

mod builder;
mod cache;
#[cfg(feature = "catalogue")]
pub mod catalogue;
mod client;
mod clock;
mod codec;
mod counter;
#[cfg(feature = "dashboard")]
pub mod dashboard;
mod encoding;
mod entry;
mod error;
mod explain;
mod few;
mod hash;
mod health;
mod hex;
mod json;
mod key;
mod keyring;
mod local;
mod lock;
mod many;
#[cfg(feature = "metrics")]
pub mod metrics;
mod operations;
mod pattern;
mod pipeline;
mod pond;
mod random;
#[cfg(feature = "axum")]
mod readiness;
mod reply;
mod runtime;
mod scope;
mod secret;
mod session;
mod stats;
mod store;
mod sync;
mod time_left;
mod value;

#[doc = include_str!("../docs/guide.md")]
// Its programs are files of `tests/guide`, run there.
#[cfg(not(doctest))]
pub mod guide {}
#[doc = include_str!("../docs/interop.md")]
#[cfg(not(doctest))]
pub mod interop {}
pub mod limit;
pub mod prefix;
#[doc = include_str!("../docs/settings.md")]
pub mod settings;
pub mod ttl;

/// What the attributes ask of types, for the compiler to name where a type lacks it. Whatever fits has these
/// traits already; none of them is meant to be implemented by hand.
pub mod bounds {
    pub use crate::__private::{
        BatchCollection, CacheValue, CacheableKind, CopiedArgument, Cost, HashedPart, Identify,
        Item, ItemValue, KeyPart, LocalValue, MovedArgument, OptionalPart, PassAs, Refuse, Respond,
    };
}

/// Tells the linker what an attribute stands on, for the catalogue; nothing without it.
#[cfg(feature = "catalogue")]
#[doc(hidden)]
#[macro_export]
macro_rules! __catalogued {
    ($($site:tt)*) => {
        $crate::__private::inventory::submit! { $($site)* }
    };
}

/// Tells the linker what an attribute stands on, for the catalogue; nothing without it.
#[cfg(not(feature = "catalogue"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __catalogued {
    ($($site:tt)*) => {};
}

#[doc(hidden)]
pub mod __private;

pub use builder::Builder;
pub use cache::{BatchStatus, BypassReason, CallStatus, Tier, refresh, uncached, with_status};
#[cfg(feature = "catalogue")]
pub use catalogue::catalogue;
pub use clock::ManualClock;
pub use entry::{
    AllEntries, Entry, Invalidation, LocalEntries, LocalEntry, LocalExplanation, LocalInvalidation,
    LocalValueEntry, Lookup, PutAs, ValueEntry,
};
pub use error::{Error, ErrorKind};
pub use explain::{Explanation, ValueKind};
pub use hash::Hash;
pub use health::{Health, HealthCheck, HealthState};
pub use key::{Key, Tag};
pub use limit::{Limit, RateLimited};
pub use lock::{Lock, LockGuard};
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # millpond::Millpond::memory().scope(async {
/// use millpond::cached;
///
/// #[cached(prefix = "square", ttl = "1h", key = "<n>", skip(log))]
/// async fn square(n: u64, log: &mut Vec<u64>) -> u64 { log.push(n); n * n }
///
/// let mut log = Vec::new();
/// assert_eq!(square(3, &mut log).await, 9);
/// assert_eq!(square(3, &mut log).await, 9);
/// assert_eq!(log, [3]);   // one body
/// square::invalidate(3).await.unwrap();
/// assert_eq!(square(3, &mut log).await, 9);
/// assert_eq!(log, [3, 3]);
/// # }).await });
/// ```
pub use millpond_macros::cached;
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # millpond::Millpond::memory().scope(async {
/// use millpond::{Lookup, cached, invalidates};
///
/// #[cached(prefix = "name", key = "<id>")]
/// async fn name(id: u64) -> Option<String> { Some(format!("user {id}")) }
///
/// #[invalidates(name(id))]
/// async fn rename(id: u64, to: &str) -> Result<(), std::fmt::Error> { Ok(drop(to)) }
///
/// name(7).await;
/// rename(7, "Ada").await.unwrap();
/// assert_eq!(name::entry(7).get().await.unwrap(), Lookup::Miss);
/// # }).await });
/// ```
pub use millpond_macros::invalidates;
/// ```
/// use millpond::{key, prefix};
///
/// let (user_id, page) = (42, Some("a b"));
/// assert_eq!(key!("user:<user_id>:<page?>").as_str(), "user:42:a%20b");
/// assert_eq!(key!(prefix::USER, "<user_id>").as_str(), "user:42");
/// ```
pub use millpond_macros::key;
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # millpond::Millpond::memory().scope(async {
/// use millpond::{RateLimited, rate_limited};
///
/// #[rate_limited(limit = 2, per = "1h", id = user_id)]
/// async fn export(user_id: u64) -> Result<String, RateLimited> { Ok(format!("data of {user_id}")) }
///
/// assert!(export(42).await.is_ok());
/// assert!(export(42).await.is_ok());
/// assert!(export(42).await.is_err());   // for an hour
/// assert!(export(43).await.is_ok());
/// # }).await });
/// ```
pub use millpond_macros::rate_limited;
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # millpond::Millpond::memory().scope(async {
/// use millpond::{cached, updates};
///
/// #[cached(prefix = "name", key = "<id>")]
/// async fn name(id: u64) -> Option<String> { None }
///
/// #[updates(name(id))]
/// async fn rename(id: u64, to: &str) -> Result<String, std::fmt::Error> { Ok(to.to_owned()) }
///
/// rename(7, "Ada").await.unwrap();
/// assert_eq!(name(7).await.as_deref(), Some("Ada"));
/// # }).await });
/// ```
pub use millpond_macros::updates;

/// Makes a function that gives a [`Tag`], by which cached values are invalidated together.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, Tag, cached, invalidates};
///
/// #[millpond::tag("org:<org_id>")]
/// pub fn org(org_id: u64) -> Tag;
///
/// #[cached(prefix = "posts", key = "<org_id>:<page>", tags(org(org_id)))]
/// async fn org_posts(org_id: u64, page: u32) -> Vec<String> { Vec::new() }
///
/// #[invalidates(org(org_id))]
/// async fn rename_org(org_id: u64, name: &str) {}
///
/// # let pond = Millpond::memory();
/// # pond.scope(async {
/// org_posts(7, 1).await;
/// org_posts(7, 2).await;
/// rename_org(7, "Ada & Co").await;          // one command, however many pages
/// org_posts(7, 1).await;
/// org::invalidate(7).await?;                // by hand
/// # Ok::<_, millpond::Error>(()) }).await?;
/// # assert_eq!(pond.stats().cache.loads, 3);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
pub use millpond_macros::tag;
pub use pattern::Pattern;
pub use pipeline::{Pipeline, Transaction};
pub use pond::Millpond;
#[cfg(feature = "axum")]
pub use readiness::readiness;
pub use reply::{FromReply, Reply};
#[cfg(feature = "tower")]
pub use scope::{ScopeFuture, ScopeLayer, ScopeService};
pub use scope::{current, install};
#[cfg(feature = "axum")]
pub use session::{CurrentSession, SessionCookie};
pub use session::{SessionId, Sessions};
#[cfg(feature = "dashboard")]
pub use stats::Window;
pub use stats::{CacheStats, Durations, Stats};
pub use time_left::TimeLeft;
pub use value::NULL_SENTINEL;
