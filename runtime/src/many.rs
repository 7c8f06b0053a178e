//! Several values in one request.

use crate::cache::Cache;
use crate::client::outage::Step;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::reply::{bulk, no_reply};
use crate::store::command::{Command, Effect, Reply};
use crate::ttl::lifetime;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

impl Cache {
    pub(crate) async fn get_many<T: DeserializeOwned>(
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
        let counters = self.client.registry.counters(first.prefix());
        let budget = self.client.settings.budget;
        let replies = self
            .client
            .settled_all(&fulls, &[], &counters, vec![command], budget);
        let reply = replies
            .await
            .and_then(|mut replies| replies.pop().unwrap_or_else(|| Err(no_reply())))
            .inspect_err(|_| counters.errors.add(1))?;
        match reply {
            Reply::Array(found) if found.len() == keys.len() => {
                let mut values = Vec::with_capacity(keys.len());
                for ((key, full), reply) in keys.iter().zip(&fulls).zip(found) {
                    values.push(self.read_one(key, full, bulk(reply)?).await?);
                }
                Ok(values)
            }
            _ => Err(no_reply()),
        }
    }

    pub(crate) async fn set_many<K: Into<Key>, V: Serialize>(
        self: &Arc<Self>,
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
                let stored = self.client.codec.as_it_is(full, plain)?;
                Ok((full.clone(), stored))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        if entries.is_empty() {
            return Ok(());
        }
        let counters = self
            .client
            .registry
            .counters(keys.first().map_or("", Key::prefix));
        for full in &fulls {
            self.forget(&full.text());
        }
        let stored = self.client.put(entries, &life, &counters).await;
        stored.inspect_err(|_| counters.errors.add(1))?;
        for (key, full) in keys.iter().zip(&fulls) {
            self.changed(&full.text());
            self.client.registry.counters(key.prefix()).stores.add(1);
        }
        Ok(())
    }

    pub(crate) async fn delete_many(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = impl Into<Key>>,
    ) -> Result<u64, Error> {
        let keys: Vec<Key> = keys.into_iter().map(Into::into).collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let removed = self.client.invalidate_all(keys).await?;
        Ok(u64::try_from(removed).unwrap_or(0))
    }

    async fn read_one<T: DeserializeOwned>(
        &self,
        key: &Key,
        full: &FullKey,
        stored: Option<Bytes>,
    ) -> Result<Option<T>, Error> {
        let Some(stored) = stored else {
            self.client.registry.counters(key.prefix()).misses.add(1);
            return Ok(None);
        };
        let opened = self.opened(key, full, stored, false).await;
        let current = match opened {
            Ok(opened) => self.current(key, opened).await,
            Err(error) => Err(error),
        };
        let read = match current {
            Ok(Some(opened)) => self.decoded_if_fresh(key, &opened),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match read {
            Err(error) if error.kind() == ErrorKind::Decode => {
                let outages = &self.client.outages;
                outages.failed_for(Step::Decode, key.prefix(), Some("one of several values"));
                Ok(None)
            }
            Ok(Some(value)) => {
                let outages = &self.client.outages;
                outages.succeeded_for(Step::Decode, key.prefix());
                Ok(Some(value))
            }
            read => read,
        }
    }

    fn usable(&self, keys: &[Key]) -> Result<Vec<FullKey>, Error> {
        let full = |key: &Key| key.check().map(|()| self.client.full(key));
        keys.iter().map(full).collect()
    }
}
