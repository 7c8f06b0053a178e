//! Invalidations on their way: at once, or in the background until the server has taken them.

use super::guard;
use super::invalidation::Ticket;
use crate::config::Settings;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::pond::Millpond;
use crate::random;
use crate::reply;
use crate::runtime;
use std::time::Duration;

/// The most invalidations that are delivered in one request from the background.
const MOST_AT_ONCE: usize = 200;

impl Millpond {
    /// Invalidates keys in one request; how many were there. What cannot be delivered now is
    /// delivered in the background, and then the error says why.
    pub(crate) async fn invalidate_all(
        &self,
        keys: impl IntoIterator<Item = Key>,
    ) -> Result<i64, Error> {
        let mut fulls = Vec::new();
        let mut unusable = None;
        for key in keys {
            let counters = self.0.registry.counters(key.prefix());
            if let Err(error) = key.check() {
                tracing::warn!(prefix = key.prefix(), %error, "nothing to invalidate");
                counters.errors.add(1);
                unusable.get_or_insert(error);
                continue;
            }
            counters.invalidations.add(1);
            counters.commands.add(2);
            fulls.push(self.full(&key));
        }
        if let Err(error) = &self.0.store {
            return Err(error.clone());
        }
        // Who comes from now on starts a load of its own; `deliver` sees to those who come before
        // the answer.
        for key in &fulls {
            self.0.flights.detach(&key.text());
        }
        let mut owed = Owed {
            pond: self,
            keys: fulls,
        };
        let start = tokio::time::Instant::now();
        let Settings {
            retries: mut pauses,
            backoff: mut pause,
            ..
        } = self.0.settings;
        let mut removed = 0;
        loop {
            let left = self.0.settings.budget.saturating_sub(start.elapsed());
            let (count, undelivered, error) = self.deliver(owed.keys.clone(), left).await;
            removed += count;
            owed.keys = undelivered;
            let left = self.0.settings.budget.saturating_sub(start.elapsed());
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
    pub(crate) fn owe(&self, keys: impl IntoIterator<Item = FullKey>) {
        if self.0.store.is_err() {
            return;
        }
        for key in keys {
            self.0.flights.detach(&key.text());
            if !self.0.pending.add(key) {
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
        let life = self.0.settings.guard_life;
        let tickets: Vec<Option<Ticket>> =
            keys.iter().map(|key| self.0.pending.ticket(key)).collect();
        let commands = keys
            .iter()
            .flat_map(|key| guard::invalidation(key, life))
            .collect();
        let mut replies = self.send(commands, within).await.into_iter();
        let (mut removed, mut left, mut first) = (0, Vec::new(), None);
        for (key, ticket) in keys.into_iter().zip(tickets) {
            let moved = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
            let deleted = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
            match moved.and(deleted).and_then(|reply| reply::int(&reply)) {
                Ok(count) => {
                    removed += count;
                    self.0.flights.detach(&key.text());
                    if let Some(ticket) = ticket {
                        self.0.pending.delivered(&ticket);
                    }
                }
                Err(error) => {
                    if is_hopeless(&error) {
                        tracing::error!(%error, "an invalidation can never be delivered");
                        if let Some(ticket) = ticket {
                            self.0.pending.delivered(&ticket);
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
    pub(crate) fn deliver_in_background(&self) {
        if self.0.pending.len() == 0 || !runtime::in_runtime() {
            return;
        }
        let Some(mut delivery_task) = self.0.pending.delivery_task() else {
            return;
        };
        let pond = self.clone();
        runtime::spawn(async move {
            let mut pause = Duration::from_millis(50);
            loop {
                let keys = pond.0.pending.some(MOST_AT_ONCE);
                if keys.is_empty() || !delivery_task.is_active() {
                    break;
                }
                if let (_, _, Some(error)) = pond.deliver(keys, pond.0.settings.budget).await {
                    tracing::debug!(%error, "invalidations still wait");
                    runtime::sleep(random::jitter(pause)).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                } else {
                    pause = Duration::from_millis(50);
                }
            }
            drop(delivery_task);
            // Who added a key since the last look saw a delivery task, and started none.
            pond.deliver_in_background();
        });
    }

    /// Delivers what waits to be delivered, invalidations, locks whose guards went away and the analytics
    /// of limits: call it at shutdown, or before a serverless runtime freezes the process.
    ///
    /// # Errors
    /// Why something could not be delivered; it still waits, except analytics that may have arrived.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// millpond::Millpond::memory().flush().await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn flush(&self) -> Result<(), Error> {
        self.0.queues.released(self.0.settings.budget).await;
        loop {
            let keys = self.0.pending.some(MOST_AT_ONCE);
            if keys.is_empty() {
                return self.flush_events().await;
            }
            if let (_, _, Some(error)) = self.deliver(keys, self.0.settings.budget).await {
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
    pond: &'a Millpond,
    keys: Vec<FullKey>,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if !self.keys.is_empty() {
            self.pond.owe(std::mem::take(&mut self.keys));
        }
    }
}
