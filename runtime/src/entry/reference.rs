//! An entry without its type: where it is, and the rules it is stored under.

use super::invalidation::Invalidation;
use super::lookup::Lookup;
use crate::cache::{self, Cache, CachedFunction, Freshness, Kept, Policy};
use crate::client::delivery::Invalidated;
use crate::client::guard;
use crate::client::tags::Tags;
use crate::client::value_tags::Sampled;
use crate::clock::Moment;
use crate::codec::Members;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key, Tag};
use crate::random;
use crate::reply;
use crate::runtime;
use crate::stats::Counters;
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
    pub(crate) tags: Tags,
    /// Nothing for a value by hand.
    pub(crate) function: Option<&'static CachedFunction>,
}

impl EntryRef {
    pub(super) async fn get<T: DeserializeOwned>(&self) -> Result<Lookup<T>, Error> {
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let encrypted = self.policy.encoding.encrypt;
        self.learn_time(&counters, self.cache.client.settings.budget)
            .await;
        let Some(opened) = self
            .cache
            .get_plain(&self.key, encrypted, &self.tags)
            .await?
        else {
            return Ok(Lookup::Miss);
        };
        let freshness = self.policy.judge(opened.times(), &self.cache.client);
        if freshness == Freshness::Expired {
            counters.misses.add(1);
            return Ok(Lookup::Miss);
        }
        let is_fresh = freshness.is_fresh();
        if is_fresh && value::is_null(&opened.plain) {
            counters.null_hits.add(1);
            return Ok(Lookup::Null);
        }
        match value::decode(&opened.plain) {
            Ok(value) if is_fresh => {
                counters.hits.add(1);
                Ok(Lookup::Hit(value))
            }
            Ok(value) => {
                counters.stale.add(1);
                Ok(Lookup::Stale(value))
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
        Invalidation(Box::pin(async move {
            let target = self.invalidated();
            self.cache.client.invalidate_all([target]).await.map(drop)
        }))
    }

    /// As an invalidation names it.
    pub(crate) fn invalidated(&self) -> Invalidated {
        let key = self.key.clone();
        if self.policy.guard {
            Invalidated::Key(key)
        } else {
            Invalidated::Unguarded(key)
        }
    }

    pub(crate) async fn put(&self, plain: Bytes) -> Result<(), Error> {
        let encoding = self.policy.encoding;
        let settings = &self.cache.client.settings;
        let Some(ttl) = self.policy.life_of(&plain, settings) else {
            // A `None` that is not to be cached: nothing may stay that says otherwise.
            let removed = [self.invalidated()];
            return self.cache.client.invalidate_all(removed).await.map(drop);
        };
        let client = &self.cache.client;
        let counters = client.registry.counters(self.key.prefix());
        self.learn_time(&counters, settings.budget).await;
        let from = client.time().earliest;
        let Some(kept) = self.policy.kept(client, ttl, from, None) else {
            return Kept::for_all_of(ttl).map(drop);
        };
        if !self.policy.guard {
            return self.put_unguarded(plain, kept).await;
        }
        let key = self.key.clone();
        self.cache
            .put_plain(key, plain, kept, encoding, &self.tags)
            .await
    }

    /// Where values become stale, it is by the time of the server.
    async fn learn_time(&self, counters: &Counters, within: Duration) {
        if self.policy.staleness.is_some() {
            self.cache.client.learn_time(counters, within).await;
        }
    }

    async fn put_unguarded(&self, plain: Bytes, kept: Kept) -> Result<(), Error> {
        let client = &self.cache.client;
        let full = client.full(&self.key);
        let encoding = self.policy.encoding;
        let members = Members {
            times: kept.times,
            ..Members::default()
        };
        let stored = client
            .codec
            .stored_form(&full, plain, encoding, members)
            .await?;
        self.cache.forget(&full.text());
        let command = guard::set_unguarded(&full, stored, kept.life);
        client.on_key(&self.key, &full, command).await?;
        self.cache.changed(&full.text());
        client.registry.counters(self.key.prefix()).stores.add(1);
        Ok(())
    }
}

/// What was there before a change, and when that was read.
pub(crate) struct ObservedAt {
    observed: guard::Observed,
    sampled: Sampled,
    at: Moment,
    /// By the clock of the server, at the earliest.
    from: u64,
}

impl EntryRef {
    /// Takes the guard before a change; nothing if it cannot be read.
    pub(crate) async fn observe(&self, within: Duration) -> Option<ObservedAt> {
        if within.is_zero() {
            return None;
        }
        self.key.check().ok()?;
        let client = &self.cache.client;
        let counters = client.registry.counters(self.key.prefix());
        let start = runtime::now();
        self.learn_time(&counters, within).await;
        let within = within.saturating_sub(start.elapsed());
        let (at, from) = (client.settings.clock.now(), client.time().earliest);
        if !self.policy.guard {
            let observed = guard::Observed::default();
            return Some(ObservedAt {
                observed,
                sampled: Sampled::new(),
                at,
                from,
            });
        }
        let full = client.full(&self.key);
        let observed = if self.tags.is_empty() {
            let read = client.settled(&full, &counters, guard::read(&full), within);
            read.await.and_then(guard::observed)
        } else {
            self.observe_tagged(&full, &counters, within).await
        };
        let observed = observed.inspect_err(|_| counters.errors.add(1)).ok()?;
        Some(ObservedAt {
            observed,
            sampled: Sampled::new(),
            at,
            from,
        })
    }

    async fn observe_tagged(
        &self,
        full: &FullKey,
        counters: &Counters,
        within: Duration,
    ) -> Result<guard::Observed, Error> {
        let client = &self.cache.client;
        let start = runtime::now();
        self.tags.check()?;
        let keys = client.tag_keys(&self.tags);
        let mut observed = client.read_tagged(full, &keys, counters, within).await?;
        let within = within.saturating_sub(start.elapsed());
        client
            .make_absent_tags(&keys, &mut observed.tags, counters, within)
            .await?;
        Ok(observed)
    }

    /// Stores the changed value if the guard and the tags are what they were; false if the key must be invalidated.
    /// Of its tags, those in `moved` get a new nonce by the same script.
    pub(crate) async fn update(
        &self,
        plain: Option<Bytes>,
        before: Option<ObservedAt>,
        moved: &[Tag],
        within: Duration,
    ) -> bool {
        let (Some(plain), Some(before)) = (plain, before) else {
            return false;
        };
        let ObservedAt {
            mut observed,
            sampled,
            at,
            from,
        } = before;
        if within.is_zero() {
            return false;
        }
        let settings = &self.cache.client.settings;
        let ttl = self.policy.life_of(&plain, settings);
        let client = &self.cache.client;
        let Some(kept) = ttl.and_then(|ttl| self.policy.kept(client, ttl, from, None)) else {
            return false;
        };
        if !self.policy.guard {
            let put = runtime::timeout(within, self.put_unguarded(plain, kept));
            return put.await.is_some_and(|put| put.is_ok());
        }
        let full = self.cache.client.full(&self.key);
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let codec = &client.codec;
        let rest = (&kept.lasts, &*counters, within);
        let under = client.stored_under(&self.tags, &plain, &observed.tags, &sampled, rest);
        let under = match Box::pin(under).await {
            Ok(Some(under)) => under,
            Ok(None) => return false,
            Err(error) => {
                cache::unstorable(&counters, &self.key, &error, true);
                return false;
            }
        };
        let mut members = under.members;
        members.times = kept.times;
        observed.tags = under.nonces;
        let moved = moved.iter().map(|tag| (tag, client.tag_key(tag)));
        let moved: Vec<(&Tag, FullKey, String)> = moved
            .map(|(tag, key)| (tag, key, random::nonce()))
            .collect();
        for (tag, _, nonce) in &moved {
            members.tags.insert(tag.as_str().to_owned(), nonce.clone());
        }
        let next = |key: &FullKey| {
            let next = moved.iter().find(|(_, moved, _)| moved.value == key.value);
            next.map(|(.., nonce)| Bytes::from(nonce.clone()))
        };
        let tags = under.keys.into_iter();
        let mut tags: Vec<(FullKey, Option<Bytes>)> = tags
            .map(|key| {
                let next = next(&key);
                (key, next)
            })
            .collect();
        if client.cluster {
            // They are in other slots, where no script can move them together with the value.
            if tags.iter().any(|(_, next)| next.is_some()) {
                return false;
            }
            tags.clear();
        }
        let stored = match codec
            .stored_form(&full, plain, self.policy.encoding, members)
            .await
        {
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
        self.forget_here(&full, &moved);
        let writer = self.cache.client.writes.next();
        let guard_life = settings.guard_life;
        let command = guard::update(
            &writer, &full, &tags, &observed, stored, kept.life, guard_life,
        );
        let reply = self
            .cache
            .client
            .settled(&full, &counters, command, within)
            .await;
        let stored = reply
            .and_then(|reply| reply::int(&reply))
            .is_ok_and(|stored| stored == 1);
        if stored {
            self.cache.changed(&full.text());
            self.forget_here(&full, &moved);
            counters.stores.add(1);
        }
        stored
    }

    /// The value is replaced and the tags are moved by one script: this process keeps nothing of theirs.
    fn forget_here(&self, full: &FullKey, moved: &[(&Tag, FullKey, String)]) {
        self.cache.forget(&full.text());
        for (_, key, _) in moved {
            self.cache.local.move_tag(&key.text());
        }
    }
}
