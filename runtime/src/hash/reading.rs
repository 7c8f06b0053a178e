//! Reading fields, and the hash as a whole.

use super::{Hash, fields};
use crate::error::{Error, ErrorKind};
use crate::reply::{bulk, no_reply};
use crate::store::command::Reply;
use crate::time_left::TimeLeft;
use crate::value;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::fmt::Display;

impl Hash {
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

    /// What a field holds.
    /// Reports fields that hold something else than was asked for.
    fn left_out(&self, number: usize) {
        if number == 0 {
            return;
        }
        let prefix = self.key.prefix();
        let counters = self.cache.client.registry.counters(prefix);
        counters.decode_failures.add_len(number);
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
