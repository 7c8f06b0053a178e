//! Why a key is found or missed: what the server holds under it and what this process knows about it, but never
//! its content.

mod found;
mod kind;
mod words;

use crate::cache::Cache;
use crate::error::Error;
use crate::key::Key;
use crate::local::{Known, Name};
use crate::time_left::TimeLeft;
use found::Found;
pub use kind::ValueKind;
use std::fmt;
use std::time::Duration;

/// What a key holds and what this process knows about it, from
/// [`Millpond::explain`](crate::Millpond::explain). Its `Display` says in a few lines what that means and
/// what to do. It contains the key, but no part of the value.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ttl};
///
/// let pond = Millpond::builder().namespace("staging").build()?;
/// pond.set("user:42", "Ada", ttl::MEDIUM).await?;
/// pond.delete("user:42").await?;
/// let why = pond.explain("user:42").await?;
/// assert_eq!(why.key(), "staging:user:42");
/// assert!(why.to_string().contains("invalidated or written within the last 5 min"));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Explanation {
    key: String,
    /// The reply to `TYPE`; nothing for a key that does not exist.
    redis_type: Option<String>,
    left: TimeLeft,
    /// Bytes of a string, members of anything else.
    size: Option<u64>,
    value: Option<ValueKind>,
    guard: TimeLeft,
    guard_life: Duration,
    loading: bool,
    undelivered: bool,
    local: Option<Known>,
}

impl Cache {
    pub(crate) async fn explain(&self, key: impl Into<Key>) -> Result<Explanation, Error> {
        let key = key.into();
        key.check()?;
        let full = self.client.full(&key);
        let name = full.text().into_owned();
        let loading = self.flights.is_loading(&name);
        let undelivered = self.client.pending.ticket(&full).is_some();
        let local = self.local.known(Name::shared(key.as_str()));
        let commands = found::questions(&full);
        let counters = self.client.registry.counters(key.prefix());
        counters.commands.add(commands.len() as u64);
        let replies = self
            .client
            .send(commands, self.client.settings.budget)
            .await;
        let found = Found::read(replies).inspect_err(|_| counters.errors.add(1))?;
        Ok(Explanation {
            key: name,
            redis_type: found.redis_type,
            left: found.left,
            size: found.size,
            value: found.value,
            guard: found.guard,
            guard_life: self.client.settings.guard_life,
            loading,
            undelivered,
            local,
        })
    }
}

/// Everything but the key.
impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("redis_type", &self.redis_type)
            .field("ttl", &self.left)
            .field("size", &self.size)
            .field("value", &self.value)
            .field("guard", &self.guard)
            .field("loading", &self.loading)
            .field("undelivered", &self.undelivered)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

impl Explanation {
    /// The key as the server knows it, including the namespace.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::builder().namespace("staging").build()?;
    /// assert_eq!(pond.explain("user:42").await?.key(), "staging:user:42");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether the server holds anything under the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().explain("user:42").await?.exists());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn exists(&self) -> bool {
        self.redis_type.is_some()
    }

    /// How long the key has left.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, TimeLeft};
    /// assert_eq!(Millpond::memory().explain("user:42").await?.ttl(), TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn ttl(&self) -> TimeLeft {
        self.left
    }

    /// The Redis type of the value: `string` for a cached value, otherwise `hash`, `list`, `set`, `zset`, `stream` or
    /// another type of the server.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let pond = millpond::Millpond::memory();
    /// pond.command(["RPUSH", "jobs", "a", "b"]).await?;
    /// assert_eq!(pond.explain("jobs").await?.redis_type(), Some("list"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn redis_type(&self) -> Option<&str> {
        self.redis_type.as_deref()
    }

    /// How many bytes a string has.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// # let pond = Millpond::memory();
    /// pond.set("user:42", "Ada", ttl::SHORT).await?;
    /// assert_eq!(pond.explain("user:42").await?.bytes(), Some(5));   // the quotes of the JSON too
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn bytes(&self) -> Option<u64> {
        self.size.filter(|_| self.is_string())
    }

    /// How many fields, items or members a hash, a list, a set or a sorted set has.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let pond = millpond::Millpond::memory();
    /// pond.command(["RPUSH", "jobs", "a", "b"]).await?;
    /// assert_eq!(pond.explain("jobs").await?.members(), Some(2));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn members(&self) -> Option<u64> {
        self.size.filter(|_| !self.is_string())
    }

    /// What kind of value a string is, judged by its first kilobyte.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ValueKind};
    /// # let pond = Millpond::memory();
    /// pond.command(["SET", "greeting", "hello"]).await?;   // as another client would write it
    /// assert_eq!(pond.explain("greeting").await?.value(), Some(ValueKind::Text));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn value(&self) -> Option<ValueKind> {
        self.value
    }

    /// How long the guard of the key has left. An invalidation, a write by hand and `#[updates]` set it for
    /// [`Builder::guard_life`](crate::Builder::guard_life); loads do not.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, TimeLeft};
    /// # let pond = Millpond::memory();
    /// pond.delete("user:42").await?;
    /// assert!(matches!(pond.explain("user:42").await?.guard(), TimeLeft::Left(_)));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn guard(&self) -> TimeLeft {
        self.guard
    }

    /// Whether a call in this process was looking the key up or loading it. Calls of functions with
    /// `flight = "off"` are not counted.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().explain("user:42").await?.is_loading());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// How old the value is that this process keeps itself, for a function with the option `local`; nothing where it
    /// keeps none.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, cached};
    /// #[cached(prefix = "flags", key = "<id>", local = "5s")]
    /// async fn flags(id: u64) -> u64 { id }
    ///
    /// let pond = Millpond::memory();
    /// assert_eq!(pond.explain("flags:1").await?.local_age(), None);
    /// pond.scope(flags(1)).await;
    /// assert!(pond.explain("flags:1").await?.local_age().is_some());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn local_age(&self) -> Option<Duration> {
        self.local.map(|known| known.age)
    }

    /// Whether this process keeps a value of which it does not know that other processes have left it alone, so that the
    /// next call looks at the store first. See [`Builder::local_unverified`](crate::Builder::local_unverified).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().explain("user:42").await?.is_local_doubted());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_local_doubted(&self) -> bool {
        self.local.is_some_and(|known| known.is_doubted)
    }

    /// Whether an invalidation of the key by this process has not been delivered yet. Until it is, this process
    /// ignores the server's value for the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let why = millpond::Millpond::memory().explain("user:42").await?;
    /// assert!(!why.has_undelivered_invalidation());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn has_undelivered_invalidation(&self) -> bool {
        self.undelivered
    }

    fn is_string(&self) -> bool {
        self.redis_type() == Some("string")
    }
}
