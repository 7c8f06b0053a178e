//! The tags of an entry: keys that hold random words. A value remembers those that it was stored under, and is a miss
//! when one of them is another one or gone.
//!
//! Nonces are read with the value, and made before the body runs where there are none: made by the fill, an
//! invalidation that was evicted in between would be forgotten. The names and the rules are a public format, see
//! `docs/interop.md`.

use super::Client;
use super::guard::{Observed, millis};
use crate::codec::Members;
use crate::error::Error;
use crate::key::{FullKey, TAG, Tag};
use crate::random;
use crate::reply;
use crate::stats::Counters;
use crate::store::Replies;
use crate::store::command::{Command, Effect, Purpose, Script};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What `tags_of` says of a value with this plain form; nothing if it cannot be read.
pub(crate) type TagsOf = fn(&[u8]) -> Option<Vec<Tag>>;

/// The tags of an entry that are known before its value is, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags(Option<Arc<Known>>);

#[derive(Debug)]
struct Known {
    tags: Vec<Tag>,
    /// Where more of them come from the value. [`Tag::family`] is then the last one here: it is read and compared as
    /// they are, but a value does not remember it.
    of_value: Option<TagsOf>,
}

impl Tags {
    pub(crate) fn new(tags: Vec<Tag>, of_value: Option<TagsOf>) -> Self {
        // Each call of a function without tags is here.
        if tags.is_empty() && of_value.is_none() {
            return Self(None);
        }
        let mut tags = each_once(tags);
        if of_value.is_some() {
            tags.retain(|tag| *tag != Tag::family());
            tags.push(Tag::family());
        }
        Self(Some(Arc::new(Known { tags, of_value })))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All that are to be read with the value.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.all().iter()
    }

    fn all(&self) -> &[Tag] {
        self.0.as_ref().map_or(&[], |known| &known.tags)
    }

    /// Those that a value remembers.
    pub(crate) fn remembered(&self) -> &[Tag] {
        let all = self.all();
        let family = usize::from(self.of_value().is_some());
        &all[..all.len() - family]
    }

    pub(crate) fn of_value(&self) -> Option<TagsOf> {
        self.0.as_ref()?.of_value
    }

    /// Why one of them cannot be used, if so.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.iter().try_for_each(Tag::check)
    }

    /// Whether a value with these nonces is one that was stored under those that the tags have now. A value without
    /// any tells nothing, and one with more was stored under rules that are not known here.
    pub(crate) fn accept(
        &self,
        stored: Option<&BTreeMap<String, String>>,
        now: &[Option<Bytes>],
    ) -> bool {
        let Some(stored) = stored else {
            return self.is_empty();
        };
        stored.len() == self.remembered().len() && self.holds_all(stored, now)
    }

    /// Whether the value remembers each of these as it is now.
    pub(super) fn holds_all(
        &self,
        stored: &BTreeMap<String, String>,
        now: &[Option<Bytes>],
    ) -> bool {
        let is_current = |(tag, nonce): (&Tag, &Option<Bytes>)| {
            let stored = stored.get(tag.as_str()).map(String::as_bytes);
            stored.is_some() && stored == nonce.as_deref()
        };
        now.len() == self.all().len() && self.remembered().iter().zip(now).all(is_current)
    }

    /// What a value remembers that is stored under these nonces; nothing where one is not known.
    pub(crate) fn members(&self, nonces: &[Option<Bytes>]) -> Option<Members> {
        let mut members = Members::default();
        for (at, tag) in self.remembered().iter().enumerate() {
            remember(&mut members, tag, nonces.get(at)?.as_ref()?)?;
        }
        Some(members)
    }
}

/// Lets a value remember the nonce of a tag.
pub(super) fn remember(members: &mut Members, tag: &Tag, nonce: &Bytes) -> Option<()> {
    let nonce = std::str::from_utf8(nonce).ok()?;
    members
        .tags
        .insert(tag.as_str().to_owned(), nonce.to_owned());
    Some(())
}

pub(super) fn each_once(mut tags: Vec<Tag>) -> Vec<Tag> {
    let mut known = Vec::new();
    tags.retain(|tag| {
        let is_new = !known.contains(tag);
        known.extend(is_new.then(|| tag.clone()));
        is_new
    });
    tags
}

impl Client {
    /// Moves the family of the tags that come from values.
    pub(super) fn family_moves(&self) -> Command {
        invalidation(&self.tag_key(&Tag::family()), self.settings.guard_life)
    }

    /// The key of a tag.
    pub(crate) fn tag_key(&self, tag: &Tag) -> FullKey {
        let name = [TAG, tag.as_str()].concat();
        FullKey::of_tag(self.named(&name).into_owned(), tag.may_come_from_a_value())
    }

    /// The keys of tags.
    pub(crate) fn tag_keys(&self, tags: &Tags) -> Vec<FullKey> {
        tags.iter().map(|tag| self.tag_key(tag)).collect()
    }

    /// Reads a value, its guard and the nonces of its tags. On a cluster the tags are elsewhere, and are read beside
    /// it; where one of them cannot be read, that is the error.
    pub(crate) async fn read_tagged(
        &self,
        full: &FullKey,
        tags: &[FullKey],
        counters: &Counters,
        within: Duration,
    ) -> Result<Observed, Error> {
        let read = |keys: &[&Bytes]| {
            let name = Bytes::from_static(b"MGET");
            let words = std::iter::once(name).chain(keys.iter().map(|&key| key.clone()));
            Command::new(Effect::Read, words)
        };
        let mut keys = vec![&full.value, &full.guard];
        let commands = if self.cluster {
            let each = tags.iter().map(|tag| read(&[&tag.value]));
            std::iter::once(read(&keys)).chain(each).collect()
        } else {
            keys.extend(tags.iter().map(|tag| &tag.value));
            vec![read(&keys)]
        };
        let settled: Vec<FullKey> = std::iter::once(full).chain(tags).cloned().collect();
        let replies = self
            .settled_all(&settled, &[], counters, commands, within)
            .await?;
        let mut found = texts(replies, tags.len() + 2)?.into_iter();
        let (value, guard) = (found.next().flatten(), found.next().flatten());
        Ok(Observed {
            value,
            guard,
            tags: found.collect(),
        })
    }

    /// The nonces that tags have now.
    pub(crate) async fn read_nonces(
        &self,
        tags: &[FullKey],
        counters: &Counters,
        within: Duration,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let each = if self.cluster { 1 } else { tags.len().max(1) };
        let read = |tags: &[FullKey]| {
            let name = Bytes::from_static(b"MGET");
            let words = std::iter::once(name).chain(tags.iter().map(|tag| tag.value.clone()));
            Command::new(Effect::Read, words)
        };
        let commands = tags.chunks(each).map(read).collect();
        let replies = self
            .settled_all(tags, &[], counters, commands, within)
            .await?;
        texts(replies, tags.len())
    }

    /// Makes the tags that the read did not find: one request. What is not found even then stays unknown.
    pub(crate) async fn make_absent_tags(
        &self,
        tags: &[FullKey],
        nonces: &mut [Option<Bytes>],
        counters: &Counters,
        within: Duration,
    ) -> Result<(), Error> {
        let absent = || {
            tags.iter()
                .zip(&*nonces)
                .filter(|(_, nonce)| nonce.is_none())
        };
        let absent: Vec<FullKey> = absent().map(|(tag, _)| tag.clone()).collect();
        if absent.is_empty() {
            return Ok(());
        }
        let life = millis(self.settings.guard_life);
        let make = |tag: &FullKey| {
            let (px, nx) = (Bytes::from_static(b"PX"), Bytes::from_static(b"NX"));
            let name = Bytes::from_static(b"SET");
            let set = [
                name,
                tag.value.clone(),
                random::nonce().into(),
                px,
                life.clone(),
                nx,
            ];
            let get = [Bytes::from_static(b"GET"), tag.value.clone()];
            // Not a read that may go ahead of what stands in front of it.
            [
                // A word must not come twice, see `invalidation`: the tag may be gone again by then.
                Command::new(Effect::Once, set).made_for(Purpose::Guard),
                Command::new(Effect::Repeatable, get),
            ]
        };
        let commands = absent.iter().flat_map(make).collect();
        let replies = self
            .settled_all(&absent, &[], counters, commands, within)
            .await?;
        let mut found = Vec::new();
        for (at, reply) in replies.into_iter().enumerate() {
            let reply = reply?;
            if at % 2 == 1 {
                found.push(reply::bulk(reply)?);
            }
        }
        let mut found = found.into_iter();
        for nonce in nonces.iter_mut().filter(|nonce| nonce.is_none()) {
            *nonce = found.next().flatten();
        }
        Ok(())
    }

    /// The nonces of tags for a value that is about to be stored whatever is there: one command, or on a cluster one
    /// for each. The tags live at least this long.
    pub(crate) async fn nonces_to_store(
        &self,
        tags: &[FullKey],
        life: &Bytes,
        counters: &Counters,
        within: Duration,
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let each = if self.cluster { 1 } else { tags.len().max(1) };
        let make = |tags: &[FullKey]| {
            let keys = tags.iter().map(|tag| tag.value.clone());
            let args = [life.clone(), random::nonce().into()];
            // A word must not come twice, see `invalidation`.
            Command::script(Script::Tags, Effect::Once, keys, args)
        };
        let commands = tags.chunks(each).map(make).collect();
        let replies = self
            .settled_all(tags, &[], counters, commands, within)
            .await?;
        texts(replies, tags.len())
    }

    /// Gives tags at least this life, where the script that stored the value could not.
    pub(crate) fn lengthened(tags: &[FullKey], life: &Bytes) -> Vec<Command> {
        let lengthen = |tag: &FullKey| {
            let words = [
                Bytes::from_static(b"PEXPIRE"),
                tag.value.clone(),
                life.clone(),
                Bytes::from_static(b"GT"),
            ];
            Command::new(Effect::Repeatable, words)
        };
        tags.iter().map(lengthen).collect()
    }
}

/// Moves a tag: every value that was stored under it is a miss.
pub(super) fn invalidation(tag: &FullKey, life: Duration) -> Command {
    let words = [
        Bytes::from_static(b"SET"),
        tag.value.clone(),
        random::nonce().into(),
        Bytes::from_static(b"PX"),
        millis(life),
    ];
    // Not for the engine to repeat: the same word again would bring back what was stored under it, over the word that
    // another has given the tag since. Who delivers invalidations repeats them, with a new word each time.
    Command::new(Effect::Once, words).made_for(Purpose::Guard)
}

/// The texts in arrays that belong together; so many in all.
fn texts(replies: Replies, expected: usize) -> Result<Vec<Option<Bytes>>, Error> {
    let mut found = Vec::with_capacity(expected);
    for reply in replies {
        let items = reply?.into_items().ok_or_else(reply::no_reply)?;
        for item in items {
            found.push(reply::bulk(item)?);
        }
    }
    if found.len() == expected {
        Ok(found)
    } else {
        Err(reply::no_reply())
    }
}
