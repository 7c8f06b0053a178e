//! The read of a call that nobody has come before, where all that is wanted of it is a value as it is stored. It has no more
//! around it than a hit needs; where it finds anything else, a load goes on from there.

use super::call::CachedCall;
use super::flight::{Departure, FlightResult, Glancing, Leader, Place};
use super::liveness::Watch;
use super::load::Entered;
use crate::client::guard::{self, Observed};
use crate::client::outage::Step;
use crate::clock::Moment;
use crate::error::Error;
use crate::key::FullKey;
use crate::runtime::{self, BoxFuture, Instant};
use crate::store::Sending;
use crate::value::{self, MARK};
use bytes::Bytes;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub(super) struct Glance {
    call: CachedCall,
    full: FullKey,
    lead: Lead,
    read_at: Moment,
    asked: Instant,
    sending: Sending,
    was_polled: bool,
    /// What the read saw, once there is an answer.
    observed: Option<Result<Observed, Error>>,
}

/// Whom this leads.
enum Lead {
    Nobody(Glancing),
    /// Others, who see by the watch that this is polled.
    Others(Leader, Watch),
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
    /// Reads the value and the guard. Without a store that can be asked, a load goes on.
    pub(super) fn begin(
        call: CachedCall,
        full: FullKey,
        glancing: Glancing,
    ) -> Result<Box<Self>, BoxFuture<Entered>> {
        let client = &call.cache.client;
        // It is compared with hours, and earlier is the safe side.
        let read_at = client.settings.clock.coarse().into();
        call.counters.commands.add(1);
        let asked = runtime::now();
        match client.start_one(guard::read(&full), asked, client.settings.budget) {
            Ok(sending) => Ok(Box::new(Self {
                call,
                full,
                lead: Lead::Nobody(glancing),
                read_at,
                asked,
                sending,
                was_polled: false,
                observed: None,
            })),
            Err(error) => {
                let read = (asked, read_at, Some(Err(error)));
                Err(go_on(call, full, glancing.lead(asked), read))
            }
        }
    }

    /// Waits for the answer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let replies = loop {
            match &mut self.lead {
                Lead::Nobody(glancing) => {
                    if let Poll::Ready(replies) = Pin::new(&mut self.sending).poll(cx) {
                        break replies;
                    }
                    if !mem::replace(&mut self.was_polled, true) {
                        // By the call that began it, whose waker is known.
                        return Poll::Pending;
                    }
                    let Some(leader) = glancing.goes_on(cx.waker()) else {
                        return Poll::Pending;
                    };
                    let watch = leader.watch();
                    self.lead = Lead::Others(leader, watch);
                }
                Lead::Others(_, watch) => {
                    let poll = watch.start(cx);
                    let polled = Pin::new(&mut self.sending).poll(&mut poll.context());
                    poll.returned();
                    break ready!(polled);
                }
            }
        };
        let reply = self.call.cache.client.one_sent(replies, self.asked);
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
        let Self {
            call,
            full,
            lead,
            read_at,
            asked,
            observed,
            ..
        } = *self;
        let place = match lead {
            Lead::Nobody(glancing) => glancing.lead(asked),
            Lead::Others(leader, _) => Place::Leads(leader),
        };
        Err(go_on(call, full, place, (asked, read_at, observed)))
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
        let place = match self.lead {
            Lead::Nobody(glancing) => glancing.end(),
            Lead::Others(leader, _) => Place::Leads(leader),
        };
        if let Place::Leads(leader) = place {
            leader.share(FlightResult::Value(plain), Departure::default());
        }
        is_null
    }
}

/// A load goes on with what was read, if it leads, and else with a read of its own: what was read is older than an
/// invalidation.
fn go_on(
    call: CachedCall,
    full: FullKey,
    place: Place,
    (asked, read_at, observed): (Instant, Moment, Option<Result<Observed, Error>>),
) -> BoxFuture<Entered> {
    let mut load = Box::new(call.into_load(full));
    load.budget = load.budget.saturating_sub(asked.elapsed());
    let Place::Leads(leader) = place else {
        if let Some(Err(error)) = observed {
            load.has_observed(Err(error));
        }
        return Box::pin(load.fly());
    };
    load.leader = Some(leader);
    load.read_at = read_at;
    if let Some(observed) = observed {
        load.has_observed(observed);
    }
    Box::pin(load.look())
}
