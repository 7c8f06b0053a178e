//! The local tier in front of the store: what is read or stored for a function with `local = "5s"` is kept in this
//! process as it is.
//!
//! A load samples its key and its tags before its read leaves. What it found or stored is kept as old as the step on
//! which it rests, and only if no put and no invalidation of this process touched the key or a tag since: they remove
//! what is kept before they are sent, and again when they are answered.

use super::load::{Keeper, Load};
use crate::client::Client;
use crate::codec::Times;
use crate::key::{Key, Tag};
use crate::local::{Keep, Name, Sample, Value};
use std::sync::Arc;

/// What a load needs to keep its value.
struct Near {
    sample: Sample,
    /// What is to be kept, once it is stored.
    value: Option<Value>,
    /// How long that is good for.
    times: Option<Times>,
}

/// What functions with `local = "5s"` add to their loads.
pub(crate) static KEEPER: Keeper = Keeper {
    sample: Load::sample_near,
    keep_found: Load::keep_found,
    will_keep: |load, value| {
        if let Some(near) = load.near_mut() {
            near.value = value;
        }
    },
    will_last: |load, times| {
        if let Some(near) = load.near_mut() {
            near.times = times;
        }
    },
    departs: |load| {
        let cache = Arc::clone(&load.cache);
        if let Some(near) = load.near_mut() {
            cache.local.departs(&mut near.sample);
        }
    },
    keep_stored: Load::keep_stored,
};

fn names(client: &Client, tags: &[Tag]) -> Vec<String> {
    tags.iter()
        .map(|tag| client.tag_key(tag).text().into_owned())
        .collect()
}

fn texts(names: &[String]) -> impl ExactSizeIterator<Item = &str> {
    names.iter().map(String::as_str)
}

impl Load {
    fn name(key: &Key) -> Name<'_> {
        Name::shared(key.as_str())
    }

    fn near_mut(&mut self) -> Option<&mut Near> {
        self.near.as_mut()?.downcast_mut()
    }

    fn take_near(&mut self) -> Option<Near> {
        let near = self.near.take()?.downcast().ok()?;
        Some(*near)
    }

    /// The read is about to leave.
    fn sample_near(&mut self) {
        let (client, local) = (&self.cache.client, &self.cache.local);
        local.keeps_shared();
        let name = Self::name(&self.key);
        let tags = names(client, self.tags.remembered());
        let sample = if self.tags.of_value().is_some() {
            let family = client.tag_key(&Tag::family()).text().into_owned();
            local.sample_with_family(name, texts(&tags), &family)
        } else {
            local.sample(name, texts(&tags))
        };
        self.near = Some(Box::new(Near {
            sample,
            value: None,
            times: None,
        }));
    }

    /// What was found is kept.
    fn keep_found(&mut self, plain: &[u8], value: Option<Value>) {
        let times = self.found.times;
        let Some(near) = self.take_near() else {
            return;
        };
        if let Some((sample, keep)) = self.to_keep(near.sample, value, plain, times) {
            self.cache.local.keep(Self::name(&self.key), sample, keep);
            self.cache.client.listens();
        }
    }

    /// What the body returned is stored: it is kept in the place of what this process had.
    fn keep_stored(&mut self, plain: &[u8]) {
        let near = self.take_near();
        let local = &self.cache.local;
        let name = Self::name(&self.key);
        let is_newer = self.refresh || local.is_there(name);
        let keep = near.and_then(|near| self.to_keep(near.sample, near.value, plain, near.times));
        let is_kept = match keep {
            Some((sample, keep)) if is_newer => local.replace(name, sample, keep),
            Some((sample, keep)) => local.keep(name, sample, keep),
            None => false,
        };
        if is_newer && !is_kept {
            local.remove(name);
        }
        if is_kept {
            self.cache.client.listens();
        }
    }

    fn to_keep(
        &self,
        sample: Sample,
        value: Option<Value>,
        plain: &[u8],
        times: Option<Times>,
    ) -> Option<(Sample, Keep)> {
        let function = self.policy.near?;
        let within = function.near()?;
        let client = &self.cache.client;
        let mut life = within.min(self.policy.life_of(plain, &client.settings)?);
        if let Some(times) = times {
            life = life.min(
                self.policy
                    .windows()
                    .plainly_fresh_for(times, client.time()),
            );
        }
        if life.is_zero() {
            return None;
        }
        let keep = Keep {
            value: value?,
            life,
            bytes: plain.len(),
            prefix: function.prefix,
        };
        Some((self.with_value_tags(sample, plain)?, keep))
    }

    /// The sample with the tags that come from the value.
    fn with_value_tags(&self, sample: Sample, plain: &[u8]) -> Option<Sample> {
        let Some(of_value) = self.tags.of_value() else {
            return Some(sample);
        };
        let more = names(&self.cache.client, &of_value(plain)?);
        self.cache.local.tagged(sample, texts(&more))
    }
}

#[cfg(all(
    test,
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod simulator;
