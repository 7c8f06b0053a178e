//! Invalidations on their way: at once, or in the background until the server has taken them.

use super::guard;
use super::invalidation::Ticket;
use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::pond::{self, Millpond};
use crate::rt;
use std::time::Duration;

/// The most invalidations that are delivered in one request from the background.
const COURIER_LOAD: usize = 200;

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
            let tally = self.0.ledger.tally(key.prefix());
            if let Err(error) = key.check() {
                tracing::warn!(prefix = key.prefix(), %error, "nothing to invalidate");
                tally.errors.add(1);
                unusable.get_or_insert(error);
                continue;
            }
            tally.invalidations.add(1);
            tally.commands.add(2);
            fulls.push(self.full(&key));
        }
        if let Err(error) = &self.0.store {
            return Err(error.clone());
        }
        // Who comes from now on starts a load of its own; `deliver` sees to those who come before
        // the answer.
        for key in &fulls {
            self.0.flights.detach(&pond::text(key));
        }
        let mut owed = Owed {
            pond: self,
            keys: fulls,
        };
        let (removed, left, error) = self.deliver(owed.keys.clone()).await;
        owed.keys = left;
        if let Some(error) = &error {
            tracing::warn!(%error, "an invalidation is delivered later");
        }
        error.or(unusable).map_or(Ok(removed), Err)
    }

    /// Remembers invalidations and delivers them in the background.
    pub(crate) fn owe(&self, keys: impl IntoIterator<Item = FullKey>) {
        if self.0.store.is_err() {
            return;
        }
        for key in keys {
            self.0.flights.detach(&pond::text(&key));
            if !self.0.pending.add(key) {
                tracing::error!("too many invalidations wait to be delivered; one was dropped");
            }
        }
        self.deliver_in_background();
    }

    /// Sends invalidations: how many values were there, what was not delivered, and why.
    async fn deliver(&self, keys: Vec<FullKey>) -> (i64, Vec<FullKey>, Option<Error>) {
        let life = self.0.settings.guard_life;
        let tickets: Vec<Option<Ticket>> =
            keys.iter().map(|key| self.0.pending.ticket(key)).collect();
        let commands = keys
            .iter()
            .flat_map(|key| guard::invalidation(key, life))
            .collect();
        let mut replies = self
            .send(commands, self.0.settings.budget)
            .await
            .into_iter();
        let (mut removed, mut left, mut first) = (0, Vec::new(), None);
        for (key, ticket) in keys.into_iter().zip(tickets) {
            let moved = replies.next().unwrap_or_else(|| Err(pond::no_reply()));
            let deleted = replies.next().unwrap_or_else(|| Err(pond::no_reply()));
            match moved.and(deleted).and_then(|reply| pond::int(&reply)) {
                Ok(count) => {
                    removed += count;
                    self.0.flights.detach(&pond::text(&key));
                    if let Some(ticket) = ticket {
                        self.0.pending.delivered(&ticket);
                    }
                }
                Err(error) => {
                    left.push(key);
                    first.get_or_insert(error);
                }
            }
        }
        (removed, left, first)
    }

    /// Starts delivering what waits, unless somebody does.
    pub(crate) fn deliver_in_background(&self) {
        if self.0.pending.len() == 0 || !rt::in_runtime() {
            return;
        }
        let Some(courier) = self.0.pending.courier() else {
            return;
        };
        let pond = self.clone();
        rt::spawn(async move {
            let mut pause = Duration::from_millis(50);
            loop {
                let keys: Vec<FullKey> = pond
                    .0
                    .pending
                    .some(COURIER_LOAD)
                    .into_iter()
                    .map(|(key, _)| key)
                    .collect();
                if keys.is_empty() {
                    break;
                }
                if let (_, _, Some(error)) = pond.deliver(keys).await {
                    tracing::debug!(%error, "invalidations still wait");
                    rt::sleep(rt::jitter(pause)).await;
                    pause = (pause * 2).min(Duration::from_secs(5));
                } else {
                    pause = Duration::from_millis(50);
                }
            }
            drop(courier);
            // Who added a key since the last look saw a courier, and started none.
            pond.deliver_in_background();
        });
    }

    /// Delivers what waits to be delivered, invalidations and the analytics of limits: call it at
    /// shutdown, or before a serverless runtime freezes the process.
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
        loop {
            let keys: Vec<FullKey> = self
                .0
                .pending
                .some(COURIER_LOAD)
                .into_iter()
                .map(|(key, _)| key)
                .collect();
            if keys.is_empty() {
                return self.flush_events().await;
            }
            if let (_, _, Some(error)) = self.deliver(keys).await {
                return Err(error);
            }
        }
    }
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
