//! Values by hand: what the attributes do, one step at a time.

use crate::cache::{CachedCall, Policy, guard};
use crate::encoding::Encoding;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::pond::Millpond;
use crate::reply::{bulk, int};
use crate::store::command::{Command, Effect, Reply};
use crate::time_left::TimeLeft;
use crate::ttl::lifetime;
use crate::value;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

impl Millpond {
    /// Sends one command on a key. An invalidation of the key that still waits goes in front.
    pub(crate) async fn on_key(
        &self,
        key: &Key,
        full: &FullKey,
        command: Command,
    ) -> Result<Reply, Error> {
        key.check()?;
        let counters = self.0.registry.counters(key.prefix());
        let result = self
            .settled(full, &counters, command, self.0.settings.budget)
            .await;
        if result.is_err() {
            counters.errors.add(1);
        }
        result
    }

    /// Reads the plain form of what is stored under a key, and counts a miss or a failure.
    pub(crate) async fn get_plain(
        &self,
        key: &Key,
        encrypted: bool,
    ) -> Result<Option<Bytes>, Error> {
        let full = self.full(key);
        let get = [Bytes::from_static(b"GET"), full.value.clone()];
        let reply = self
            .on_key(key, &full, Command::new(Effect::Read, get))
            .await?;
        let Some(stored) = bulk(reply)? else {
            self.0.registry.counters(key.prefix()).misses.add(1);
            return Ok(None);
        };
        self.opened(key, &full, stored, encrypted).map(Some)
    }

    /// The plain form of what was read under a key.
    pub(crate) fn opened(
        &self,
        key: &Key,
        full: &FullKey,
        stored: Bytes,
        encrypted: bool,
    ) -> Result<Bytes, Error> {
        self.open(&full.value, stored, encrypted).map_err(|what| {
            self.0
                .registry
                .counters(key.prefix())
                .decode_failures
                .add(1);
            let text = format!(
                "what is stored under {key} cannot be opened ({what}); delete the key, or let a \
                 load overwrite it"
            );
            Error::new(ErrorKind::Decode, text)
        })
    }

    /// Reads a value, be it compressed or encrypted. A stored null is `None` too, unless `T` is an
    /// `Option` itself.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if something else than a `T` is stored, or something encrypted with a
    /// key that this `Millpond` does not have, [`ErrorKind::WrongType`] if
    /// the key holds a list, a hash or the like, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// assert_eq!(pond.get::<u32>("user:42:age").await?, None);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, key: impl Into<Key>) -> Result<Option<T>, Error> {
        let key = key.into();
        match self.get_plain(&key, false).await? {
            Some(plain) => self.decoded(&key, &plain),
            None => Ok(None),
        }
    }

    /// The value of a plain form that was read under a key.
    pub(crate) fn decoded<T: DeserializeOwned>(
        &self,
        key: &Key,
        plain: &[u8],
    ) -> Result<Option<T>, Error> {
        let counters = self.0.registry.counters(key.prefix());
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
                        "what is stored under {key} is no {kind} ({what}); delete the key, or ask for \
                         the type that it holds"
                    ),
                ))
            }
        }
    }

    /// Stores a value. Loads under way will not overwrite it. Where no answer comes back in time, the
    /// key is invalidated in the background.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a value that has no JSON or a lifetime of zero,
    /// [`ErrorKind::TooLarge`] over [`Builder::max_value_bytes`](crate::Builder::max_value_bytes), and what can go wrong on the way.
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
        let plain = plain_form(value)?;
        self.put_plain(key.into(), plain, ttl, Encoding::default())
            .await
    }

    /// See [`Self::set`].
    pub(crate) async fn put_plain(
        &self,
        key: Key,
        plain: Bytes,
        ttl: Duration,
        encoding: Encoding,
    ) -> Result<(), Error> {
        let full = self.full(&key);
        let entry = (full.clone(), self.stored_form(&full, plain, encoding)?);
        let command = guard::put(vec![entry], lifetime(ttl)?, self.0.settings.guard_life);
        if let Err(error) = self.on_key(&key, &full, command).await {
            if error.may_have_run() {
                // It may be there, or may still arrive: neither it nor what it replaces may stay.
                self.owe([full]);
            }
            return Err(error);
        }
        self.0.flights.detach(&full.text());
        self.0.registry.counters(key.prefix()).stores.add(1);
        Ok(())
    }

    /// Stores a value only if the key is not there; true if it was stored.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`ErrorKind::OutcomeUnknown`] when no answer came back.
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
        let key = key.into();
        let full = self.full(&key);
        let stored = self.stored_form(&full, plain_form(value)?, Encoding::default())?;
        let args = [
            Bytes::from_static(b"SET"),
            full.value.clone(),
            stored,
            Bytes::from_static(b"NX"),
            Bytes::from_static(b"PX"),
            lifetime(ttl)?,
        ];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Once, args))
            .await?;
        let stored = reply != Reply::Nil;
        if stored {
            self.0.flights.detach(&full.text());
            self.0.registry.counters(key.prefix()).stores.add(1);
        }
        Ok(stored)
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
        let key = key.into();
        self.invalidate_all([key]).await.map(|removed| removed > 0)
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
        let key = key.into();
        let full = self.full(&key);
        let args = [Bytes::from_static(b"EXISTS"), full.value.clone()];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        Ok(int(&reply)? > 0)
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
        let key = key.into();
        let full = self.full(&key);
        let args = [Bytes::from_static(b"PTTL"), full.value.clone()];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Read, args))
            .await?;
        TimeLeft::read(&reply)
    }

    /// Gives the key another lifetime, from now; true if it was there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a lifetime of zero, and what can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, ttl};
    /// assert!(!Millpond::memory().expire("user:42", ttl::LONG).await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn expire(&self, key: impl Into<Key>, ttl: Duration) -> Result<bool, Error> {
        let key = key.into();
        let full = self.full(&key);
        let args = [
            Bytes::from_static(b"PEXPIRE"),
            full.value.clone(),
            lifetime(ttl)?,
        ];
        let reply = self
            .on_key(&key, &full, Command::new(Effect::Repeatable, args))
            .await?;
        Ok(int(&reply)? > 0)
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
        let policy = Policy::by_hand(ttl);
        let key = key.into();
        let counters = self.0.registry.counters(key.prefix());
        let call = CachedCall {
            pond: self.clone(),
            key,
            policy,
            counters,
            refresh: false,
        };
        let shape = crate::__private::cacheable(crate::__private::Fallible::new());
        // The closure is called only when its future is going to be polled. It stays in one place:
        // by value it would be held again by everything between here and there.
        let load = pin!(async { load().await });
        crate::__private::answer(call, shape, crate::__private::never, load).await
    }
}
