//! What is cached of a batch: the values, guards and tags of all keys in one command, or in several where they are
//! very many.

use super::together::Together;
use super::{Batch, Found};
use crate::cache::flight::Leader;
use crate::cache::load::Load;
use crate::client::Client;
use crate::client::guard::Observed;
use crate::client::outage::Step;
use crate::client::value_tags::{are_current, sampled};
use crate::codec::Opened;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Tag};
use crate::reply;
use crate::runtime;
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// How many entries one command reads.
const MOST: usize = 500;

/// A key, and what stands under it.
type KeyRead = (Bytes, Option<Bytes>);

/// What stands under keys: values, guards, the nonces of tags.
type Nonces = HashMap<Bytes, Option<Bytes>, RandomState>;

impl Batch {
    /// Reads what is this call's to load, and sorts it into what was found and what is missing.
    pub(super) async fn read(&mut self, looks: bool) {
        let reading = mem::take(&mut self.loads);
        let Some(client) = client_of(&reading) else {
            return;
        };
        let reading = self.observe(&client, reading).await;
        let opened = if looks {
            open(reading).await
        } else {
            reading
                .into_iter()
                .map(|(at, load)| (at, load, None))
                .collect()
        };
        let mut missing = Vec::new();
        for (at, load, opened) in self.accepted(&client, opened).await {
            match opened {
                Some(opened) => self.found.push(Found {
                    at,
                    plain: opened.plain,
                    load: Some(load),
                    is_old: false,
                }),
                None => missing.push((at, load)),
            }
        }
        self.loads = self.with_all_tags(&client, missing).await;
    }

    async fn observe(
        &mut self,
        client: &Arc<Client>,
        reading: Vec<(usize, Load)>,
    ) -> Vec<(usize, Load)> {
        let mut reading = reading;
        if self.budget.is_zero() || reading.is_empty() {
            return reading;
        }
        let (_, first) = &reading[0];
        if first.policy.staleness.is_some() {
            let mut budget = self.budget;
            let learn = client.learn_time_from(&first.counters, &mut budget);
            let loads = reading.iter().map(|(_, load)| load);
            Together::new(loads, Box::pin(learn)).await;
            self.budget = budget;
        }
        let read_at = client.settings.clock.now();
        for (_, load) in &mut reading {
            load.departed = load.departs(Leader::read_departs);
            load.read_at = read_at;
            if let Some(keeper) = load.keeper {
                (keeper.sample)(load);
            }
        }
        let each = if client.cluster { 1 } else { MOST };
        let mut chunks: Vec<Range<usize>> = (0..reading.len())
            .step_by(each)
            .map(|start| start..reading.len().min(start + each))
            .collect();
        let mut found = Nonces::default();
        let mut failed = None;
        while !chunks.is_empty() && !self.budget.is_zero() {
            let started = runtime::now();
            let read = read_chunks(client, &reading, &chunks, self.budget).await;
            self.budget = self.budget.saturating_sub(started.elapsed());
            let mut divided = Vec::new();
            for (chunk, read) in chunks.into_iter().zip(read) {
                match read {
                    Ok(read) => found.extend(read),
                    // One answer would be larger than the server gives.
                    Err(error) if chunk.len() > 1 && may_be_too_large(&error) => {
                        let middle = chunk.start + chunk.len() / 2;
                        divided.extend([chunk.start..middle, middle..chunk.end]);
                    }
                    Err(error) => failed = Some(error),
                }
            }
            chunks = divided;
        }
        let (_, first) = &reading[0];
        match failed {
            Some(error) => first.report(Step::Read, &error),
            None => client.outages.succeeded(Step::Read),
        }
        for (_, load) in &mut reading {
            load.budget = self.budget;
            load.observed = observed(client, load, &found);
        }
        reading
    }

    /// Leaves out what is not current by its tags.
    async fn accepted(
        &mut self,
        client: &Arc<Client>,
        opened: Vec<(usize, Load, Option<Opened>)>,
    ) -> Vec<(usize, Load, Option<Opened>)> {
        let mut others: Vec<Vec<Tag>> = Vec::with_capacity(opened.len());
        let mut opened = opened;
        for (_, load, found) in &mut opened {
            let now = load.observed.as_ref();
            let now = now.map_or(&[][..], |observed| &observed.tags);
            let named = found
                .as_ref()
                .and_then(|found| load.tags.others(found, now));
            if named.is_none() {
                *found = None;
            }
            others.push(named.unwrap_or_default());
        }
        // Of keys without a value, what the last values had that were not stored.
        for ((_, load, found), tags) in opened.iter().zip(&mut others) {
            if found.is_none()
                && load.tags.of_value().is_some()
                && let Some(learned) = load
                    .function
                    .as_ref()
                    .and_then(|it| it.tags_of(load.key.as_str()))
            {
                *tags = learned;
            }
        }
        let now = self.nonces(client, &opened, &others).await;
        for ((_, load, found), tags) in opened.iter_mut().zip(others) {
            if tags.is_empty() {
                continue;
            }
            let nonce = |tag: &Tag| now.get(&client.tag_key(tag).value).cloned().flatten();
            let nonces: Vec<Option<Bytes>> = tags.iter().map(nonce).collect();
            if !found
                .as_ref()
                .is_some_and(|found| are_current(found, &tags, &nonces))
            {
                *found = None;
            }
            load.sampled = sampled(tags, nonces);
        }
        opened
    }

    async fn nonces(
        &mut self,
        client: &Arc<Client>,
        loads: &[(usize, Load, Option<Opened>)],
        tags: &[Vec<Tag>],
    ) -> Nonces {
        let (mut keys, mut known) = (Vec::new(), Nonces::default());
        for tag in tags.iter().flatten() {
            let key = client.tag_key(tag);
            if is_new(&mut known, &key) {
                keys.push(key);
            }
        }
        let Some((_, first, _)) = loads.first().filter(|_| !keys.is_empty()) else {
            return Nonces::default();
        };
        let started = runtime::now();
        let read = client.read_nonces(&keys, &first.counters, self.budget);
        let all = loads.iter().map(|(_, load, _)| load);
        let read = Together::new(all, Box::pin(read)).await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        match read {
            Ok(nonces) => keys.into_iter().map(|key| key.value).zip(nonces).collect(),
            Err(error) => {
                first.report(Step::Read, &error);
                Nonces::default()
            }
        }
    }

    /// Counts misses, and makes the tags that the read did not find, before the body runs.
    async fn with_all_tags(
        &mut self,
        client: &Arc<Client>,
        missing: Vec<(usize, Load)>,
    ) -> Vec<(usize, Load)> {
        let mut missing = missing;
        let (mut absent, mut known) = (Vec::new(), Nonces::default());
        for (_, load) in &missing {
            load.counters.misses.add(1);
            let observed = load.observed.iter().flat_map(|observed| &observed.tags);
            for (tag, nonce) in load.tags.iter().zip(observed) {
                let key = client.tag_key(tag);
                if nonce.is_none() && is_new(&mut known, &key) {
                    absent.push(key);
                }
            }
        }
        let Some((_, first)) = missing.first().filter(|_| !absent.is_empty()) else {
            return missing;
        };
        let mut nonces = vec![None; absent.len()];
        let started = runtime::now();
        let sent = client.make_absent_tags(&absent, &mut nonces, &first.counters, self.budget);
        let all = missing.iter().map(|(_, load)| load);
        let made = Together::new(all, Box::pin(sent)).await;
        self.budget = self.budget.saturating_sub(started.elapsed());
        if let Err(error) = made {
            first.report(Step::Read, &error);
        }
        let made: Nonces = absent
            .into_iter()
            .map(|key| key.value)
            .zip(nonces)
            .collect();
        for (_, load) in &mut missing {
            load.budget = self.budget;
            let Some(observed) = &mut load.observed else {
                continue;
            };
            for (tag, nonce) in load.tags.iter().zip(&mut observed.tags) {
                if nonce.is_none() {
                    *nonce = made.get(&client.tag_key(tag).value).cloned().flatten();
                }
            }
        }
        missing
    }
}

fn client_of(loads: &[(usize, Load)]) -> Option<Arc<Client>> {
    let (_, load) = loads.first()?;
    Some(Arc::clone(&load.cache.client))
}

/// Whether the key was not known, which it is from now on. A set would be code of its own, which is dear at the edge.
fn is_new(known: &mut Nonces, key: &FullKey) -> bool {
    known.insert(key.value.clone(), None).is_none()
}

/// The keys of values and guards, and those of their tags, each once.
fn keys_of(client: &Client, loads: &[(usize, Load)]) -> (Vec<Bytes>, Vec<FullKey>) {
    let (mut values, mut tags) = (Vec::new(), Vec::new());
    let mut known = Nonces::default();
    for (_, load) in loads {
        values.push(load.full.value.clone());
        if load.policy.guard {
            values.push(load.full.guard.clone());
        }
        for tag in load.tags.iter() {
            let key = client.tag_key(tag);
            if is_new(&mut known, &key) {
                tags.push(key);
            }
        }
    }
    (values, tags)
}

fn mget(keys: Vec<Bytes>) -> Command {
    let name = Bytes::from_static(b"MGET");
    Command::new(Effect::Read, std::iter::once(name).chain(keys))
}

fn may_be_too_large(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TooLarge | ErrorKind::Protocol | ErrorKind::Server
    )
}

/// Reads what belongs to the loads of each chunk, in one exchange.
async fn read_chunks(
    client: &Client,
    reading: &[(usize, Load)],
    chunks: &[Range<usize>],
    within: Duration,
) -> Vec<Result<Vec<KeyRead>, Error>> {
    let (mut commands, mut layouts, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for chunk in chunks {
        let (values, tags) = keys_of(client, &reading[chunk.clone()]);
        let mut all: Vec<Vec<Bytes>> = vec![values];
        for tag in &tags {
            // On a cluster they are in other slots.
            if client.cluster {
                all.push(vec![tag.value.clone()]);
            } else {
                all[0].push(tag.value.clone());
            }
        }
        commands.extend(all.iter().cloned().map(mget));
        layouts.push(all);
        settled.extend(tags);
        settled.extend(
            reading[chunk.clone()]
                .iter()
                .map(|(_, load)| load.full.clone()),
        );
    }
    let counters = Arc::clone(&reading[0].1.counters);
    let sent = client.settled_all(&settled, &[], &counters, commands, within);
    let loads = reading.iter().map(|(_, load)| load);
    let mut replies = match Together::new(loads, Box::pin(sent)).await {
        Ok(replies) => replies.into_iter(),
        Err(error) => return chunks.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut next = || replies.next().unwrap_or_else(|| Err(reply::no_reply()));
    layouts
        .into_iter()
        .map(|layout| {
            let replies: Vec<_> = layout.iter().map(|_| next()).collect();
            let mut found = Vec::with_capacity(layout.iter().map(Vec::len).sum());
            for (keys, reply) in layout.into_iter().zip(replies) {
                let items = reply?.into_items().ok_or_else(reply::no_reply)?;
                if items.len() != keys.len() {
                    return Err(reply::no_reply());
                }
                for (key, item) in keys.into_iter().zip(items) {
                    found.push((key, reply::bulk(item)?));
                }
            }
            Ok(found)
        })
        .collect()
}

/// What was seen of one key; nothing where some of it could not be read.
fn observed(client: &Client, load: &Load, found: &Nonces) -> Option<Observed> {
    let text = |key: &Bytes| found.get(key).cloned();
    let guard = if load.policy.guard {
        text(&load.full.guard)?
    } else {
        None
    };
    let tags = load.tags.iter().map(|tag| text(&client.tag_key(tag).value));
    Some(Observed {
        value: text(&load.full.value)?,
        guard,
        tags: tags.collect::<Option<Vec<_>>>()?,
    })
}

/// Opens what was found; what cannot be opened is counted as such.
async fn open(reading: Vec<(usize, Load)>) -> Vec<(usize, Load, Option<Opened>)> {
    let mut all = Vec::with_capacity(reading.len());
    for (at, mut load) in reading {
        let stored = load.observed.as_ref();
        let Some(stored) = stored.and_then(|observed| observed.value.clone()) else {
            all.push((at, load, None));
            continue;
        };
        let encrypted = load.policy.encoding.encrypt;
        let codec = &load.cache.client.codec;
        let opened = load
            .watched(codec.open(&load.full.value, stored, encrypted))
            .await;
        match opened {
            Ok(opened) => {
                load.found_times(opened.times());
                // The body of a batch does not run in the background: an old value is loaded, together with what
                // is missing.
                let is_fresh = load.found.freshness.is_fresh();
                all.push((at, load, is_fresh.then_some(opened)));
            }
            Err(what) => {
                load.cannot_be_read(&what);
                all.push((at, load, None));
            }
        }
    }
    all
}
