//! Hashes: values of several fields that change on their own.

mod fields;
mod reading;
mod writing;

use crate::cache::Cache;
use crate::client::guard::Change;
use crate::error::Error;
use crate::key::Key;
use crate::store::command::{Command, Effect, Purpose, Reply};
use crate::ttl::lifetime;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A Redis hash under one key. Each field holds a JSON value, as [`Millpond::set`](crate::Millpond::set)
/// stores it, and can be changed without reading or writing the others. Created by
/// [`Millpond::hash`](crate::Millpond::hash); cheap to create and to clone.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::Millpond;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Prefs {
///     theme: String,
///     language: String,
///     logins: Option<u32>,
/// }
///
/// let pond = Millpond::memory();
/// let prefs = pond.hash("user:123:prefs");
/// prefs.set("theme", "dark").await?;
/// prefs.set("language", "en").await?;
/// prefs.increment("logins", 1).await?;
/// assert_eq!(prefs.get::<String>("theme").await?.as_deref(), Some("dark"));
/// let all: Option<Prefs> = prefs.get_all().await?;
/// assert_eq!(all.unwrap().logins, Some(1));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Hash {
    cache: Arc<Cache>,
    key: Key,
    life: Option<Duration>,
}

impl Hash {
    pub(crate) fn new(cache: Arc<Cache>, key: Key) -> Self {
        Self {
            cache,
            key,
            life: None,
        }
    }

    /// A write that creates the hash gives it this lifetime, in the same step; an existing hash keeps its
    /// own. Without this, a hash does not expire.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let cart = Millpond::memory().hash("cart:7").expires_in(ttl::EXTENDED);
    /// cart.set("apples", &3).await?;
    /// assert!(cart.ttl().await?.duration() > Some(ttl::LONG));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn expires_in(self, ttl: Duration) -> Self {
        Self {
            life: Some(ttl),
            ..self
        }
    }

    /// The key, without the namespace of the cache.
    ///
    /// ```
    /// assert_eq!(millpond::Millpond::memory().hash("cart:7").key().as_str(), "cart:7");
    /// ```
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A value for a field, if it may be stored.
    pub(super) fn checked(&self, plain: Bytes) -> Result<Bytes, Error> {
        let full = self.cache.client.full(&self.key);
        self.cache.client.codec.as_it_is(&full, plain)
    }

    async fn send(&self, command: Command) -> Result<Reply, Error> {
        let full = self.cache.client.full(&self.key);
        self.cache.client.on_key(&self.key, &full, command).await
    }

    /// A command that only reads, with these arguments behind the key.
    pub(super) async fn read(
        &self,
        name: &'static str,
        args: impl IntoIterator<Item = Bytes>,
    ) -> Result<Reply, Error> {
        let words = [
            Bytes::from_static(name.as_bytes()),
            self.cache.client.full(&self.key).value,
        ];
        let words = words.into_iter().chain(args);
        self.send(Command::new(Effect::Read, words)).await
    }

    /// A command that changes the hash, and may create it.
    pub(super) async fn write(
        &self,
        name: &'static str,
        args: impl IntoIterator<Item = Bytes>,
    ) -> Result<Reply, Error> {
        self.change(name, args, self.life).await
    }

    /// As [`Self::write`], with this lifetime for a hash that it creates.
    pub(super) async fn change(
        &self,
        name: &'static str,
        args: impl IntoIterator<Item = Bytes>,
        life: Option<Duration>,
    ) -> Result<Reply, Error> {
        let full = self.cache.client.full(&self.key);
        let change = Change {
            name,
            args: args.into_iter().collect(),
            life: life.map(lifetime).transpose()?,
            purpose: Purpose::Value,
        };
        let client = &self.cache.client;
        client.change(&self.key, &full, change, false).await
    }
}
