//! Hashes: values of several fields that change on their own.

mod fields;

use crate::cache::Cache;
use crate::client::guard::Change;
use crate::counter::explained;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::reply::{bulk, int, no_reply};
use crate::store::command::{Command, Effect, Reply};
use crate::time_left::TimeLeft;
use crate::ttl::lifetime;
use crate::value;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// The most fields that one command of [`Hash::set_all`] carries; Lua takes no list of over 7,999.
const MOST_FIELDS: usize = 1_000;

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
    fn checked(&self, plain: Bytes) -> Result<Bytes, Error> {
        let full = self.cache.client.full(&self.key);
        self.cache.client.codec.as_it_is(&full, plain)
    }

    async fn send(&self, command: Command) -> Result<Reply, Error> {
        let full = self.cache.client.full(&self.key);
        self.cache.client.on_key(&self.key, &full, command).await
    }

    /// A command that only reads, with these arguments behind the key.
    async fn read(
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
    async fn write(
        &self,
        name: &'static str,
        args: impl IntoIterator<Item = Bytes>,
    ) -> Result<Reply, Error> {
        self.change(name, args, self.life).await
    }

    /// As [`Self::write`], with this lifetime for a hash that it creates.
    async fn change(
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
        };
        let client = &self.cache.client;
        client.change(&self.key, &full, change, false).await
    }

    /// Sets one field. Returns whether the field is new.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a value that cannot be represented as JSON, [`ErrorKind::WrongType`]
    /// if the key holds another Redis type, [`ErrorKind::OutcomeUnknown`] if no answer came back, and the
    /// errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// assert!(prefs.set("theme", "dark").await?);
    /// assert!(!prefs.set("theme", "light").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set<V: Serialize + ?Sized>(
        &self,
        field: impl Into<String>,
        value: &V,
    ) -> Result<bool, Error> {
        let value = self.checked(plain_form(value)?)?;
        let reply = self.write("HSET", [field.into().into(), value]).await?;
        Ok(int(&reply)? > 0)
    }

    /// Sets a field for each member of a struct or map, in one command per 1,000 fields. Other fields are
    /// kept.
    ///
    /// # Errors
    /// As [`set`](Self::set); [`ErrorKind::InvalidValue`] if the value is not a struct or a map.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let pond = millpond::Millpond::memory();
    /// #[derive(serde::Serialize)]
    /// struct Prefs<'a> { theme: &'a str, language: &'a str }
    ///
    /// let prefs = pond.hash("user:123:prefs");
    /// prefs.set_all(&Prefs { theme: "dark", language: "en" }).await?;
    /// assert_eq!(prefs.len().await?, 2);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn set_all<T: Serialize + ?Sized>(&self, members: &T) -> Result<(), Error> {
        let pairs = fields::split(&plain_form(members)?)?;
        for (_, value) in &pairs {
            self.checked(value.clone())?;
        }
        for page in pairs.chunks(MOST_FIELDS) {
            let args = page
                .iter()
                .flat_map(|(name, value)| [name.clone(), value.clone()]);
            self.write("HSET", args.collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// Reads one field. A stored null is `None` too, unless `V` is itself an `Option`.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if the field does not hold a `V`, [`ErrorKind::WrongType`] if the key holds
    /// another Redis type, and the errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// assert_eq!(prefs.get::<String>("theme").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get<V: DeserializeOwned>(
        &self,
        field: impl Into<String>,
    ) -> Result<Option<V>, Error> {
        let field = field.into();
        let reply = self.read("HGET", [field.clone().into()]).await?;
        self.field(&field, bulk(reply)?)
    }

    /// Reads several fields of one type in one command, in the given order; `None` for a field that does not
    /// exist. A field that holds something else does not fail the others: it is `None`, counted in
    /// [`decode_failures`](crate::CacheStats::decode_failures) and logged.
    ///
    /// # Errors
    /// As [`get`](Self::get), except [`ErrorKind::Decode`]. Without fields, no command is sent.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// prefs.set("theme", "dark").await?;
    /// let found: Vec<Option<String>> = prefs.get_many(["theme", "language"]).await?;
    /// assert_eq!(found, [Some("dark".to_owned()), None]);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get_many<V: DeserializeOwned>(
        &self,
        fields: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Vec<Option<V>>, Error> {
        let fields: Vec<String> = fields.into_iter().map(Into::into).collect();
        if fields.is_empty() {
            return Ok(Vec::new());
        }
        let args = fields.iter().map(|field| Bytes::from(field.clone()));
        match self.read("HMGET", args).await? {
            Reply::Array(found) if found.len() == fields.len() => fields
                .iter()
                .zip(found)
                .map(|(field, reply)| match self.field(field, bulk(reply)?) {
                    Err(error) if error.kind() == ErrorKind::Decode => {
                        self.left_out(1);
                        Ok(None)
                    }
                    read => read,
                })
                .collect(),
            _ => Err(no_reply()),
        }
    }

    /// Reads all fields into a struct or a map; `None` if the hash does not exist. Fields that the type does
    /// not have are ignored, as is the default of `serde`. A field that holds something else is treated as
    /// missing, counted in [`decode_failures`](crate::CacheStats::decode_failures) and logged.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if the fields do not form a `T`, even without those that hold something else;
    /// the error names the field if one is the cause; otherwise as [`get`](Self::get).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::collections::HashMap;
    ///
    /// let stock = millpond::Millpond::memory().hash("stock");
    /// assert_eq!(stock.get_all::<HashMap<String, u32>>().await?, None);
    /// stock.set("apples", &3).await?;
    /// let all: HashMap<String, u32> = stock.get_all().await?.unwrap();
    /// assert_eq!(all["apples"], 3);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get_all<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let reply = self.read("HGETALL", []).await?;
        let words: Vec<Bytes> = reply.parse()?;
        if words.is_empty() {
            return Ok(None);
        }
        let joined = fields::join(&words).map(|(value, left_out)| {
            self.left_out(left_out);
            Some(value)
        });
        joined.map_err(|what| {
            let (key, kind) = (&self.key, std::any::type_name::<T>());
            Error::new(
                ErrorKind::Decode,
                format!(
                    "the hash under {key} is not a {kind}: {what}; delete it, or ask for another type"
                ),
            )
        })
    }

    /// Removes fields. Returns how many of them existed. A hash without fields does not exist.
    ///
    /// # Errors
    /// As [`set`](Self::set). Without fields, no command is sent.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// prefs.set("theme", "dark").await?;
    /// assert_eq!(prefs.delete(["theme", "language"]).await?, 1);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn delete(
        &self,
        fields: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<u64, Error> {
        let fields: Vec<Bytes> = fields.into_iter().map(|it| it.into().into()).collect();
        if fields.is_empty() {
            return Ok(0);
        }
        let reply = self.change("HDEL", fields, None).await?;
        Ok(u64::try_from(int(&reply)?).unwrap_or(0))
    }

    /// Adds to a field and returns the sum. A field that does not exist counts as 0.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`] and [`ErrorKind::Overflow`], with nothing changed;
    /// [`ErrorKind::OutcomeUnknown`] if no answer came back; otherwise as [`set`](Self::set).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let stock = millpond::Millpond::memory().hash("stock");
    /// assert_eq!(stock.increment("apples", 10).await?, 10);
    /// assert_eq!(stock.increment("apples", -3).await?, 7);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn increment(&self, field: impl Into<String>, by: i64) -> Result<i64, Error> {
        let field = field.into();
        let args = [field.clone().into(), by.to_string().into()];
        let reply = self.write("HINCRBY", args).await;
        let reply = reply.map_err(|error| explained(error, &format!("the field `{field}`")))?;
        reply.parse()
    }

    /// Whether the field exists.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().hash("stock").exists("apples").await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn exists(&self, field: impl Into<String>) -> Result<bool, Error> {
        self.read("HEXISTS", [field.into().into()]).await?.parse()
    }

    /// The number of fields; 0 if the hash does not exist.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(millpond::Millpond::memory().hash("stock").len().await?, 0);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    #[expect(
        clippy::len_without_is_empty,
        reason = "a hash is never empty: then it is gone"
    )]
    pub async fn len(&self) -> Result<u64, Error> {
        self.read("HLEN", []).await?.parse()
    }

    /// The remaining lifetime of the hash.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, TimeLeft};
    /// assert_eq!(Millpond::memory().hash("stock").ttl().await?, TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn ttl(&self) -> Result<TimeLeft, Error> {
        self.cache.ttl(&self.key).await
    }

    /// Sets the lifetime of the hash, counted from now. Returns whether the hash existed.
    ///
    /// # Errors
    /// As [`Millpond::expire`](crate::Millpond::expire).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// assert!(!Millpond::memory().hash("stock").expire(ttl::LONG).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn expire(&self, ttl: Duration) -> Result<bool, Error> {
        self.cache.expire(&self.key, ttl).await
    }

    /// Removes the hash. Returns whether it existed.
    ///
    /// # Errors
    /// As [`Millpond::delete`](crate::Millpond::delete).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert!(!millpond::Millpond::memory().hash("stock").clear().await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn clear(&self) -> Result<bool, Error> {
        self.cache.delete(&self.key).await
    }

    /// What a field holds.
    /// Reports fields that hold something else than was asked for.
    fn left_out(&self, number: usize) {
        if number == 0 {
            return;
        }
        let prefix = self.key.prefix();
        let failures = u64::try_from(number).unwrap_or(u64::MAX);
        let counters = self.cache.client.registry.counters(prefix);
        counters.decode_failures.add(failures);
        tracing::warn!(
            prefix,
            number,
            "fields of a hash cannot be read and are left out"
        );
    }

    fn field<V: DeserializeOwned>(
        &self,
        field: impl Display,
        bytes: Option<Bytes>,
    ) -> Result<Option<V>, Error> {
        let Some(bytes) = bytes else { return Ok(None) };
        match value::decode(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(_) if value::is_null(&bytes) => Ok(None),
            Err(what) => {
                let (key, kind) = (&self.key, std::any::type_name::<V>());
                Err(Error::new(
                    ErrorKind::Decode,
                    format!(
                        "the field `{field}` of the hash under {key} is not a {kind} ({what}); delete it, \
                         or ask for the type that it holds"
                    ),
                ))
            }
        }
    }
}
