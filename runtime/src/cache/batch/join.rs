//! The beginning of a batch: each key has a flight, which this call leads or waits for.

use super::Batch;
use crate::cache::cached_function::UnlessOf;
use crate::cache::call::CachedCall;
use crate::cache::call_status::BatchStatus;
use crate::cache::flight::Role;
use crate::cache::span::LoadSpan;
use crate::runtime;
use std::time::Duration;

impl Batch {
    /// Joins the flights of these keys, and reads those that are this call's to load. `once`: the body cannot run
    /// again, so nothing is left to others. `status`: what the other keys came to.
    pub(crate) async fn enter(
        calls: Vec<(usize, CachedCall)>,
        unless: Option<UnlessOf>,
        once: bool,
        status: BatchStatus,
    ) -> Self {
        let span = calls.first().map_or(LoadSpan::none(), |(_, call)| {
            LoadSpan::begin(call.key.prefix()).of_keys(calls.len())
        });
        let batch = Self {
            waiting: Vec::new(),
            loads: Vec::new(),
            places: Vec::new(),
            alone: Vec::new(),
            found: Vec::new(),
            unless,
            until: runtime::now(),
            budget: Duration::ZERO,
            status,
            span: span.clone(),
            result: ("hit", "store"),
        };
        let joined = batch.join(calls, once);
        span.around(joined).await
    }

    async fn join(mut self, calls: Vec<(usize, CachedCall)>, once: bool) -> Self {
        let now = self.until;
        let mut looks = true;
        for (at, call) in calls {
            let settings = &call.cache.client.settings;
            self.until = now + settings.flight_wait;
            self.budget = settings.budget;
            looks = !call.refresh;
            let Ok(full) = call.usable() else {
                self.alone.push(at);
                continue;
            };
            let mut load = call.into_load(full);
            if load.refresh {
                // As for a call of one: what is kept goes before the load, and again once it is stored.
                load.cache.forget(&load.full.text());
            }
            if load.refresh || !load.policy.flight {
                self.loads.push((at, load));
                continue;
            }
            let role = load.cache.flights.join(&load.full.value, now);
            match role {
                Role::Lead(leader) => {
                    load.leader = Some(leader);
                    self.loads.push((at, load));
                }
                Role::Wait(_) if once || !runtime::in_runtime() => self.alone.push(at),
                Role::Wait(waiter) => self.waiting.push((at, load, waiter)),
            }
        }
        self.read(looks).await;
        self
    }
}
