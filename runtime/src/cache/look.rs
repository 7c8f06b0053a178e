//! A look at what the read found: a value, or nothing, and then what the body needs is made ready.

use super::load::{Entered, Found, Load};
use super::staleness::Freshness;
use crate::client::outage::Step;
use crate::codec::Times;
use crate::runtime;
use bytes::Bytes;

/// What a read found.
pub(super) enum Looked {
    /// The plain form of a value that may be used.
    Value(Bytes),
    Nothing,
    /// What is no value, and why.
    Garbage(String),
}

impl Load {
    /// Opens what the read found, and goes on.
    pub(super) async fn look(mut self: Box<Self>) -> Entered {
        let looked = self.open().await;
        self.entered(looked).await
    }

    /// Opens what the read found. What is compared at the fill stays as it was found.
    pub(super) async fn open(&mut self) -> Looked {
        let observed = self.observed.as_ref();
        let Some(stored) = observed.and_then(|observed| observed.value.clone()) else {
            return Looked::Nothing;
        };
        let encrypted = self.policy.encoding.encrypt;
        let codec = &self.cache.client.codec;
        let opened = codec.open(&self.full.value, stored, encrypted);
        match self.watched(opened).await {
            Ok(opened) => {
                self.found_times(opened.times());
                if self.found.freshness != Freshness::Expired && self.accepts(&opened).await {
                    Looked::Value(opened.plain)
                } else {
                    Looked::Nothing
                }
            }
            Err(what) => Looked::Garbage(what),
        }
    }

    /// What to do about it.
    pub(super) async fn entered(self: Box<Self>, looked: Looked) -> Entered {
        match looked {
            Looked::Value(plain) => Entered::Found(plain, self),
            Looked::Nothing => self.begin().await,
            Looked::Garbage(what) => {
                let load = self.with_all_tags().await;
                load.garbage(&what);
                Entered::Load(load)
            }
        }
    }

    /// A value was found.
    pub(super) fn found_times(&mut self, times: Option<Times>) {
        self.found = Found {
            freshness: self.policy.judge(times, &self.cache.client),
            times,
            read: self.departed,
        };
    }

    /// Counts a miss; the body comes next.
    pub(super) async fn begin(self: Box<Self>) -> Entered {
        self.missed();
        Entered::Load(self.with_all_tags().await)
    }

    /// Makes the tags that the read did not find, before the body runs. Without all of them nothing is stored.
    async fn with_all_tags(mut self: Box<Self>) -> Box<Self> {
        if self.tags.of_value().is_some() && self.sampled.is_empty() {
            self.sample().await;
        }
        let Some(mut observed) = self.observed.take() else {
            return self;
        };
        if observed.tags.iter().any(Option::is_none) {
            let client = &self.cache.client;
            let keys = client.tag_keys(&self.tags);
            let started = runtime::now();
            let nonces = &mut observed.tags;
            let make = client.make_absent_tags(&keys, nonces, &self.counters, self.budget);
            let outcome = self.watched(Box::pin(make)).await;
            self.budget = self.budget.saturating_sub(started.elapsed());
            if let Err(error) = outcome {
                self.report(Step::Read, &error);
                return self;
            }
        }
        self.observed = Some(observed);
        self
    }
}
