//! Several values in one request.

use crate::cache::guard;
use crate::encoding::Encoding;
use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::pond::Millpond;
use crate::reply::{bulk, no_reply};
use crate::store::command::{Command, Effect, Reply};
use crate::ttl::lifetime;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

impl Millpond {
    /// Reads values in one command, in the order of the keys; `None` for what is not there, or holds
    /// another kind of Redis value. A stored null is `None` too, unless `T` is an `Option` itself.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if one of them is no `T`,
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey) for a key that cannot be used, and what can
    /// go wrong on the way. No keys, no command.
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
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        let fulls = self.usable(&keys)?;
        let name = Bytes::from_static(b"MGET");
        let words = std::iter::once(name).chain(fulls.iter().map(|full| full.value.clone()));
        let command = Command::new(Effect::Read, words);
        let Some(first) = keys.first() else {
            return Ok(Vec::new());
        };
        let counters = self.0.registry.counters(first.prefix());
        let budget = self.0.settings.budget;
        let replies = self.settled_all(&fulls, &counters, vec![command], budget);
        let reply = replies
            .await
            .and_then(|mut replies| replies.pop().unwrap_or_else(|| Err(no_reply())))
            .inspect_err(|_| counters.errors.add(1))?;
        match reply {
            Reply::Array(found) if found.len() == keys.len() => keys
                .iter()
                .zip(&fulls)
                .zip(found)
                .map(|((key, full), reply)| self.read_one(key, full, bulk(reply)?))
                .collect(),
            _ => Err(no_reply()),
        }
    }

    fn read_one<T: DeserializeOwned>(
        &self,
        key: &Key,
        full: &FullKey,
        stored: Option<Bytes>,
    ) -> Result<Option<T>, Error> {
        let Some(stored) = stored else {
            self.0.registry.counters(key.prefix()).misses.add(1);
            return Ok(None);
        };
        self.decoded(key, &self.opened(key, full, stored, false)?)
    }

    /// Stores values for the same time, in one command; loads under way will not overwrite them. On Redis
    /// Cluster it is a command for each. Where no answer comes back in time, the keys are invalidated in
    /// the background.
    ///
    /// # Errors
    /// As [`set`](Self::set); if one value or key cannot be used, none is stored.
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
        let (keys, values): (Vec<Key>, Vec<V>) = entries
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .unzip();
        let life = lifetime(ttl)?;
        let fulls = self.usable(&keys)?;
        let entries = fulls
            .iter()
            .zip(values)
            .map(|(full, value)| {
                let plain = plain_form(&value)?;
                let stored = self.stored_form(full, plain, Encoding::default())?;
                Ok((full.clone(), stored))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if entries.is_empty() {
            return Ok(());
        }
        let guard_life = self.0.settings.guard_life;
        // On a cluster the keys are in several slots, which no script may touch at once.
        let commands = if self.0.cluster {
            let alone = |entry| guard::put(vec![entry], life.clone(), guard_life);
            entries.into_iter().map(alone).collect()
        } else {
            vec![guard::put(entries, life, guard_life)]
        };
        let counters = self
            .0
            .registry
            .counters(keys.first().map_or("", Key::prefix));
        let budget = self.0.settings.budget;
        let failed = match self.settled_all(&fulls, &counters, commands, budget).await {
            Ok(replies) => replies.into_iter().filter_map(Result::err).collect(),
            Err(error) => vec![error],
        };
        if let Some(first) = failed.first() {
            counters.errors.add(1);
            if failed.iter().any(Error::may_have_run) {
                // They may be there: neither they nor what they replace may stay.
                self.owe(fulls);
            }
            return Err(first.clone());
        }
        for (key, full) in keys.iter().zip(&fulls) {
            self.0.flights.detach(&full.text());
            self.0.registry.counters(key.prefix()).stores.add(1);
        }
        Ok(())
    }

    /// Removes values in one request, and keeps loads under way from storing older ones; how many were
    /// there.
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
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let removed = self.invalidate_all(keys).await?;
        Ok(u64::try_from(removed).unwrap_or(0))
    }

    fn usable(&self, keys: &[Key]) -> Result<Vec<FullKey>, Error> {
        let full = |key: &Key| key.check().map(|()| self.full(key));
        keys.iter().map(full).collect()
    }
}
