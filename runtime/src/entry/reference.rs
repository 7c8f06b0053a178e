//! An entry without its type: where it is, and the rules it is stored under.

use super::invalidation::Invalidation;
use super::lookup::Lookup;
use crate::cache::{self, Cache, Policy};
use crate::client::guard;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::reply;
use crate::value;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// An entry without its type.
#[derive(Clone, Debug)]
pub(crate) struct EntryRef {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
}

impl EntryRef {
    pub(super) async fn get<T: DeserializeOwned>(&self) -> Result<Lookup<T>, Error> {
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let encrypted = self.policy.encoding.encrypt;
        let Some(bytes) = self.cache.get_plain(&self.key, encrypted).await? else {
            return Ok(Lookup::Miss);
        };
        if value::is_null(&bytes) {
            counters.null_hits.add(1);
            return Ok(Lookup::Null);
        }
        match value::decode(&bytes) {
            Ok(value) => {
                counters.hits.add(1);
                Ok(Lookup::Hit(value))
            }
            Err(what) => {
                counters.decode_failures.add(1);
                let text = format!(
                    "the value stored under {} cannot be read ({what}); the next call of the function \
                     overwrites it",
                    self.key
                );
                Err(Error::new(ErrorKind::Decode, text))
            }
        }
    }

    /// See [`ValueEntry::invalidate`].
    pub(crate) fn invalidate(self) -> Invalidation {
        let Self { cache, key, .. } = self;
        Invalidation(Box::pin(async move {
            cache.client.invalidate_all([key]).await.map(drop)
        }))
    }

    pub(crate) async fn put(&self, plain: Bytes) -> Result<(), Error> {
        let Policy {
            ttl,
            null_ttl,
            encoding,
            ..
        } = self.policy;
        let ttl = if value::is_null(&plain) {
            null_ttl
        } else {
            Some(ttl)
        };
        match ttl {
            Some(ttl) => {
                let key = self.key.clone();
                self.cache.put_plain(key, plain, ttl, encoding).await
            }
            // A `None` that is not to be cached: nothing may stay that says otherwise.
            None => self
                .cache
                .client
                .invalidate_all([self.key.clone()])
                .await
                .map(drop),
        }
    }
}

/// What was there before a change, and when that was read.
pub(crate) struct ObservedAt {
    observed: guard::Observed,
    at: Moment,
}

impl EntryRef {
    /// Takes the guard before a change; nothing if it cannot be read.
    pub(crate) async fn observe(&self, within: Duration) -> Option<ObservedAt> {
        if within.is_zero() {
            return None;
        }
        self.key.check().ok()?;
        let at = self.cache.client.settings.clock.now();
        let full = self.cache.client.full(&self.key);
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let reply = self
            .cache
            .client
            .settled(&full, &counters, guard::read(&full), within)
            .await;
        let observed = reply
            .and_then(guard::observed)
            .inspect_err(|_| counters.errors.add(1))
            .ok()?;
        Some(ObservedAt { observed, at })
    }

    /// Stores the changed value if the guard is what it was; false if the key must be invalidated.
    pub(crate) async fn update(
        &self,
        plain: Option<Bytes>,
        before: Option<ObservedAt>,
        within: Duration,
    ) -> bool {
        let (Some(plain), Some(ObservedAt { observed, at })) = (plain, before) else {
            return false;
        };
        if within.is_zero() {
            return false;
        }
        let settings = &self.cache.client.settings;
        let ttl = if value::is_null(&plain) {
            self.policy.null_ttl
        } else {
            Some(self.policy.ttl)
        };
        let Some(Ok(life)) = ttl.map(crate::ttl::lifetime) else {
            return false;
        };
        let full = self.cache.client.full(&self.key);
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let codec = &self.cache.client.codec;
        let stored = match codec.stored_form(&full, plain, self.policy.encoding).await {
            Ok(stored) => stored,
            Err(error) => {
                cache::unstorable(&counters, &self.key, &error, true);
                return false;
            }
        };
        // The last thing before it leaves: it must arrive while the guard lives.
        if settings.clock.age(at) > settings.guard_life / 2 {
            return false;
        }
        let writer = self.cache.client.writes.next();
        let guard_life = settings.guard_life;
        let command = guard::update(&writer, &full, &observed, stored, life, guard_life);
        let reply = self
            .cache
            .client
            .settled(&full, &counters, command, within)
            .await;
        let stored = reply
            .and_then(|reply| reply::int(&reply))
            .is_ok_and(|stored| stored == 1);
        if stored {
            self.cache.flights.detach(&full.text());
            counters.stores.add(1);
        }
        stored
    }
}
