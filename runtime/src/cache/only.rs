//! A call of a function with `local = "only"`: `key → local tier → flight → body → local tier`. Nothing is
//! sent, and values stay what they are.
//!
//! Async functions and sync ones share all of it; a sync caller waits in [`blocking`].

pub(crate) mod blocking;
mod load;

use super::cached_function::CachedFunction;
use super::call_status::BypassReason;
use super::flight::{FlightResult, Patience, Role, SharedError, Waited};
use super::known_functions::FunctionState;
use super::policy::Policy;
use super::span::LoadSpan;
use super::state::Cache;
use crate::client::tags::Tags;
use crate::key::Key;
use crate::local::{Name, Sample, Value, Within};
use crate::runtime;
use bytes::Bytes;
pub(crate) use load::{Loaded, OnlyLoad};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One entry of such a function.
#[derive(Clone)]
pub(crate) struct OnlyEntry {
    pub(crate) cache: Arc<Cache>,
    pub(crate) function: &'static CachedFunction,
    /// Of the function, in this process.
    pub(crate) number: u32,
    pub(crate) key: Key,
    pub(crate) tags: Tags,
}

/// One call that the first look did not answer.
pub(crate) struct OnlyCall {
    pub(crate) entry: OnlyEntry,
    pub(crate) state: Arc<FunctionState>,
    /// Load and keep anew, whatever is there.
    pub(crate) refresh: bool,
}

/// Where a value comes from.
pub(crate) enum Origin {
    /// From another caller's load.
    Flight,
    /// It was kept, and is so old.
    Tier(Option<Duration>),
}

/// What to do for one call.
pub(crate) enum OnlyEntered {
    /// A value: of another caller's load, or one that was kept meanwhile; and what a call that returns it comes to.
    Found(Value, Origin),
    /// The error of another caller's load.
    Failed(SharedError),
    /// Run the body, and say what came of it.
    Load(Box<OnlyLoad>),
    /// Run the body; nobody wants to know.
    Alone(BypassReason),
}

impl fmt::Debug for OnlyEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnlyEntry").field(&self.key).finish()
    }
}

impl OnlyEntry {
    pub(crate) fn name(&self) -> Name<'_> {
        Name {
            function: self.number,
            key: self.key.as_str(),
        }
    }

    /// How old the value is that is kept, if one is.
    pub(crate) fn age(&self) -> Option<Duration> {
        let known = self.cache.local.known(self.name());
        known.map(|known| known.age)
    }

    /// What flights of its key are called by: no key by hand begins like this.
    pub(crate) fn flight(&self) -> String {
        format!("\u{1}{}:{}", self.number, self.key)
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::of(self.function)
    }

    /// How the key and its tags stand now.
    pub(crate) fn sample(&self) -> Sample {
        let names: Vec<String> = self
            .tags
            .iter()
            .map(|tag| self.cache.client.tag_key(tag).text().into_owned())
            .collect();
        let tags = names.iter().map(String::as_str);
        self.cache.local.sample(self.name(), tags)
    }

    /// Removes the value, and keeps loads that are under way from being kept and shared.
    pub(crate) fn invalidate(&self) {
        self.cache.local.remove(self.name());
        self.cache.flights.detach(&self.flight());
    }
}

impl OnlyCall {
    /// Looks again, or waits for who loads; `fits` says whether a value is one of the function.
    pub(crate) async fn enter(self, fits: fn(&Value) -> bool) -> OnlyEntered {
        let counters = &self.state.counters;
        let entry = &self.entry;
        let usable = entry.key.check().and_then(|()| entry.tags.check());
        if let Err(error) = usable {
            let prefix = entry.key.prefix();
            if self.state.says_unusable() {
                tracing::warn!(prefix, %error, "called without the cache");
            } else {
                tracing::debug!(prefix, %error, "called without the cache");
            }
            counters.bypassed.add(1);
            return OnlyEntered::Alone(BypassReason::Key);
        }
        let flights = &entry.cache.flights;
        let flight = entry.flight();
        if flights.leads(flight.as_bytes()) {
            // The body of a load asks for the key that it is loading.
            counters.bypassed.add(1);
            return OnlyEntered::Alone(BypassReason::OwnKey);
        }
        let span = LoadSpan::begin(entry.key.prefix());
        let load = self.load(flight.into(), fits, &span);
        span.around(load).await
    }

    async fn load(&self, flight: Bytes, fits: fn(&Value) -> bool, span: &LoadSpan) -> OnlyEntered {
        let counters = &self.state.counters;
        let entry = &self.entry;
        let flights = &entry.cache.flights;
        if self.refresh || !entry.policy().flight {
            return OnlyEntered::Load(OnlyLoad::new(self, None, span));
        }
        let now = runtime::now();
        let leader = match flights.join(&flight, now) {
            Role::Lead(leader) => leader,
            Role::Wait(waiter) => {
                let settings = &entry.cache.client.settings;
                let mut patience = Patience {
                    until: now + settings.flight_wait,
                    cache: settings.budget,
                };
                match waiter.wait(&mut patience).await {
                    Waited::Leads(leader) => leader,
                    Waited::GoesAlone => {
                        counters.bypassed.add(1);
                        span.ends("bypass", "body");
                        return OnlyEntered::Alone(BypassReason::Waited);
                    }
                    Waited::Shared(result) => {
                        counters.shared.add(1);
                        span.ends("shared", "flight");
                        return match result {
                            FlightResult::Kept(value) => OnlyEntered::Found(value, Origin::Flight),
                            FlightResult::Error(error) => OnlyEntered::Failed(error),
                            // Those have flights of their own.
                            FlightResult::Value(_) | FlightResult::Old(..) => {
                                OnlyEntered::Alone(BypassReason::Unusable)
                            }
                        };
                    }
                }
            }
        };
        // Another load may have ended between the first look and the lead.
        let departed = leader.read_departs();
        let found = entry
            .cache
            .local
            .get_as(entry.name(), Within::ANY, |value| {
                let fits = fits(&value);
                fits.then_some(value)
            });
        match found {
            Some(value) => {
                span.ends("local", "local");
                leader.share(FlightResult::Kept(Arc::clone(&value)), departed);
                OnlyEntered::Found(value, Origin::Tier(entry.age()))
            }
            None => OnlyEntered::Load(OnlyLoad::new(self, Some(leader), span)),
        }
    }
}
