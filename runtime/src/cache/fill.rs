//! The guarded fill: what the body returned is stored only if nothing moved since the read.

use super::flight::{FlightResult, Leader};
use super::load::Load;
use crate::client::Client;
use crate::client::guard;
use crate::client::outage::Step;
use crate::reply;
use bytes::Bytes;
use std::time::Duration;

impl Load {
    /// Stores a value, if nothing moved since the read.
    pub(crate) async fn store(mut self, plain: Bytes) {
        let settings = &self.cache.client.settings;
        let Some(ttl) = self.policy.life_of(&plain, settings) else {
            return self.keep(plain);
        };
        if self.leader.as_ref().is_some_and(Leader::is_out_of_date) {
            self.counters.refused.add(1);
            return self.keep(plain);
        }
        let (Some(observed), Ok(life)) = (self.observed.take(), crate::ttl::lifetime(ttl)) else {
            return self.keep(plain);
        };
        let encoding = self.policy.encoding;
        let codec = &self.cache.client.codec;
        let Some(members) = self.tags.members(&observed.tags) else {
            return self.keep(plain);
        };
        let stored = codec.stored_form(&self.full, plain.clone(), encoding, members);
        let stored = match self.watched(stored).await {
            Ok(stored) => stored,
            Err(error) => {
                self.unstorable(&error);
                return self.keep(plain);
            }
        };
        // Whoever joined before the body left gets the value whatever becomes of the fill: it is as
        // current for them as for this caller.
        if let Some(leader) = &self.leader {
            leader.deliver(&FlightResult::Value(plain.clone()), self.departed);
        }
        let tags = self.cache.client.tag_keys(&self.tags);
        // On a cluster tags are in other slots than the value, so that no script can compare them.
        let (compared, apart) = if self.cache.client.cluster {
            (&[][..], &tags[..])
        } else {
            (&tags[..], &[][..])
        };
        let is_compared = self.policy.guard && apart.is_empty();
        let fill = if self.policy.guard {
            let before = self.watched(observed.sha1()).await;
            // The last thing before it leaves: it must arrive while the guard lives that the read saw, also where
            // this process stood still meanwhile.
            let settings = &self.cache.client.settings;
            if settings.clock.age(self.read_at) > settings.guard_life / 2 {
                self.counters.too_slow.add(1);
                tracing::warn!(
                    prefix = self.key.prefix(),
                    "a load took too long to be cached safely"
                );
                return self.keep(plain);
            }
            guard::fill(
                &self.full,
                compared,
                &observed,
                before,
                stored,
                life.clone(),
            )
        } else {
            guard::set_unguarded(&self.full, stored, life.clone())
        };
        let filled = self.departs(Leader::fill_departs);
        let mut commands = vec![fill];
        commands.extend(Client::lengthened(apart, &life));
        self.counters.commands.add(commands.len() as u64);
        let within = self.budget.max(Duration::from_millis(1));
        let mut replies = self
            .watched(self.cache.client.send(commands, within))
            .await
            .into_iter();
        match replies
            .next()
            .unwrap_or_else(|| Err(reply::no_reply()))
            .and_then(|reply| {
                if self.policy.guard {
                    reply::int(&reply)
                } else {
                    Ok(1)
                }
            }) {
            Ok(1) => {
                self.cache.client.outages.succeeded(Step::Fill);
                self.counters.stores.add(1);
                // The script compared the guard and all tags, so the value was current when the fill left.
                if is_compared {
                    self.departed = filled;
                }
                self.share(FlightResult::Value(plain));
            }
            Ok(_) => {
                self.counters.refused.add(1);
                self.restart();
            }
            Err(error) => {
                self.report(Step::Fill, &error);
                self.keep(plain);
            }
        }
    }
}
