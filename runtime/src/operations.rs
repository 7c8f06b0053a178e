//! Values by hand: what the attributes do, one step at a time.

use crate::cache::{Cache, Kept};
use crate::client::guard::Change;
use crate::client::tags::Tags;
use crate::codec::{Members, Opened};
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key, Tag};
use crate::reply::{bulk, int};
use crate::stats::Counters;
use crate::store::command::{Command, Effect, Purpose, Reply};
use crate::time_left::TimeLeft;
use crate::ttl::lifetime;
use crate::value;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

impl Cache {
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        key: impl Into<Key>,
    ) -> Result<Option<T>, Error> {
        let key = key.into();
        match self.get_plain(&key, false, &Tags::default()).await? {
            Some(opened) => self.decoded_if_fresh(&key, &opened),
            None => Ok(None),
        }
    }

    pub(crate) async fn set<T: Serialize + ?Sized>(
        self: &Arc<Self>,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<(), Error> {
        let plain = plain_form(value)?;
        let encoding = Encoding::default();
        let kept = Kept::for_all_of(ttl)?;
        self.put_plain(key.into(), plain, kept, encoding, &Tags::default())
            .await
    }

    pub(crate) async fn set_if_absent<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        value: &T,
        ttl: Duration,
    ) -> Result<bool, Error> {
        let key = key.into();
        let full = self.client.full(&key);
        let stored = self.client.codec.as_it_is(&full, plain_form(value)?)?;
        let (nx, px) = (Bytes::from_static(b"NX"), Bytes::from_static(b"PX"));
        let change = Change {
            name: "SET",
            args: vec![stored, nx, px, lifetime(ttl)?],
            life: None,
            purpose: Purpose::Value,
        };
        let reply = self.client.change(&key, &full, change, false).await?;
        let stored = reply != Reply::Nil;
        if stored {
            self.changed(&full.text());
            self.client.registry.counters(key.prefix()).stores.add(1);
        }
        Ok(stored)
    }

    pub(crate) async fn delete(self: &Arc<Self>, key: impl Into<Key>) -> Result<bool, Error> {
        let key = key.into();
        self.client
            .invalidate_all([key])
            .await
            .map(|removed| removed > 0)
    }

    pub(crate) async fn exists(&self, key: impl Into<Key>) -> Result<bool, Error> {
        let key = key.into();
        let full = self.client.full(&key);
        let args = [Bytes::from_static(b"EXISTS"), full.value.clone()];
        let reply = self
            .client
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        Ok(int(&reply)? > 0)
    }

    pub(crate) async fn ttl(&self, key: impl Into<Key>) -> Result<TimeLeft, Error> {
        let key = key.into();
        let full = self.client.full(&key);
        let args = [Bytes::from_static(b"PTTL"), full.value.clone()];
        let reply = self
            .client
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        TimeLeft::read(&reply)
    }

    pub(crate) async fn expire(&self, key: impl Into<Key>, ttl: Duration) -> Result<bool, Error> {
        let key = key.into();
        let full = self.client.full(&key);
        let change = Change {
            name: "PEXPIRE",
            args: vec![lifetime(ttl)?],
            life: None,
            purpose: Purpose::Value,
        };
        self.forget(&full.text());
        let reply = self.client.change(&key, &full, change, false).await?;
        self.forget(&full.text());
        Ok(int(&reply)? > 0)
    }

    /// Reads what is stored under a key, fresh or not, and counts a miss or a failure.
    pub(crate) async fn get_plain(
        &self,
        key: &Key,
        encrypted: bool,
        tags: &Tags,
    ) -> Result<Option<Opened>, Error> {
        let full = self.client.full(key);
        if !tags.is_empty() {
            return self.get_tagged(key, &full, encrypted, tags).await;
        }
        let get = [Bytes::from_static(b"GET"), full.value.clone()];
        let reply = self
            .client
            .on_key(key, &full, Command::new(Effect::Read, get))
            .await?;
        let Some(stored) = bulk(reply)? else {
            self.client.registry.counters(key.prefix()).misses.add(1);
            return Ok(None);
        };
        let opened = self.opened(key, &full, stored, encrypted).await?;
        self.current(key, opened).await
    }

    /// As [`Self::get_plain`], where the tags are known beforehand: one command for all.
    async fn get_tagged(
        &self,
        key: &Key,
        full: &FullKey,
        encrypted: bool,
        tags: &Tags,
    ) -> Result<Option<Opened>, Error> {
        key.check()?;
        tags.check()?;
        let counters = self.client.registry.counters(key.prefix());
        let keys = self.client.tag_keys(tags);
        let budget = self.client.settings.budget;
        let read = self.client.read_tagged(full, &keys, &counters, budget);
        let observed = read.await.inspect_err(|_| counters.errors.add(1))?;
        if let Some(stored) = observed.value {
            let opened = self.opened(key, full, stored, encrypted).await?;
            match tags.others(&opened, &observed.tags) {
                Some(others) if others.is_empty() => return Ok(Some(opened)),
                // Nothing but these is left to be compared.
                Some(_) => return self.current(key, opened).await,
                None => {}
            }
        }
        counters.misses.add(1);
        Ok(None)
    }

    /// What was read, unless one of the tags was invalidated that the value was stored under.
    pub(crate) async fn current(&self, key: &Key, opened: Opened) -> Result<Option<Opened>, Error> {
        let Some(stored) = opened.tags() else {
            return Ok(Some(opened));
        };
        let counters = self.client.registry.counters(key.prefix());
        let tags = stored.keys().map(|name| Tag::new(name.as_str()));
        let tags = Tags::new(tags.collect(), None);
        let keys = self.client.tag_keys(&tags);
        let budget = self.client.settings.budget;
        let nonces = self.client.read_nonces(&keys, &counters, budget).await;
        let nonces = nonces.inspect_err(|_| counters.errors.add(1))?;
        if tags.accept(Some(stored), &nonces) {
            return Ok(Some(opened));
        }
        counters.misses.add(1);
        Ok(None)
    }

    /// What was read under a key, opened.
    pub(crate) async fn opened(
        &self,
        key: &Key,
        full: &FullKey,
        stored: Bytes,
        encrypted: bool,
    ) -> Result<Opened, Error> {
        let opened = self.client.codec.open(&full.value, stored, encrypted).await;
        opened.map_err(|what| {
            self.client
                .registry
                .counters(key.prefix())
                .decode_failures
                .add(1);
            let text = format!(
                "the value stored under {key} cannot be opened ({what}); delete the key, or let a \
                 load overwrite it"
            );
            Error::new(ErrorKind::Decode, text)
        })
    }

    /// The value of what was read under a key, if it is fresh. An old one is of use to its function alone.
    pub(crate) fn decoded_if_fresh<T: DeserializeOwned>(
        &self,
        key: &Key,
        opened: &Opened,
    ) -> Result<Option<T>, Error> {
        let now = self.client.time().latest;
        if opened.times().is_some_and(|times| times.until <= now) {
            self.client.registry.counters(key.prefix()).misses.add(1);
            return Ok(None);
        }
        self.decoded(key, &opened.plain)
    }

    /// The value of a plain form that was read under a key.
    pub(crate) fn decoded<T: DeserializeOwned>(
        &self,
        key: &Key,
        plain: &[u8],
    ) -> Result<Option<T>, Error> {
        let counters = self.client.registry.counters(key.prefix());
        let null = value::is_null(plain);
        match value::decode(plain) {
            Ok(value) => {
                counters.hit(null);
                Ok(Some(value))
            }
            Err(_) if null => {
                counters.null_hits.add(1);
                Ok(None)
            }
            Err(what) => {
                counters.decode_failures.add(1);
                let kind = std::any::type_name::<T>();
                Err(Error::new(
                    ErrorKind::Decode,
                    format!(
                        "the value stored under {key} is not a {kind} ({what}); delete the key, or ask for \
                         the type that it holds"
                    ),
                ))
            }
        }
    }

    /// See [`Self::set`].
    pub(crate) async fn put_plain(
        self: &Arc<Self>,
        key: Key,
        plain: Bytes,
        kept: Kept,
        encoding: Encoding,
        tags: &Tags,
    ) -> Result<(), Error> {
        let full = self.client.full(&key);
        let Kept { life, lasts, times } = kept;
        let counters = self.client.registry.counters(key.prefix());
        let mut members = self
            .members_to_put(&key, tags, &plain, &lasts, &counters)
            .await?;
        members.times = times;
        let entry = (
            full.clone(),
            self.client
                .codec
                .stored_form(&full, plain, encoding, members)
                .await?,
        );
        key.check()?;
        self.forget(&full.text());
        let stored = self.client.put(vec![entry], &life, &counters).await;
        stored.inspect_err(|_| counters.errors.add(1))?;
        self.changed(&full.text());
        counters.stores.add(1);
        Ok(())
    }

    /// What a value remembers of its tags that is stored whatever is there.
    async fn members_to_put(
        &self,
        key: &Key,
        tags: &Tags,
        plain: &[u8],
        life: &Bytes,
        counters: &Counters,
    ) -> Result<Members, Error> {
        if tags.is_empty() {
            return Ok(Members::default());
        }
        key.check()?;
        tags.check()?;
        let rest = (life, counters, self.client.settings.budget);
        let members = self.client.put_under(tags, plain, rest).await;
        let members = members.inspect_err(|_| counters.errors.add(1))?;
        members.ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "the server keeps no tags, so the value would never be found; give it more memory",
            )
        })
    }
}
