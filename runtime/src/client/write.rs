//! Writes under numbers of their own, so that one whose answer never came can be given up.

use super::Client;
use super::guard::{self, Change};
use super::owed::{Owed, Ticket};
use super::writer::Writer;
use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::reply;
use crate::runtime;
use crate::stats::Counters;
use crate::store::command::Reply;
use bytes::Bytes;
use std::sync::Arc;

/// What was sent and has no answer yet. Dropped before there is one, which also happens when the caller goes
/// away, it is owed: given up before anything else happens to its keys.
pub(crate) struct Unanswered<'a> {
    client: &'a Arc<Client>,
    pub(super) owed: Vec<Owed>,
}

impl<'a> Unanswered<'a> {
    pub(crate) fn new(
        client: &'a Arc<Client>,
        writer: &Writer,
        keys: impl IntoIterator<Item = FullKey>,
        removes: bool,
    ) -> Self {
        let owed = keys.into_iter().map(|key| Owed {
            key,
            number: writer.number,
            removes,
        });
        Self {
            client,
            owed: owed.collect(),
        }
    }

    /// It is known what became of it.
    pub(crate) fn answered(mut self) {
        self.owed.clear();
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.owed.is_empty() {
            self.client.owe(std::mem::take(&mut self.owed));
        }
    }
}

impl Client {
    /// Stores values of the cache whatever is there. Where no answer comes, neither they nor what they replace
    /// may stay. On a cluster the keys are in several slots, and each goes alone.
    ///
    /// # Errors
    /// Of the first that was not stored.
    pub(crate) async fn put(
        self: &Arc<Self>,
        entries: Vec<(FullKey, Bytes)>,
        life: &Bytes,
        counters: &Counters,
    ) -> Result<(), Error> {
        let start = runtime::now();
        let alone = if self.cluster {
            1
        } else {
            entries.len().max(1)
        };
        let mut groups: Vec<Vec<(FullKey, Bytes)>> =
            entries.chunks(alone).map(<[_]>::to_vec).collect();
        let mut failed = None;
        // A write that was sent while an older one of this process was given up may be refused: again, under
        // a later number.
        while !groups.is_empty() {
            let tickets: Vec<Vec<Option<Ticket>>> = groups
                .iter()
                .map(|group| {
                    group
                        .iter()
                        .map(|(key, _)| self.pending.ticket(key))
                        .collect()
                })
                .collect();
            let writer = self.writes.next();
            let commands: Vec<_> = groups
                .iter()
                .zip(&tickets)
                .map(|(group, tickets)| {
                    let entries = group.iter().zip(tickets).map(|((key, value), ticket)| {
                        let number = ticket.as_ref().map(|ticket| ticket.owed.number);
                        (key.clone(), value.clone(), number)
                    });
                    let guard_life = self.settings.guard_life;
                    guard::put(&writer, entries.collect(), life.clone(), guard_life)
                })
                .collect();
            let keys = groups.iter().flatten().map(|(key, _)| key.clone());
            let unanswered = Unanswered::new(self, &writer, keys, true);
            counters.commands.add(commands.len() as u64);
            let left = self.settings.budget.saturating_sub(start.elapsed());
            let tell = self.telling(&mut groups.iter().flatten().map(|(key, _)| key));
            let (replies, told) = self.send_and_tell(commands, tell, left).await;
            let mut replies = replies.into_iter();
            // Of a value that others were not told of, they may believe the older one.
            let mut is_unknown = told.is_err();
            failed = failed.or(told.err());
            let mut refused = Vec::new();
            for (group, tickets) in std::mem::take(&mut groups).into_iter().zip(tickets) {
                let reply = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
                let stored = |reply| reply::int(&reply).map_err(|error| reply::unread(&error));
                match reply.and_then(stored) {
                    Ok(0) => refused.push(group),
                    Ok(_) => {
                        for ticket in tickets.iter().flatten() {
                            self.pending.delivered(ticket);
                        }
                    }
                    Err(error) => {
                        is_unknown |= error.may_have_run();
                        failed.get_or_insert(error);
                    }
                }
            }
            // Of values that belong together, some may be there: none may stay, nor what they replace.
            if !is_unknown {
                unanswered.answered();
            }
            groups = refused;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Runs a command that changes something else than a value of the cache: a hash, a counter, a session, a
    /// lifetime. Where no answer comes, it has run or never will before anything else happens to the key;
    /// `removes` says that then the key must go.
    pub(crate) async fn change(
        self: &Arc<Self>,
        key: &Key,
        full: &FullKey,
        change: Change,
        removes: bool,
    ) -> Result<Reply, Error> {
        key.check()?;
        let counters = self.registry.counters(key.prefix());
        let start = runtime::now();
        let result = loop {
            // What goes in front may fail alone, and then nobody knows of this one.
            let is_behind = self.pending.ticket(full).is_some();
            let writer = self.writes.next();
            let unanswered = Unanswered::new(self, &writer, [full.clone()], removes);
            let command = guard::change(&writer, full, change.clone());
            let left = self.settings.budget.saturating_sub(start.elapsed());
            let result = self.settled(full, &counters, command, left).await;
            if matches!(&result, Err(error) if is_behind || error.may_have_run()) {
                drop(unanswered);
            } else {
                unanswered.answered();
            }
            match result.map(Reply::into_items) {
                Ok(Some(mut items)) => {
                    // Empty if it was given up with an older one while it was on its way: again, under a
                    // later number.
                    if let Some(reply) = items.pop() {
                        break Ok(reply);
                    }
                }
                Ok(None) => break Err(reply::unread(&reply::no_reply())),
                Err(error) => break Err(error),
            }
        };
        if result.is_err() {
            counters.errors.add(1);
        }
        result
    }
}
