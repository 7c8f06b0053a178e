//! Changing fields, and the hash as a whole.

use super::{Hash, fields};
use crate::counter::explained;
use crate::error::Error;
use crate::reply::int;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use std::time::Duration;

/// The most fields that one command of [`Hash::set_all`] carries; Lua takes no list of over 7,999.
const MOST_FIELDS: usize = 1_000;

impl Hash {
    /// Sets one field. Returns whether the field is new.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a value that cannot be represented as JSON,
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the key holds another Redis type,
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if no answer came back, and the errors of [any
    /// command](crate::ErrorKind).
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
    /// As [`set`](Self::set); [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) if the value is not a
    /// struct or a map.
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
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) and
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow), with nothing changed;
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if no answer came back; otherwise as
    /// [`set`](Self::set).
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
}
