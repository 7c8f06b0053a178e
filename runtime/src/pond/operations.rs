//! Values by hand, one key at a time.

use super::Millpond;
use crate::cache::call_mode::{self, CallMode};
use crate::cache::{self, Answer, CachedCall, Policy};
use crate::error::Error;
use crate::key::Key;
use crate::time_left::TimeLeft;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

impl Millpond {
    /// Reads a value, be it compressed or encrypted. A stored null is `None` too, unless `T` is an
    /// `Option` itself.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if something else than a `T` is stored, or something encrypted with a
    /// key that this `Millpond` does not have, [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if
    /// the key holds a list, a hash or the like, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert_eq!(pond.get::<u32>("user:42:age").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Result<Option<T>, Error> {
        self.0.cache.get(key).await
    }

    /// Stores a value. Loads under way will not overwrite it. Where no answer comes back in time, the
    /// key is invalidated in the background.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a value that has no JSON or a lifetime of zero,
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) over [`Builder::max_value_bytes`](crate::Builder::max_value_bytes), and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.set("config:models", &["small", "large"], millpond::ttl::LONG).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<(), Error> {
        self.0.cache.set(key, value, ttl).await
    }

    /// Stores a value only if the key is not there; true if it was stored.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) when no answer came back.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert!(pond.set_if_absent("job:7", &"me", millpond::ttl::SHORT).await?);
    /// assert!(!pond.set_if_absent("job:7", &"you", millpond::ttl::SHORT).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set_if_absent<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<bool, Error> {
        self.0.cache.set_if_absent(key, value, ttl).await
    }

    /// Removes a value, and keeps loads under way from storing an older one; true if it was there.
    ///
    /// # Errors
    /// What can go wrong on the way. The invalidation is then delivered in the background, and
    /// until it is through this process does not believe what the server holds for the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert!(!pond.delete("user:42").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn delete(&self, key: impl Into<Key>) -> Result<bool, Error> {
        self.0.cache.delete(key).await
    }

    /// Whether the key is there.
    ///
    /// # Errors
    /// What can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().exists("user:42").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn exists(&self, key: impl Into<Key>) -> Result<bool, Error> {
        self.0.cache.exists(key).await
    }

    /// How long the key has left.
    ///
    /// # Errors
    /// What can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, TimeLeft};
    /// assert_eq!(Millpond::memory().ttl("user:42").await?, TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn ttl(&self, key: impl Into<Key>) -> Result<TimeLeft, Error> {
        self.0.cache.ttl(key).await
    }

    /// Gives the key another lifetime, from now; true if it was there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a lifetime of zero, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, ttl};
    /// assert!(!Millpond::memory().expire("user:42", ttl::LONG).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn expire(&self, key: impl Into<Key>, ttl: Duration) -> Result<bool, Error> {
        self.0.cache.expire(key, ttl).await
    }

    /// Reads a value, or loads and stores it: the attribute by hand. At most one load of a key runs
    /// in this process at a time; only `Ok` is stored; a cache that fails never changes what comes
    /// back.
    ///
    /// # Errors
    /// Only those of `load`, unchanged.
    ///
    /// # Cancel safety
    /// A load that is dropped half-way hands over to another caller that waits for it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, key, ttl};
    ///
    /// # let pond = Millpond::memory();
    /// # let id = 42;
    /// let name = pond
    ///     .get_or_set(key!("user:<id>"), ttl::MEDIUM, async || {
    ///         Ok::<_, std::io::Error>("Ada".to_owned())
    ///     })
    ///     .await?;
    /// assert_eq!(name, "Ada");
    /// # Ok::<_, std::io::Error>(()) }).unwrap();
    /// ```
    pub async fn get_or_set<T, E, F, Fut>(
        &self,
        key: impl Into<Key>,
        ttl: Duration,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let key = key.into();
        let counters = self.0.client.registry.counters(key.prefix());
        let mode = call_mode::take();
        let call = CachedCall {
            cache: Arc::clone(&self.0.cache),
            key,
            policy: Policy::by_hand(ttl),
            counters,
            refresh: mode == Some(CallMode::Refresh),
        };
        let call = (mode != Some(CallMode::Uncached)).then_some(call);
        let cacheable = cache::cacheable(cache::Fallible::new());
        // The closure is called only when its future is going to be polled.
        Answer::new(call, cacheable, cache::never, async { load().await }).await
    }
}
