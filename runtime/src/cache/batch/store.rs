//! What the body gave is stored: one script for all keys, or several where they are very many or very large.

use super::Batch;
use super::together::{Together, all};
use crate::cache::fill::Fill;
use crate::cache::flight::{Departure, Leader};
use crate::client::Client;
use crate::error::Error;
use crate::local::Value;
use crate::reply;
use crate::runtime::BoxFuture;
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// What one script stores at most: so many entries, and bytes, unless one alone is larger. Together with the words
/// around it this is under what a request may hold.
const MOST_ENTRIES: usize = 200;
const MOST_BYTES: usize = 512 * 1024;

/// What the body gave for one item.
pub(crate) struct Given {
    pub(crate) plain: Bytes,
    /// What this process keeps of it, if it does.
    pub(crate) kept: Option<Value>,
}

impl Batch {
    /// Stores what the body gave, by the places of the items; what is not given, nobody else can use.
    pub(crate) async fn store(self, given: Vec<Option<Given>>) -> Self {
        let span = self.span.clone();
        span.around(self.store_within(given)).await
    }

    async fn store_within(mut self, mut given: Vec<Option<Given>>) -> Self {
        self.alone.clear();
        let mut fills: Vec<BoxFuture<Option<Fill>>> = Vec::new();
        for (at, mut load) in mem::take(&mut self.loads) {
            match given.get_mut(at).and_then(Option::take) {
                Some(Given { plain, kept }) => {
                    if let Some(keeper) = load.keeper {
                        (keeper.will_keep)(&mut load, kept);
                    }
                    let keeps = self.unless.is_some_and(|unless| unless(&plain));
                    fills.push(Box::pin(load.fill(plain, keeps)));
                }
                None => load.not_stored(),
            }
        }
        let fills = all(fills).await.into_iter().flatten();
        let fills: Vec<Fill> = fills.filter_map(Fill::in_time).collect();
        let Some(first) = fills.first() else {
            return self;
        };
        let client = Arc::clone(&first.load.cache.client);
        let left: Vec<Departure> = fills
            .iter()
            .map(|fill| fill.load.departs(Leader::fill_departs))
            .collect();
        let groups = groups(&client, &fills);
        let mut commands: Vec<Command> = groups
            .iter()
            .map(|group| command(&fills[group.clone()]))
            .collect();
        commands.extend(fills.iter().flat_map(Fill::lengthened));
        first.load.counters.commands.add(commands.len() as u64);
        let within = self.budget.max(Duration::from_millis(1));
        let sent = client.send(commands, within);
        let loads = fills.iter().map(|fill| &fill.load);
        let mut replies = Together::new(loads, Box::pin(sent)).await.into_iter();
        let mut each: Vec<Result<Reply, Error>> = Vec::with_capacity(fills.len());
        for group in groups {
            let reply = replies.next().unwrap_or_else(|| Err(reply::no_reply()));
            each.extend(spread(
                reply,
                group.len(),
                is_plain(&client, &fills[group.start]),
            ));
        }
        for ((fill, left), reply) in fills.into_iter().zip(left).zip(each) {
            fill.settle(left, reply);
        }
        self
    }
}

/// Whether this one is stored by a command of its own.
fn is_plain(client: &Client, fill: &Fill) -> bool {
    client.cluster || !fill.load.policy.guard
}

fn groups(client: &Client, fills: &[Fill]) -> Vec<std::ops::Range<usize>> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, fill) in fills.iter().enumerate() {
        let is_full = at > start
            && (at - start >= MOST_ENTRIES
                || bytes + fill.stored.len() > MOST_BYTES
                || is_plain(client, &fills[start])
                || is_plain(client, fill));
        if is_full {
            groups.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += fill.stored.len();
    }
    groups.push(start..fills.len());
    groups
}

/// Stores one entry, or several at once.
fn command(fills: &[Fill]) -> Command {
    if let [only] = fills {
        return only.command();
    }
    let mut keys = Vec::new();
    let mut tags: Vec<Bytes> = Vec::new();
    let mut args = vec![Bytes::from(fills.len().to_string())];
    for fill in fills {
        keys.extend([fill.load.full.value.clone(), fill.load.full.guard.clone()]);
        let guard = fill.observed.guard.clone().unwrap_or_default();
        let before = fill.before.clone();
        args.extend([guard, before, fill.stored.clone(), fill.life.clone()]);
        args.push(fill.compared.len().to_string().into());
        for (tag, nonce) in fill.compared.iter().zip(&fill.observed.tags) {
            let place = tags.iter().position(|known| *known == tag.value);
            let place = place.unwrap_or_else(|| {
                tags.push(tag.value.clone());
                tags.len() - 1
            });
            // Places count from 1, as in Lua.
            args.push((place + 1).to_string().into());
            args.push(nonce.clone().unwrap_or_default());
        }
    }
    keys.extend(tags);
    Command::script(Script::FillMany, Effect::Repeatable, keys, args)
}

/// The reply to one group, for each of its entries.
fn spread(
    reply: Result<Reply, Error>,
    entries: usize,
    is_plain: bool,
) -> Vec<Result<Reply, Error>> {
    if entries == 1 || is_plain {
        return vec![reply];
    }
    match reply.map(Reply::into_items) {
        Ok(Some(items)) if items.len() == entries => items.into_iter().map(Ok).collect(),
        Ok(_) => (0..entries).map(|_| Err(reply::no_reply())).collect(),
        Err(error) => vec![Err(error); entries],
    }
}
