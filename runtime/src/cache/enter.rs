//! The beginning of a call: it looks the key up, or waits for another caller who does.

use super::call::CachedCall;
use super::call_status::{BypassReason, CallStatus};
use super::flight::{FlightResult, Patience, Role, Waited};
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::glance::Glance;
use super::load::{Entered, Load};
use super::span::LoadSpan;
use crate::key::FullKey;
use crate::runtime::{self, BoxFuture};
use std::task::Waker;

/// How a call looks its key up.
pub(super) enum Entering {
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    Glance(Box<Glance>),
    Load(BoxFuture<Entered>),
}

impl CachedCall {
    /// Looks the key up, or waits for who does; unless the call goes around the cache.
    #[cfg_attr(
        not(all(
            any(feature = "upstash", feature = "redis"),
            not(target_arch = "wasm32")
        )),
        expect(
            unused_variables,
            reason = "only a read without a flight is woken by it"
        )
    )]
    pub(super) fn enter(self, waker: &Waker) -> Result<Entering, BypassReason> {
        let full = self.usable()?;
        self.cache.client.deliver_in_background();
        let span = LoadSpan::begin(self.key.prefix());
        #[cfg(all(
            any(feature = "upstash", feature = "redis"),
            not(target_arch = "wasm32")
        ))]
        if span.is_none()
            && self.may_glance()
            && let Some(glancing) = self.cache.flights.glance(&full.value, waker)
        {
            return Ok(match Glance::begin(self, full, glancing) {
                Ok(glance) => Entering::Glance(glance),
                Err(load) => Entering::Load(load),
            });
        }
        let mut load = Box::new(self.into_load(full));
        if load.refresh {
            load.cache.forget(&load.full.text());
        }
        load.span = span.clone();
        Ok(Entering::Load(Box::pin(span.around(load.enter()))))
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
        if self.cache.flights.leads(&full.value) {
            // The body of a load asks for the key that it is loading.
            return bypassed(BypassReason::OwnKey);
        }
        Ok(full)
    }
}

impl Load {
    async fn enter(self: Box<Self>) -> Entered {
        if self.refresh || !self.policy.flight {
            let load = self.read(None).await;
            return if load.refresh {
                load.begin().await
            } else {
                load.look().await
            };
        }
        self.fly().await
    }

    /// Takes part in the flight of the key.
    pub(super) async fn fly(mut self: Box<Self>) -> Entered {
        let now = runtime::now();
        let until = now + self.cache.client.settings.flight_wait;
        let role = self.cache.flights.join(&self.full.value, now);
        let leader = match role {
            Role::Lead(leader) => leader,
            Role::Wait(_) if !runtime::in_runtime() => {
                // A wait has to have an end, and nothing keeps the time here.
                self.cache.warn_outside();
                self.counters.bypassed.add(1);
                self.span.ends("bypass", "body");
                return Entered::Alone(BypassReason::NoRuntime);
            }
            Role::Wait(waiter) => {
                let mut patience = Patience {
                    until,
                    cache: self.budget,
                };
                let end = waiter.wait(&mut patience).await;
                self.cache.waited(now.elapsed());
                self.budget = patience.cache;
                match end {
                    Waited::Leads(leader) => leader,
                    Waited::GoesAlone => {
                        self.counters.bypassed.add(1);
                        self.span.ends("bypass", "body");
                        return Entered::Alone(BypassReason::Waited);
                    }
                    Waited::Shared(result) => {
                        self.counters.shared.add(1);
                        self.span.ends("shared", "flight");
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
        let load = self.read(Some(leader)).await;
        match load.cluster {
            Some(cluster) => (cluster.look)(load, until).await,
            None => load.look().await,
        }
    }
}
