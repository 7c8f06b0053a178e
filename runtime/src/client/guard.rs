//! The guard of a key: a random word beside it that every invalidation and every write moves. A
//! load is stored only if the guard is what its read saw.
//!
//! The names and the rule are a public format, see `docs/interop.md`.

use crate::error::Error;
use crate::hex::sha1_hex;
use crate::key::FullKey;
use crate::random;
use crate::reply;
use crate::store::command::{Command, Effect, Reply, Script};
use bytes::Bytes;
use std::time::Duration;

/// What a read saw: the guard, and the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) value: Option<Bytes>,
    pub(crate) guard: Option<Bytes>,
}

/// Reads the value and its guard: one command.
pub(crate) fn read(key: &FullKey) -> Command {
    let args = [
        Bytes::from_static(b"MGET"),
        key.value.clone(),
        key.guard.clone(),
    ];
    Command::new(Effect::Read, args)
}

/// The reply to [`read`].
pub(crate) fn observed(reply: Reply) -> Result<Observed, Error> {
    let Reply::Array(replies) = reply else {
        return Err(reply::no_reply());
    };
    let mut replies = replies.into_iter();
    let (Some(value), Some(guard), None) = (replies.next(), replies.next(), replies.next()) else {
        return Err(reply::no_reply());
    };
    Ok(Observed {
        value: reply::bulk(value)?,
        guard: reply::bulk(guard)?,
    })
}

/// Stores a loaded value if nothing moved: one command, answering 1 or 0.
pub(crate) fn fill(key: &FullKey, observed: &Observed, value: Bytes, life: Bytes) -> Command {
    let guard = observed.guard.clone().unwrap_or_default();
    let before = observed
        .value
        .as_ref()
        .map(|value| sha1_hex(value).into())
        .unwrap_or_default();
    let keys = [key.value.clone(), key.guard.clone()];
    Command::script(
        Script::Fill,
        Effect::Repeatable,
        keys,
        [guard, before, value, life],
    )
}

/// Stores values whatever is there, and moves their guards: one command.
pub(crate) fn put(entries: Vec<(FullKey, Bytes)>, life: Bytes, guard_life: Duration) -> Command {
    let mut keys = Vec::with_capacity(entries.len() * 2);
    let mut args = Vec::with_capacity(entries.len() + 3);
    args.extend([random::nonce().into(), millis(guard_life), life]);
    for (key, value) in entries {
        keys.extend([key.value, key.guard]);
        args.push(value);
    }
    // Repeated after a lost answer it might overwrite what another wrote since.
    Command::script(Script::Put, Effect::Once, keys, args)
}

/// Stores a changed value and moves the guard, if the guard did not move: one command, 1 or 0.
pub(crate) fn update(
    key: &FullKey,
    observed: &Observed,
    value: Bytes,
    life: Bytes,
    guard_life: Duration,
) -> Command {
    let keys = [key.value.clone(), key.guard.clone()];
    let guard = observed.guard.clone().unwrap_or_default();
    let args = [
        guard,
        random::nonce().into(),
        millis(guard_life),
        value,
        life,
    ];
    Command::script(Script::Update, Effect::Repeatable, keys, args)
}

/// Moves the guard, then removes the value: in this order, so that no fill fits in between.
pub(crate) fn invalidation(key: &FullKey, guard_life: Duration) -> [Command; 2] {
    let set = [
        Bytes::from_static(b"SET"),
        key.guard.clone(),
        random::nonce().into(),
        Bytes::from_static(b"PX"),
        millis(guard_life),
    ];
    let delete = [Bytes::from_static(b"DEL"), key.value.clone()];
    // Not for the engine to repeat: the same word again would undo what another moved since. Who
    // delivers invalidations repeats them, with a new word each time.
    [
        Command::new(Effect::Once, set),
        Command::new(Effect::Once, delete),
    ]
}

fn millis(duration: Duration) -> Bytes {
    duration.as_millis().to_string().into()
}
