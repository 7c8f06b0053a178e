//! Tags that come from the value. Nobody knows them before the body has returned, so that a load cannot read their
//! nonces before: it reads that of their family, which each of their invalidations moves first. A value is stored if
//! the family is what it was, and then so is every tag in it. Those whose nonces were read before the body after all,
//! since an older value names them, are compared by themselves.

use super::Client;
use super::tags::{Tags, each_once, remember};
use crate::codec::{Members, Opened};
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Tag};
use crate::stats::Counters;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// How many tags a value can have.
const MOST: usize = 16;

/// Nonces that were read before the body.
pub(crate) type Sampled = Vec<(Tag, Bytes)>;

/// What a value is to be stored under: the tags to compare, and what it remembers.
pub(crate) struct StoredUnder {
    pub(crate) keys: Vec<FullKey>,
    pub(crate) nonces: Vec<Option<Bytes>>,
    pub(crate) members: Members,
    /// The tags that were not known before the body.
    pub(crate) learned: Vec<Tag>,
}

impl Tags {
    /// Which tags that the value remembers are to be read too, before it is known to be current; nothing if it is
    /// not. `now`: the nonces of those that are known without it.
    pub(crate) fn others(&self, opened: &Opened, now: &[Option<Bytes>]) -> Option<Vec<Tag>> {
        let Some(of_value) = self.of_value() else {
            return self.accept(opened.tags(), now).then(Vec::new);
        };
        let none = BTreeMap::default();
        let stored = opened.tags().unwrap_or(&none);
        if !self.holds_all(stored, now) {
            return None;
        }
        let is_other = |tag: &Tag| !self.remembered().contains(tag);
        let others = stored.keys().map(|name| Tag::new(name.as_str()));
        let others: Vec<Tag> = others.filter(is_other).collect();
        // What was stored by hand under the key tells nothing of its tags.
        if others.is_empty() && of_value(&opened.plain)?.iter().any(is_other) {
            return None;
        }
        Some(others)
    }

    /// The tags that come from this value, without those that are known without it.
    fn value_gives(&self, plain: &[u8]) -> Result<Vec<Tag>, Error> {
        let Some(of_value) = self.of_value() else {
            return Ok(Vec::new());
        };
        let refused = |what: &str| Error::new(ErrorKind::InvalidValue, what.to_owned());
        let mut tags = of_value(plain).ok_or_else(|| refused("the value cannot be read back"))?;
        tags.retain(|tag| !self.remembered().contains(tag));
        let tags = each_once(tags);
        if tags.len() + self.remembered().len() > MOST {
            return Err(refused(
                "`tags_of` gives more than 16 tags; let one stand for several",
            ));
        }
        for tag in &tags {
            tag.check()?;
            if !tag.may_come_from_a_value() || *tag == Tag::family() {
                return Err(refused(
                    "`tags_of` gives a tag whose name does not begin with `~`; write #[tag(\"~…\")], so that \
                     whoever invalidates it knows that it may come from a value",
                ));
            }
        }
        Ok(tags)
    }
}

/// Whether the value remembers these tags as they are now.
pub(crate) fn are_current(opened: &Opened, tags: &[Tag], now: &[Option<Bytes>]) -> bool {
    let is_current = |(tag, nonce): (&Tag, &Option<Bytes>)| {
        let stored = opened.tags().and_then(|stored| stored.get(tag.as_str()));
        stored.is_some() && stored.map(String::as_bytes) == nonce.as_deref()
    };
    tags.len() == now.len() && tags.iter().zip(now).all(is_current)
}

/// Those of which a nonce was found.
pub(crate) fn sampled(tags: Vec<Tag>, now: Vec<Option<Bytes>>) -> Sampled {
    let found = tags.into_iter().zip(now);
    found.filter_map(|(tag, now)| Some((tag, now?))).collect()
}

impl Client {
    /// What a value is stored under, of which this was seen before its body; nothing if a nonce is not known.
    ///
    /// # Errors
    /// Of kind `InvalidValue` or `InvalidKey` if the tags of the value cannot be used.
    pub(crate) async fn stored_under(
        &self,
        tags: &Tags,
        plain: &[u8],
        seen: &[Option<Bytes>],
        sampled: &Sampled,
        (life, counters, within): (&Bytes, &Counters, Duration),
    ) -> Result<Option<StoredUnder>, Error> {
        let Some(mut members) = tags.members(seen) else {
            return Ok(None);
        };
        let known = tags.remembered();
        let mut keys: Vec<FullKey> = known.iter().map(|tag| self.tag_key(tag)).collect();
        let mut nonces = seen[..known.len()].to_vec();
        let mut learned = Vec::new();
        for tag in tags.value_gives(plain)? {
            let Some((_, nonce)) = sampled.iter().find(|(known, _)| *known == tag) else {
                learned.push(tag);
                continue;
            };
            if remember(&mut members, &tag, nonce).is_none() {
                return Ok(None);
            }
            keys.push(self.tag_key(&tag));
            nonces.push(Some(nonce.clone()));
        }
        if !learned.is_empty() {
            let new: Vec<FullKey> = learned.iter().map(|tag| self.tag_key(tag)).collect();
            let found = self.nonces_to_store(&new, life, counters, within).await?;
            for (tag, nonce) in learned.iter().zip(&found) {
                let Some(nonce) = nonce else {
                    return Ok(None);
                };
                if remember(&mut members, tag, nonce).is_none() {
                    return Ok(None);
                }
            }
            let family = seen.get(known.len()).cloned().flatten();
            let key = self.tag_key(&Tag::family());
            if self.cluster {
                // No script can compare it there. Whoever moved one of the tags moved the family before.
                let key = std::slice::from_ref(&key);
                let now = self.read_nonces(key, counters, within).await?;
                if now.first() != Some(&family) {
                    return Ok(None);
                }
            }
            keys.extend(new);
            nonces.extend(found);
            keys.push(key);
            nonces.push(family);
        }
        Ok(Some(StoredUnder {
            keys,
            nonces,
            members,
            learned,
        }))
    }

    /// What a value remembers that is put, whatever is there; nothing if the server keeps no tags.
    pub(crate) async fn put_under(
        &self,
        tags: &Tags,
        plain: &[u8],
        (life, counters, within): (&Bytes, &Counters, Duration),
    ) -> Result<Option<Members>, Error> {
        let all = tags.remembered().iter().cloned();
        let all: Vec<Tag> = all.chain(tags.value_gives(plain)?).collect();
        let keys: Vec<FullKey> = all.iter().map(|tag| self.tag_key(tag)).collect();
        let mut members = Members::default();
        if all.is_empty() {
            return Ok(Some(members));
        }
        let nonces = self.nonces_to_store(&keys, life, counters, within).await?;
        for (tag, nonce) in all.iter().zip(&nonces) {
            let Some(nonce) = nonce else {
                return Ok(None);
            };
            if remember(&mut members, tag, nonce).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(members))
    }
}
