//! The beginning of a call: it looks the key up, or waits for another caller who does.

use super::call::CachedCall;
use super::call_status::{BypassReason, CallStatus};
use super::flight::{FlightResult, Patience, Role, Waited};
use super::load::{Entered, Load};
use super::span::LoadSpan;
use crate::key::FullKey;
use crate::runtime;

impl CachedCall {
    /// Looks the key up, or waits for who does.
    pub(crate) async fn enter(self) -> Entered {
        let full = match self.usable() {
            Ok(full) => full,
            Err(reason) => return Entered::Alone(reason),
        };
        self.cache.client.deliver_in_background();
        let mut load = Box::new(self.new_load(full));
        if self.refresh {
            self.cache.forget(&load.full.text());
        }
        load.span = LoadSpan::begin(self.key.prefix());
        let span = load.span.clone();
        span.around(self.load(load)).await
    }

    /// The key, unless the call goes around the cache with it.
    pub(super) fn usable(&self) -> Result<FullKey, BypassReason> {
        let bypassed = |reason| {
            self.counters.bypassed.add(1);
            Err(reason)
        };
        if let Err(error) = self.key.check().and_then(|()| self.tags.check()) {
            let prefix = self.key.prefix();
            if self.function.as_ref().is_none_or(|it| it.says_unusable()) {
                tracing::warn!(prefix, %error, "called without the cache");
            } else {
                tracing::debug!(prefix, %error, "called without the cache");
            }
            return bypassed(BypassReason::Key);
        }
        let client = &self.cache.client;
        if !runtime::in_runtime() && client.needs_runtime() {
            self.cache.warn_outside();
            return bypassed(BypassReason::NoRuntime);
        }
        let full = client.full(&self.key);
        if self.cache.flights.leads(&full.text()) {
            // The body of a load asks for the key that it is loading.
            return bypassed(BypassReason::OwnKey);
        }
        Ok(full)
    }

    async fn load(&self, load: Box<Load>) -> Entered {
        if self.refresh || !self.policy.flight {
            let load = load.read(None).await;
            return if self.refresh {
                load.begin().await
            } else {
                load.look().await
            };
        }
        self.fly(load).await
    }

    /// Takes part in the flight of the key.
    async fn fly(&self, mut load: Box<Load>) -> Entered {
        let settings = &self.cache.client.settings;
        let now = runtime::now();
        let until = now + settings.flight_wait;
        let role = self.cache.flights.join(&load.full.text(), now);
        let leader = match role {
            Role::Lead(leader) => leader,
            Role::Wait(_) if !runtime::in_runtime() => {
                // A wait has to have an end, and nothing keeps the time here.
                self.cache.warn_outside();
                self.counters.bypassed.add(1);
                load.span.ends("bypass", "body");
                return Entered::Alone(BypassReason::NoRuntime);
            }
            Role::Wait(waiter) => {
                let mut patience = Patience {
                    until,
                    cache: load.budget,
                };
                let end = waiter.wait(&mut patience).await;
                self.cache.waited(now.elapsed());
                load.budget = patience.cache;
                match end {
                    Waited::Leads(leader) => leader,
                    Waited::GoesAlone => {
                        self.counters.bypassed.add(1);
                        load.span.ends("bypass", "body");
                        return Entered::Alone(BypassReason::Waited);
                    }
                    Waited::Shared(result) => {
                        self.counters.shared.add(1);
                        load.span.ends("shared", "flight");
                        return match result {
                            FlightResult::Value(bytes) => {
                                Entered::Shared(bytes, CallStatus::Shared)
                            }
                            FlightResult::Old(bytes, age) => {
                                Entered::Shared(bytes, CallStatus::Stale { age })
                            }
                            FlightResult::Error(error) => Entered::Failed(error),
                            // Those have flights of their own.
                            FlightResult::Kept(_) => Entered::Alone(BypassReason::Unusable),
                        };
                    }
                }
            }
        };
        let load = load.read(Some(leader)).await;
        match load.cluster {
            Some(cluster) => (cluster.look)(load, until).await,
            None => load.look().await,
        }
    }
}
