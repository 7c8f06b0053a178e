//! Values by hand, one key at a time.

use super::Millpond;
use crate::cache::call_mode::{self, CallMode};
use crate::cache::{self, Answer, BypassReason, CachedCall, Policy};
use crate::client::tags::Tags;
use crate::error::Error;
use crate::key::Key;
use crate::time_left::TimeLeft;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

impl Millpond {
    /// Reads a value, including compressed and encrypted ones. A stored null is `None` too, unless `T` is
    /// itself an `Option`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if the stored value is not a `T`, or was encrypted
    /// with a key that this `Millpond` does not have, [`ErrorKind::WrongType`](crate::ErrorKind::WrongType)
    /// if the key holds a list, a hash or another Redis type, and the errors of [any
    /// command](crate::ErrorKind).
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

    /// Stores a value. Loads that are in progress do not overwrite it. If no answer comes back in time, the
    /// key is invalidated in the background. (`put` of an [`Entry`](crate::Entry) does the same with the
    /// lifetime and options of its function.)
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a value that cannot be represented as
    /// JSON or a lifetime of zero, [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) over
    /// [`Builder::max_value_bytes`](crate::Builder::max_value_bytes), and the errors of [any
    /// command](crate::ErrorKind).
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

    /// Stores a value only if the key does not exist. Returns whether it was stored.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if no
    /// answer came back.
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

    /// Removes a value, and prevents loads that are in progress from storing an older one. Returns whether
    /// the key existed. (`invalidate` of an [`Entry`](crate::Entry) does the same, as a future that can be
    /// spawned.)
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind). The invalidation is then delivered in the background,
    /// and until it succeeds, this process ignores the server's value for the key.
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

    /// Whether the key exists.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().exists("user:42").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn exists(&self, key: impl Into<Key>) -> Result<bool, Error> {
        self.0.cache.exists(key).await
    }

    /// The remaining lifetime of the key.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
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

    /// Sets the lifetime of the key, counted from now. Returns whether the key existed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a lifetime of zero, and the errors of
    /// [any command](crate::ErrorKind).
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

    /// Reads a value, or loads and stores it, as `#[cached]` does. At most one load of a key runs in this
    /// process at a time. Only `Ok` is stored. A failure of the cache never changes the result.
    ///
    /// # Errors
    /// Only the errors of `load`, unchanged.
    ///
    /// # Cancel safety
    /// If the caller that runs `load` is dropped, another caller that waits for the key takes over.
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
        let (mode, reporting) = call_mode::take();
        let call = CachedCall {
            cache: Arc::clone(&self.0.cache),
            key,
            policy: Policy::by_hand(ttl),
            tags: Tags::default(),
            counters,
            function: None,
            refresh: mode == Some(CallMode::Refresh),
            keeper: None,
        };
        let is_uncached = mode == Some(CallMode::Uncached);
        if is_uncached {
            reporting.bypassed(BypassReason::Uncached);
        }
        let call = ((!is_uncached).then_some(call), reporting);
        let cacheable = cache::cacheable(cache::Fallible::new());
        // The closure is called only when its future is going to be polled.
        Answer::new(call, cacheable, cache::never, async { load().await }).await
    }
}
