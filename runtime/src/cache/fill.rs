//! The guarded fill: what the body returned is stored only if nothing moved since the read.

use super::background::Begun;
use super::flight::{Departure, FlightResult, Leader};
use super::load::Load;
use crate::client::Client;
use crate::client::guard::{self, Observed};
use crate::client::outage::Step;
use crate::client::value_tags::StoredUnder;
use crate::error::Error;
use crate::key::{FullKey, Tag};
use crate::reply;
use crate::store::command::{Command, Reply};
use bytes::Bytes;
use std::time::Duration;

/// A value that is about to be stored.
pub(super) struct Fill {
    pub(super) load: Load,
    plain: Bytes,
    pub(super) observed: Observed,
    /// The SHA-1 of what the read found.
    pub(super) before: Bytes,
    pub(super) stored: Bytes,
    /// As the script takes it.
    pub(super) life: Bytes,
    /// In ms.
    lasts: Bytes,
    /// The tags that the script compares, in the order of their nonces.
    pub(super) compared: Vec<FullKey>,
    /// On a cluster tags are in other slots than the value, so that no script can compare them.
    apart: Vec<FullKey>,
    learned: Vec<Tag>,
}

impl Load {
    /// Stores a value, if nothing moved since the read. One that the function `keeps` from being stored, or that has
    /// no lifetime, removes what it would have replaced.
    pub(crate) async fn store(self, plain: Bytes, keeps: bool) {
        let Some(fill) = self.fill(plain, keeps).await.and_then(Fill::in_time) else {
            return;
        };
        let filled = fill.load.departs(Leader::fill_departs);
        let mut commands = vec![fill.command()];
        commands.extend(fill.lengthened());
        let load = &fill.load;
        load.counters.commands.add(commands.len() as u64);
        let within = load.budget.max(Duration::from_millis(1));
        let sent = load.cache.client.send(commands, within);
        let reply = load.watched(sent).await.into_iter().next();
        fill.settle(filled, reply.unwrap_or_else(|| Err(reply::no_reply())));
    }

    /// What is to be sent for a value that is to be stored; nothing where it is not, and then whoever waits has it.
    pub(super) async fn fill(mut self, plain: Bytes, keeps: bool) -> Option<Fill> {
        let settings = &self.cache.client.settings;
        let ttl = self.policy.life_of(&plain, settings).filter(|_| !keeps);
        let is_left = self.leader.as_ref().is_some_and(Leader::is_out_of_date)
            || self.background.as_ref().is_some_and(Begun::is_out_of_date);
        if is_left && ttl.is_some() {
            self.counters.refused.add(1);
        }
        let (Some(mut observed), false) = (self.observed.take(), is_left) else {
            self.keep(plain);
            return None;
        };
        let Some(ttl) = ttl else {
            self.remove_replaced(&observed).await;
            self.keep(plain);
            return None;
        };
        let client = &self.cache.client;
        let took = settings.clock.monotonic();
        let took = took.saturating_sub(self.began.monotonic);
        let Some(kept) = self.policy.kept(client, ttl, self.began.server, Some(took)) else {
            self.counters.too_slow.add(1);
            self.keep(plain);
            return None;
        };
        if let Some(keeper) = self.keeper {
            (keeper.will_last)(&mut self, kept.times);
        }
        let encoding = self.policy.encoding;
        let under = self.stored_under(&plain, &observed.tags, &kept.lasts);
        let Some(under) = under.await else {
            self.keep(plain);
            return None;
        };
        let StoredUnder {
            keys,
            nonces,
            mut members,
            learned,
        } = under;
        members.times = kept.times;
        observed.tags = nonces;
        let codec = &self.cache.client.codec;
        let stored = codec.stored_form(&self.full, plain.clone(), encoding, members);
        let stored = match self.watched(stored).await {
            Ok(stored) => stored,
            Err(error) => {
                self.unstorable(&error);
                self.keep(plain);
                return None;
            }
        };
        // Whoever joined before the body left gets the value whatever becomes of the fill: it is as
        // current for them as for this caller.
        if let Some(leader) = &self.leader {
            leader.deliver(&FlightResult::Value(plain.clone()), self.departed);
        }
        let (compared, apart) = if self.cache.client.cluster {
            (Vec::new(), keys)
        } else {
            (keys, Vec::new())
        };
        let before = if self.policy.guard {
            let sha1 = self.watched(observed.sha1()).await;
            if self.replaced_is_over() {
                [b"?", &sha1[..]].concat().into()
            } else {
                sha1
            }
        } else {
            Bytes::new()
        };
        Some(Fill {
            load: self,
            plain,
            observed,
            before,
            stored,
            life: kept.life,
            lasts: kept.lasts,
            compared,
            apart,
            learned,
        })
    }
}

impl Fill {
    /// The last thing before it leaves: it must arrive while the guard lives that the read saw, also where this
    /// process stood still meanwhile.
    pub(super) fn in_time(mut self) -> Option<Self> {
        let load = &mut self.load;
        let settings = &load.cache.client.settings;
        if !load.policy.guard {
            return Some(self);
        }
        if settings.clock.age(load.read_at) <= settings.guard_life / 2 {
            if let Some(keeper) = load.keeper
                && self.apart.is_empty()
            {
                (keeper.departs)(load);
            }
            return Some(self);
        }
        load.counters.too_slow.add(1);
        let outages = &load.cache.client.outages;
        outages.failed_for(Step::InTime, load.key.prefix(), None);
        self.load.keep(self.plain);
        None
    }

    /// What stores it.
    pub(super) fn command(&self) -> Command {
        let (full, stored, life) = (&self.load.full, self.stored.clone(), self.life.clone());
        if !self.load.policy.guard {
            return guard::set_unguarded(full, stored, life);
        }
        let before = self.before.clone();
        guard::fill(full, &self.compared, &self.observed, before, stored, life)
    }

    /// What goes along with that.
    pub(super) fn lengthened(&self) -> Vec<Command> {
        Client::lengthened(&self.apart, &self.lasts)
    }

    /// What became of it, since it left.
    pub(super) fn settle(self, filled: Departure, reply: Result<Reply, Error>) {
        let Self {
            mut load,
            plain,
            apart,
            learned,
            ..
        } = self;
        let is_guarded = load.policy.guard;
        let stored = |reply| {
            if is_guarded {
                reply::int(&reply)
            } else {
                Ok(1)
            }
        };
        let stored = reply.and_then(stored);
        match stored {
            Ok(1) => {
                let outages = &load.cache.client.outages;
                outages.succeeded(Step::Fill);
                outages.succeeded_for(Step::InTime, load.key.prefix());
                load.counters.stores.add(1);
                // The script compared the guard and all tags, so the value was current when the fill left.
                if is_guarded && apart.is_empty() {
                    load.departed = filled;
                }
                match load.keeper {
                    Some(keeper) => (keeper.keep_stored)(&mut load, &plain),
                    None => load.outdate_near(),
                }
                load.share(FlightResult::Value(plain));
            }
            Ok(_) => {
                load.counters.refused.add(1);
                load.outdate_near();
                load.learn(learned);
                load.restart();
            }
            Err(error) => {
                load.report(Step::Fill, &error);
                load.outdate_near();
                load.keep(plain);
            }
        }
    }
}

impl Load {
    /// Whether the value that the read found was due to expire by now. That it is gone then tells nothing.
    fn replaced_is_over(&self) -> bool {
        self.found.times.is_some_and(|times| {
            let longest = self.policy.windows().longest().as_millis();
            let longest = u64::try_from(longest).unwrap_or(u64::MAX);
            times.until.saturating_add(longest) <= self.cache.client.time().earliest
        })
    }

    /// Whether there is a value that must not be used as an old one any longer, whatever becomes of a new one.
    pub(crate) fn replaces_value(&self) -> bool {
        let observed = self.observed.as_ref();
        self.policy.staleness.is_some() && observed.is_some_and(|it| it.value.is_some())
    }

    /// Removes an old value, unless something else is there by now.
    async fn remove_replaced(&self, observed: &Observed) {
        let (Some(_), Some(old)) = (self.policy.staleness, observed.value.clone()) else {
            return;
        };
        self.outdate_near();
        let remove = guard::remove_if_equal(&self.full, old);
        self.counters.commands.add(1);
        let within = self.budget.max(Duration::from_millis(1));
        let replies = self.watched(self.cache.client.send(vec![remove], within));
        if let Some(Err(error)) = replies.await.into_iter().next() {
            self.report(Step::Fill, &error);
        }
        self.outdate_near();
    }
}

impl Load {
    /// Another value is in the store, or none: what this process keeps is old.
    pub(super) fn outdate_near(&self) {
        if self.refresh {
            self.cache.forget(&self.full.text());
        } else {
            self.cache.local.outdate(self.key.as_str());
        }
    }
}
