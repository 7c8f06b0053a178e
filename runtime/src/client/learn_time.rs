//! Asks for the server's time.

use super::Client;
use super::server_time::TimeRange;
use crate::reply;
use crate::runtime;
use crate::stats::Counters;
use crate::store::command::{Command, Effect, Reply};
use bytes::Bytes;
use std::time::Duration;

impl Client {
    /// The server's time, as far as it is known; else the own.
    pub(crate) fn time(&self) -> TimeRange {
        let now = self.settings.clock.now();
        if self.is_embedded() {
            self.server_time.of_this_process(now)
        } else {
            self.server_time.of_server(now)
        }
    }

    /// Asks for the server's time, if what is known of it is too old.
    pub(crate) async fn learn_time(&self, counters: &Counters, within: Duration) {
        let clock = &self.settings.clock;
        let sent = clock.now();
        if self.is_embedded() || within.is_zero() || !self.server_time.is_due(sent) {
            return;
        }
        counters.commands.add(1);
        let ask = Command::new(Effect::Read, [Bytes::from_static(b"TIME")]);
        // Nearly always the time is known, and every read would have room for this.
        let replies = Box::pin(self.send(vec![ask], within)).await;
        let reply = replies.into_iter().next().and_then(Result::ok);
        let server = reply.and_then(milliseconds);
        self.server_time.learn(server, sent, clock.now());
    }

    /// [`Self::learn_time`], where the time that it takes comes off a budget.
    pub(crate) async fn learn_time_from(&self, counters: &Counters, budget: &mut Duration) {
        let started = runtime::now();
        self.learn_time(counters, *budget).await;
        *budget = budget.saturating_sub(started.elapsed());
    }
}

/// The reply to `TIME`: seconds, and the microseconds of that second.
fn milliseconds(reply: Reply) -> Option<u64> {
    let mut parts = reply.into_items()?.into_iter();
    let mut next = || -> Option<u64> {
        let text = reply::bulk(parts.next()?).ok()??;
        std::str::from_utf8(&text).ok()?.parse().ok()
    };
    let (seconds, micros) = (next()?, next()?);
    Some(seconds.saturating_mul(1_000).saturating_add(micros / 1_000))
}
