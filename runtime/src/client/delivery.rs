//! Invalidations on their way, and writes that are given up: at once, or in the background until the server has
//! taken them.

use super::Client;
use super::guard;
use super::outage::Step;
use super::owed::{Added, NextWalk, Owed, Ticket};
use super::tags;
use super::write::Unanswered;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key, KeyKind, Tag};
use crate::random;
use crate::reply;
use crate::runtime::{self, BoxFutureOf};
use crate::settings::Settings;
use crate::store::command::{Command, Reply};
use std::sync::Arc;
use std::time::Duration;

/// The most invalidations that are delivered in one request from the background.
pub(super) const MOST_AT_ONCE: usize = 200;

/// The pause between two tries to deliver: this long at first, then longer each time. The longest is shorter than
/// the silence after which another task takes over.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Something to invalidate.
#[derive(Clone, Debug)]
pub(crate) enum Invalidated {
    /// A value with a guard.
    Key { key: Key, is_near: bool },
    /// A value of a function with `guard = false`.
    Unguarded { key: Key, is_near: bool },
    /// Every value that was stored under a tag. `is_near`, here too: processes keep such values, so they are told.
    Tag { tag: Tag, is_near: bool },
}

impl Invalidated {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Self::Key { key, .. } | Self::Unguarded { key, .. } => key,
            Self::Tag { tag, .. } => tag.key(),
        }
    }

    /// Why it cannot be invalidated, if so.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Key { key, .. } | Self::Unguarded { key, .. } => key.check(),
            Self::Tag { tag, .. } => tag.check(),
        }
    }
}

impl From<Key> for Invalidated {
    fn from(key: Key) -> Self {
        Self::Key {
            key,
            is_near: false,
        }
    }
}

impl From<Tag> for Invalidated {
    fn from(tag: Tag) -> Self {
        Self::Tag {
            tag,
            is_near: false,
        }
    }
}

/// Whether the family has moved.
pub(super) fn moved(reply: Option<Result<Reply, Error>>) -> Result<(), Error> {
    let reply = reply.unwrap_or_else(|| Err(reply::no_reply()));
    reply.and_then(|reply| reply::done(&reply))
}

/// How many commands the first try takes.
fn first_commands(kind: KeyKind) -> usize {
    match kind {
        KeyKind::Guarded => 2,
        KeyKind::Unguarded | KeyKind::Tag | KeyKind::TagOfValue => 1,
    }
}

impl Client {
    /// Invalidates keys in one request; how many were there. What cannot be delivered now is
    /// delivered in the background, and then the error says why.
    pub(crate) fn invalidate_all(
        self: &Arc<Self>,
        targets: impl IntoIterator<Item = impl Into<Invalidated>>,
    ) -> BoxFutureOf<'_, Result<i64, Error>> {
        Box::pin(self.invalidate_these(targets.into_iter().map(Into::into).collect()))
    }

    async fn invalidate_these(self: &Arc<Self>, targets: Vec<Invalidated>) -> Result<i64, Error> {
        let mut fulls = Vec::new();
        let mut unusable = None;
        // Of the first key, for the log.
        let mut prefix = None;
        for target in targets {
            let key = target.key();
            let counters = self.registry.counters(key.prefix());
            if let Err(error) = target.check() {
                tracing::warn!(prefix = key.prefix(), %error, "nothing to invalidate");
                counters.errors.add(1);
                unusable.get_or_insert(error);
                continue;
            }
            prefix.get_or_insert_with(|| key.prefix().to_owned());
            counters.invalidations.add(1);
            let full = self.target_key(&target);
            counters.commands.add(first_commands(full.kind) as u64);
            fulls.push(full);
        }
        if let Some(prefix) = &prefix
            && fulls.iter().any(FullKey::moves_family)
        {
            self.registry.counters(prefix).commands.add(1);
        }
        // Who comes from now on starts a load of its own; `deliver` sees to those who come before
        // the answer.
        for key in &fulls {
            self.changed(key);
        }
        if let Err(error) = &self.store {
            return Err(error.clone());
        }
        let writer = self.writes.next();
        let mut unanswered = Unanswered::new(self, &writer, fulls, true);
        let start = runtime::now();
        let Settings {
            retries: mut pauses,
            backoff: mut pause,
            ..
        } = self.settings;
        let (mut removed, mut is_first) = (0, true);
        loop {
            let left = self.settings.budget.saturating_sub(start.elapsed());
            let owed = unanswered.owed.clone();
            let (count, undelivered, error) = self.deliver(owed, is_first, left).await;
            removed += count;
            unanswered.owed = undelivered;
            is_first = false;
            let left = self.settings.budget.saturating_sub(start.elapsed());
            match error {
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
                    let prefix = prefix.as_deref().unwrap_or_default();
                    self.outages.failed(Step::Invalidation, prefix, &error);
                    return Err(error);
                }
                None => return unusable.map_or(Ok(removed), Err),
            }
        }
    }

    fn target_key(&self, target: &Invalidated) -> FullKey {
        match target {
            Invalidated::Key { key, is_near } => self.full(key).near(*is_near),
            Invalidated::Unguarded { key, is_near } => self.full(key).unguarded().near(*is_near),
            Invalidated::Tag { tag, is_near } => self.tag_key(tag).near(*is_near),
        }
    }

    /// Invalidates in the background.
    pub(crate) fn invalidate_later(self: &Arc<Self>, target: &Invalidated) {
        let writer = self.writes.next();
        let key = self.target_key(target);
        drop(Unanswered::new(self, &writer, [key], true));
    }

    /// Remembers what is owed and delivers it in the background.
    pub(super) fn owe(self: &Arc<Self>, owed: impl IntoIterator<Item = Owed>) {
        if self.store.is_err() {
            return;
        }
        for owed in owed {
            if owed.removes {
                self.changed(&owed.key);
            }
            let now = self.settings.clock.monotonic();
            if self.pending.add(owed, now) == Added::FirstPrefix {
                tracing::error!(
                    "the keys of undelivered invalidations take too much memory; prefixes wait instead, and the keys \
                     under them are scanned when the server is back"
                );
            }
        }
        self.deliver_in_background();
    }

    /// The command that delivers what is owed.
    pub(super) fn given_up(&self, owed: &Owed) -> Command {
        if owed.key.is_tag() {
            return tags::invalidation(&owed.key, self.settings.guard_life);
        }
        let writer = self.writes.numbered(owed.number);
        guard::give_up(&writer, &owed.key, owed.removes, self.settings.guard_life)
    }

    /// Sends what is owed: how many values were there, what was not delivered, and why. The first time an
    /// invalidation is two plain commands: what arrives late of them costs a miss.
    pub(super) fn deliver(
        &self,
        owed: Vec<Owed>,
        is_first: bool,
        within: Duration,
    ) -> BoxFutureOf<'_, (i64, Vec<Owed>, Option<Error>)> {
        // In a box it is compiled once, and not again in each crate that reaches it.
        Box::pin(self.deliver_now(owed, is_first, within))
    }

    async fn deliver_now(
        &self,
        owed: Vec<Owed>,
        is_first: bool,
        within: Duration,
    ) -> (i64, Vec<Owed>, Option<Error>) {
        let life = self.settings.guard_life;
        let tickets: Vec<Option<Ticket>> = owed
            .iter()
            .map(|owed| self.pending.ticket(&owed.key))
            .collect();
        let mut commands = Vec::with_capacity(owed.len() * 2 + 1);
        let moves_family = owed.iter().any(|owed| owed.key.moves_family());
        let mut family = None;
        if moves_family && self.cluster {
            // It is in another slot than they, and what leaves together may arrive in any order.
            let sent = self.send(vec![self.family_moves()], within).await;
            family = moved(sent.into_iter().next()).err();
        } else if moves_family {
            commands.push(self.family_moves());
        }
        for (owed, ticket) in owed.iter().zip(&tickets) {
            match ticket {
                None if is_first => match owed.key.kind {
                    KeyKind::Guarded => commands.extend(guard::invalidation(&owed.key, life)),
                    KeyKind::Unguarded => commands.push(guard::remove_unguarded(&owed.key)),
                    KeyKind::Tag | KeyKind::TagOfValue => {
                        commands.push(tags::invalidation(&owed.key, life));
                    }
                },
                None => commands.push(self.given_up(owed)),
                // What waits for the key goes with it.
                Some(ticket) => commands.push(self.given_up(&owed.with(&ticket.owed))),
            }
        }
        let tell = self.telling(&mut owed.iter().map(|owed| &owed.key));
        let (replies, told) = self.send_and_tell(commands, tell, within).await;
        let mut replies = replies.into_iter();
        let mut next = || replies.next().unwrap_or_else(|| Err(reply::no_reply()));
        if moves_family && !self.cluster {
            family = moved(Some(next())).err();
        }
        let (mut removed, mut left, mut first) = (0, Vec::new(), None);
        for (owed, ticket) in owed.into_iter().zip(tickets) {
            let mut guard = Ok(());
            if is_first && ticket.is_none() && first_commands(owed.key.kind) == 2 {
                guard = next().and_then(|reply| reply::done(&reply));
            }
            let mut count = next().and_then(|reply| owed.delivered(&reply));
            if let Some(error) = &family
                && owed.key.moves_family()
            {
                count = Err(error.clone());
            }
            if let Err(error) = &told
                && self.is_told(&owed.key)
            {
                count = Err(error.clone());
            }
            match guard.and(count) {
                Ok(count) => {
                    self.outages.succeeded(Step::Invalidation);
                    removed += count;
                    if owed.removes {
                        self.changed(&owed.key);
                    }
                    if let Some(ticket) = ticket {
                        self.pending.delivered(&ticket);
                    }
                }
                Err(error) => {
                    if is_hopeless(&error) {
                        tracing::error!(%error, "an invalidation can never be delivered");
                        if let Some(ticket) = ticket {
                            self.pending.delivered(&ticket);
                        }
                    } else {
                        left.push(owed);
                    }
                    first.get_or_insert(error);
                }
            }
        }
        (removed, left, first)
    }

    /// Starts delivering what waits, unless somebody does.
    pub(crate) fn deliver_in_background(self: &Arc<Self>) {
        if self.pending.len() == 0 || !runtime::in_runtime() || !self.has_work() {
            return;
        }
        let Some(mut delivery_task) = self.pending.delivery_task() else {
            return;
        };
        let client = Arc::clone(self);
        runtime::spawn(async move {
            let mut pause = SHORTEST_PAUSE;
            while delivery_task.is_active() {
                match client.deliver_some().await {
                    Ok(Delivered::Some) => pause = SHORTEST_PAUSE,
                    Ok(Delivered::Nothing) => break,
                    Ok(Delivered::Wait(left)) => runtime::sleep(left.min(LONGEST_PAUSE)).await,
                    Err(error) => {
                        tracing::debug!(%error, "invalidations still wait to be delivered");
                        runtime::sleep(random::jitter(pause)).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
            drop(delivery_task);
            // Who added a key since the last look saw a delivery task, and started none.
            client.deliver_in_background();
        });
    }

    /// Whether anything waits that can be delivered, now or later.
    fn has_work(&self) -> bool {
        self.pending.len() > self.pending.prefixes() || !matches!(self.next_walk(), NextWalk::None)
    }

    /// Delivers some of what is owed: keys, then prefixes.
    async fn deliver_some(&self) -> Result<Delivered, Error> {
        let waiting = self.pending.some(MOST_AT_ONCE);
        if !waiting.is_empty() {
            let owed = waiting.into_iter().map(|ticket| ticket.owed).collect();
            let (_, _, error) = self.deliver(owed, false, self.settings.budget).await;
            return error.map_or(Ok(Delivered::Some), Err);
        }
        match self.next_walk() {
            NextWalk::Now(walk) => {
                self.walk(&walk).await?;
                Ok(Delivered::Some)
            }
            NextWalk::After(left) => Ok(Delivered::Wait(left)),
            NextWalk::None => Ok(Delivered::Nothing),
        }
    }

    /// Delivers what is owed, as far as it can be by now.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        while let Delivered::Some = self.deliver_some().await? {}
        Ok(())
    }
}

/// What [`Client::deliver_some`] did.
enum Delivered {
    Some,
    Nothing,
    /// What is left has time.
    Wait(Duration),
}

/// Whether trying again cannot help: the key itself is refused.
fn is_hopeless(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidKey | ErrorKind::InvalidValue | ErrorKind::TooLarge
    )
}
