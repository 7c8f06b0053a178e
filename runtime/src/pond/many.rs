//! Values by hand, many keys at a time.

use super::Millpond;
use crate::error::Error;
use crate::key::Key;
use crate::pattern::Pattern;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

impl Millpond {
    /// Reads values in one command, in the order of the keys. The result is `None` for a key that does not
    /// exist or holds another Redis type. A stored null is `None` too, unless `T` is itself an `Option`. A
    /// value that is not a `T` does not fail the others: it is `None`, counted in
    /// [`decode_failures`](crate::CacheStats::decode_failures) and logged.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey) for a key that cannot be used, and the errors
    /// of [any command](crate::ErrorKind). Without keys, no command is sent.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// pond.set_many([("user:1", "Ada"), ("user:2", "Alan")], ttl::MEDIUM).await?;
    /// let users: Vec<Option<String>> = pond.get_many(["user:1", "user:7", "user:2"]).await?;
    /// assert_eq!(users, [Some("Ada".to_owned()), None, Some("Alan".to_owned())]);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        keys: impl IntoIterator<Item = impl Into<Key>>,
    ) -> Result<Vec<Option<T>>, Error> {
        self.0.cache.get_many(keys).await
    }

    /// Stores values with the same lifetime, in one command (on Redis Cluster, in one command per value).
    /// Loads that are in progress do not overwrite them. If no answer comes back in time, the keys are
    /// invalidated in the background.
    ///
    /// # Errors
    /// As [`set`](Self::set); if one value or key is invalid, nothing is stored.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, key, ttl};
    /// let prices = [("EUR", 9.5), ("USD", 10.2)];
    /// let pond = Millpond::memory();
    /// let entries = prices.map(|(currency, price)| (key!("price:<currency>"), price));
    /// pond.set_many(entries, ttl::SHORT).await?;
    /// assert_eq!(pond.get::<f64>("price:USD").await?, Some(10.2));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set_many<K: Into<Key>, V: Serialize>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
        ttl: Duration,
    ) -> Result<(), Error> {
        self.0.cache.set_many(entries, ttl).await
    }

    /// Removes values in one request, and prevents loads that are in progress from storing older ones.
    /// Returns how many of the keys existed.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// pond.set("post:1", "text", ttl::LONG).await?;
    /// assert_eq!(pond.delete_many(["post:1", "user:7:posts"]).await?, 1);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn delete_many(
        &self,
        keys: impl IntoIterator<Item = impl Into<Key>>,
    ) -> Result<u64, Error> {
        self.0.cache.delete_many(keys).await
    }

    /// Removes every key that matches, of any Redis type, and returns how many. **Expensive:** the server
    /// scans all its keys, a thousand per command (`SCAN`, never `KEYS`), and each page with a match costs
    /// one `DEL` more. Prefer [`delete_many`](Self::delete_many) or `#[invalidates]` where you can name the
    /// keys. With a namespace, only keys in it match.
    ///
    /// It does not reach keys that are created during the scan, nor loads in progress in other processes,
    /// which may store an older value (loads in this process do not). It keeps guards, so that earlier
    /// invalidations stay in force, and the fencing tokens of locks, so that they keep growing.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a pattern that matches every key
    /// (`*`); [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey) for one under a key that cannot be
    /// used; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) on Redis Cluster, where each node
    /// knows only its own keys; and the errors of [any command](crate::ErrorKind). What was removed before
    /// the error stays removed.
    ///
    /// # Cancel safety
    /// If the future is dropped, some of the keys may have been removed.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Pattern, key, ttl};
    ///
    /// let pond = Millpond::memory();
    /// for key in ["user:42:posts", "user:42:likes", "user:43:posts"] {
    ///     pond.set(key, &1, ttl::MEDIUM).await?;
    /// }
    /// let id = 42;
    /// assert_eq!(pond.invalidate_pattern(Pattern::under(key!("user:<id>"))).await?, 2);
    /// assert_eq!(pond.invalidate_pattern("user:*").await?, 1);
    /// assert!(pond.invalidate_pattern("*").await.is_err());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn invalidate_pattern(&self, pattern: impl Into<Pattern>) -> Result<u64, Error> {
        self.0.cache.invalidate_pattern(pattern).await
    }
}
