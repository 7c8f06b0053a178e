//! The read of a call that leads its flight, where all that is wanted of it is a value as it is stored. It has no more
//! around it than a hit needs; where it finds anything else, a [`Load`] goes on from there.

use super::call::CachedCall;
use super::flight::{Departure, FlightResult, Leader};
use super::liveness::Watch;
use super::load::{Entered, Load};
use crate::client::guard::{self, Observed};
use crate::client::outage::Step;
use crate::clock::Moment;
use crate::error::Error;
use crate::key::FullKey;
use crate::runtime::{BoxFuture, Instant};
use crate::store::Sending;
use crate::value::{self, MARK};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) struct Glance {
    call: CachedCall,
    full: FullKey,
    leader: Leader,
    watch: Watch,
    departed: Departure,
    read_at: Moment,
    asked: Instant,
    sending: Sending,
    /// What the read saw, once there is an answer.
    observed: Option<Result<Observed, Error>>,
}

impl CachedCall {
    /// Whether a look at what is stored is all that a hit takes.
    pub(super) fn may_glance(&self) -> bool {
        let (policy, client) = (&self.policy, &self.cache.client);
        let is_plain =
            policy.flight && policy.guard && policy.staleness.is_none() && !policy.encoding.encrypt;
        let is_alone = self.keeper.is_none() && self.cluster.is_none() && !self.refresh;
        let has_tags = !self.tags.is_empty() || self.tags.of_value().is_some();
        let is_ready =
            !client.is_embedded() && client.pending.len() == 0 && !client.settings.budget.is_zero();
        is_plain && is_alone && !has_tags && is_ready
    }
}

impl Glance {
    /// Reads the value and the guard; without a store that can be asked, the call and the lead come back.
    pub(super) fn begin(
        call: CachedCall,
        full: FullKey,
        leader: Leader,
        asked: Instant,
    ) -> Result<Box<Self>, Box<Load>> {
        let client = &call.cache.client;
        let departed = leader.read_departs();
        let read_at = client.settings.clock.now();
        call.counters.commands.add(1);
        match client.start_one(guard::read(&full), client.settings.budget) {
            Ok(sending) => Ok(Box::new(Self {
                watch: leader.watch(),
                call,
                full,
                leader,
                departed,
                read_at,
                asked,
                sending,
                observed: None,
            })),
            Err(error) => {
                let mut load = call.into_load(full);
                load.leader = Some(leader);
                load.departed = departed;
                load.read_at = read_at;
                load.has_observed(Err(error));
                Err(Box::new(load))
            }
        }
    }

    /// Waits for the answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let poll = self.watch.start(cx);
        let polled = Pin::new(&mut self.sending).poll(&mut poll.context());
        poll.returned();
        let replies = ready!(polled);
        let reply = self.call.cache.client.one_sent(replies, Some(self.asked));
        self.observed = Some(reply.and_then(guard::observed));
        Poll::Ready(())
    }

    /// Ends with the value that was found, if `takes` says that it is one, and then says whether it is a null. Else a
    /// load goes on.
    pub(super) fn end(
        mut self: Box<Self>,
        mut takes: impl FnMut(&Bytes) -> bool,
    ) -> Result<bool, BoxFuture<Entered>> {
        if let Some(Ok(observed)) = &mut self.observed
            && let Some(plain) = observed.value.take_if(|value| !value.starts_with(MARK))
        {
            if takes(&plain) {
                return Ok(self.hit(plain));
            }
            observed.value = Some(plain);
        }
        let waited = self.asked.elapsed();
        let mut load = Box::new(self.call.into_load(self.full));
        load.leader = Some(self.leader);
        load.departed = self.departed;
        load.read_at = self.read_at;
        load.budget = load.budget.saturating_sub(waited);
        if let Some(observed) = self.observed {
            load.has_observed(observed);
        }
        Err(Box::pin(load.look()))
    }

    fn hit(self, plain: Bytes) -> bool {
        let CachedCall {
            cache,
            key,
            counters,
            ..
        } = &self.call;
        let outages = &cache.client.outages;
        outages.succeeded(Step::Read);
        let is_null = value::is_null(&plain);
        counters.hit(is_null);
        outages.succeeded_for(Step::Decode, key.prefix());
        self.leader.share(FlightResult::Value(plain), self.departed);
        is_null
    }
}
