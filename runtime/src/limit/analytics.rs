//! Sends the sums of what was allowed and refused to where `@upstash/ratelimit` and the Upstash console look.
//!
//! A check adds to the sums, a second later they leave together, or at [`Millpond::flush`](crate::Millpond::flush).

use super::names::{hashed, shorten};
use super::pair::Pair;
use super::state::Limits;
use super::sums::{Sums, batches};
use crate::client::outage::Step;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::sync;
use std::borrow::Cow;
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

/// So many sums leave at once: checks travel on the same way, and must not wait behind all of them.
const BATCH: usize = 256;

/// How long sums wait for more.
const PAUSE: Duration = Duration::from_secs(1);

impl Limits {
    /// Adds a check to the sums, and sees to it that they leave.
    pub(super) fn record_check(self: &Arc<Self>, pair: &Pair<'_>, allowed: bool) {
        let now = self.client.settings.clock.unix_ms();
        let id = if self.hash_names {
            Cow::Owned(hashed(&pair.id))
        } else {
            shorten(&pair.id)
        };
        let prefix = self
            .names
            .prefix_of(&pair.limit.overridden(&self.overrides));
        if !self.events().count(&prefix, &id, allowed, now) {
            self.counts.events_lost.add(1);
        }
        if let Some(turn) = self.flushing.begin(self.client.settings.clock.monotonic()) {
            let limits = Arc::downgrade(self);
            let flush = Flush { limits, turn };
            // Without a runtime the future is dropped, and the sums wait for a call that has one.
            runtime::spawn_unawaited(async move { flush.run().await });
        }
    }

    /// Sends the sums that wait, until a batch fails: those of later batches keep waiting.
    pub(crate) async fn flush_events(&self) -> Result<(), Error> {
        // Counted before, since checks add sums in the meantime.
        let batches = self.events().len().div_ceil(BATCH);
        for _ in 0..batches {
            self.flush_batch().await?;
        }
        Ok(())
    }

    async fn flush_batch(&self) -> Result<(), Error> {
        let sums = self.events().take(BATCH);
        if sums.is_empty() {
            return Ok(());
        }
        let (commands, sums): (Vec<_>, Vec<_>) = batches(sums).into_iter().unzip();
        let replies = self.client.send(commands, self.budget).await;
        let mut result = Ok(());
        for (sums, reply) in sums.into_iter().zip(replies) {
            let Err(error) = reply else { continue };
            // Only what has certainly not arrived may be sent again.
            let again = error.kind() == ErrorKind::Unavailable;
            for (event, sum) in sums {
                if !(again && self.events().add(event, sum)) {
                    self.counts.events_lost.add(sum);
                }
            }
            result = Err(error);
        }
        result
    }

    fn events(&self) -> MutexGuard<'_, Sums> {
        sync::lock(&self.events)
    }
}

/// The task that waits to send; whatever becomes of it, the next event can start another.
struct Flush {
    limits: Weak<Limits>,
    turn: u64,
}

impl Flush {
    async fn run(self) {
        runtime::sleep(PAUSE).await;
        let Some(limits) = self.limits.upgrade() else {
            return;
        };
        drop(self);
        let outages = &limits.client.outages;
        match limits.flush_events().await {
            Ok(()) => outages.succeeded(Step::Analytics),
            Err(error) => outages.failed(Step::Analytics, "", &error),
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(limits) = self.limits.upgrade() {
            limits.flushing.end(self.turn);
        }
    }
}
