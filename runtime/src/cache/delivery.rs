//! Invalidations on their way: at once, or in the background until the server has taken them.

use super::state::Cache;
use crate::client::guard;
use crate::client::owed::Ticket;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::random;
use crate::reply;
use crate::runtime;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;

/// The most invalidations that are delivered in one request from the background.
const MOST_AT_ONCE: usize = 200;

impl Cache {
    /// Invalidates keys in one request; how many were there. What cannot be delivered now is
    /// delivered in the background, and then the error says why.
    pub(crate) async fn invalidate_all(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = Key>,
    ) -> Result<i64, Error> {
        let mut fulls = Vec::new();
        let mut unusable = None;
        for key in keys {
            let counters = self.client.registry.counters(key.prefix());
            if let Err(error) = key.check() {
                tracing::warn!(prefix = key.prefix(), %error, "nothing to invalidate");
                counters.errors.add(1);
                unusable.get_or_insert(error);
                continue;
            }
            counters.invalidations.add(1);
            counters.commands.add(2);
            fulls.push(self.client.full(&key));
        }
        if let Err(error) = &self.client.store {
            return Err(error.clone());
        }
        // Who comes from now on starts a load of its own; `deliver` sees to those who come before
        // the answer.
        for key in &fulls {
            self.flights.detach(&key.text());
        }
        let mut owed = Owed {
            cache: self,
            keys: fulls,
        };
        let start = tokio::time::Instant::now();
        let Settings {
            retries: mut pauses,
            backoff: mut pause,
            ..
        } = self.client.settings;
        let mut removed = 0;
        loop {
            let left = self.client.settings.budget.saturating_sub(start.elapsed());
            let (count, undelivered, error) = self.deliver(owed.keys.clone(), left).await;
            removed += count;
            owed.keys = undelivered;
            let left = self.client.settings.budget.saturating_sub(start.elapsed());
            match error {
                // It may have arrived, and then others may have moved the guard since: again, with a
                // new word.
                Some(error)
                    if error.kind() == ErrorKind::OutcomeUnknown
                        && pauses > 0
                        && !left.is_zero() =>
                {
                    runtime::sleep(random::jitter(pause).min(left)).await;
                    pause = pause.saturating_mul(2);
                    pauses -= 1;
                }
                Some(error) => {
                    tracing::warn!(%error, "an invalidation is delivered later");
                    return Err(error);
                }
                None => return unusable.map_or(Ok(removed), Err),
            }
        }
    }

    /// Remembers invalidations and delivers them in the background.
    pub(crate) fn owe(self: &Arc<Self>, keys: impl IntoIterator<Item = FullKey>) {
        if self.client.store.is_err() {
            return;
        }
        for key in keys {
            self.flights.detach(&key.text());
            if !self.client.pending.add(key) {
                tracing::error!("too many invalidations wait to be delivered; one was dropped");
            }
        }
        self.deliver_in_background();
    }

    /// Sends invalidations: how many values were there, what was not delivered, and why.
    async fn deliver(
        &self,
        keys: Vec<FullKey>,
        within: Duration,
    ) -> (i64, Vec<FullKey>, Option<Error>) {
        let life = self.client.settings.guard_life;
        let tickets: Vec<Option<Ticket>> = keys
            .iter()
            .map(|key| self.client.pending.ticket(key))
            .collect();
        let commands = keys
            .iter()
            .flat_map(|key| guard::invalidation(key, life))
            .collect();
        let mut replies = self.client.send(commands, within).await.into_iter();
        let (mut removed, mut left, mut first) = (0, Vec::new(), None);
        for (key, ticket) in keys.into_iter().zip(tickets) {
            let moved = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
            let deleted = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
            match moved.and(deleted).and_then(|reply| reply::int(&reply)) {
                Ok(count) => {
                    removed += count;
                    self.flights.detach(&key.text());
                    if let Some(ticket) = ticket {
                        self.client.pending.delivered(&ticket);
                    }
                }
                Err(error) => {
                    if is_hopeless(&error) {
                        tracing::error!(%error, "an invalidation can never be delivered");
                        if let Some(ticket) = ticket {
                            self.client.pending.delivered(&ticket);
                        }
                    } else {
                        left.push(key);
                    }
                    first.get_or_insert(error);
                }
            }
        }
        (removed, left, first)
    }

    /// Starts delivering what waits, unless somebody does.
    pub(crate) fn deliver_in_background(self: &Arc<Self>) {
        if self.client.pending.len() == 0 || !runtime::in_runtime() {
            return;
        }
        let Some(mut delivery_task) = self.client.pending.delivery_task() else {
            return;
        };
        let cache = Arc::clone(self);
        runtime::spawn(async move {
            let mut pause = Duration::from_millis(50);
            loop {
                let keys = cache.client.pending.some(MOST_AT_ONCE);
                if keys.is_empty() || !delivery_task.is_active() {
                    break;
                }
                if let (_, _, Some(error)) = cache.deliver(keys, cache.client.settings.budget).await
                {
                    tracing::debug!(%error, "invalidations still wait to be delivered");
                    runtime::sleep(random::jitter(pause)).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                } else {
                    pause = Duration::from_millis(50);
                }
            }
            drop(delivery_task);
            // Who added a key since the last look saw a delivery task, and started none.
            cache.deliver_in_background();
        });
    }

    /// Delivers the invalidations that wait.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        loop {
            let keys = self.client.pending.some(MOST_AT_ONCE);
            if keys.is_empty() {
                return Ok(());
            }
            let budget = self.client.settings.budget;
            if let (_, _, Some(error)) = self.deliver(keys, budget).await {
                return Err(error);
            }
        }
    }
}

/// Whether trying again cannot help: the key itself is refused.
fn is_hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidKey | ErrorKind::InvalidValue | ErrorKind::TooLarge
    )
}

/// Invalidations that are under way; what is left when it is dropped is delivered in the
/// background.
struct Owed<'a> {
    cache: &'a Arc<Cache>,
    keys: Vec<FullKey>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.cache.owe(std::mem::take(&mut self.keys));
        }
    }
}
