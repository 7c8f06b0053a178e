//! The guard of a key: a word beside it that every invalidation and every write moves. A load is stored only
//! if the guard is what its read saw.
//!
//! The doubt of a key: a hash beside it in which each process gives up what it wrote, up to a number. Such a
//! write is refused when it arrives: a connection that stalled can deliver it long after its caller gave up,
//! over what was acknowledged since.
//!
//! The names and the rules are a public format, see `docs/interop.md`.

use super::writer::Writer;
use crate::error::Error;
use crate::hex::sha1_hex;
use crate::key::FullKey;
use crate::random;
use crate::reply;
use crate::runtime;
use crate::store::command::{Command, Effect, Purpose, Reply, Script};
use bytes::Bytes;
use std::time::Duration;

/// What a read saw: the guard, and the value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    pub(crate) value: Option<Bytes>,
    pub(crate) guard: Option<Bytes>,
    /// The nonces of the tags, in their order.
    pub(crate) tags: Vec<Option<Bytes>>,
}

/// Reads the value and its guard: one command.
pub(crate) fn read(key: &FullKey) -> Command {
    Command::pair([key.value.clone(), key.guard.clone()])
}

/// Reads a value that has no guard.
pub(crate) fn read_unguarded(key: &FullKey) -> Command {
    Command::new(
        Effect::Read,
        [Bytes::from_static(b"GET"), key.value.clone()],
    )
}

/// The reply to [`read_unguarded`].
pub(crate) fn observed_unguarded(reply: Reply) -> Result<Observed, Error> {
    let value = reply::bulk(reply)?;
    Ok(Observed {
        value,
        ..Observed::default()
    })
}

/// Stores a value that has no guard, whatever is there.
pub(crate) fn set_unguarded(key: &FullKey, value: Bytes, life: Bytes) -> Command {
    let (unit, life) = match life.strip_prefix(b"@") {
        Some(at) => (&b"PXAT"[..], life.slice_ref(at)),
        None => (&b"PX"[..], life),
    };
    let words = [
        Bytes::from_static(b"SET"),
        key.value.clone(),
        value,
        Bytes::from_static(unit),
        life,
    ];
    Command::new(Effect::Once, words)
}

/// Removes a value that has no guard.
pub(super) fn remove_unguarded(key: &FullKey) -> Command {
    Command::new(
        Effect::Repeatable,
        [Bytes::from_static(b"DEL"), key.value.clone()],
    )
}

/// Removes a value if it is still this one: one command.
pub(crate) fn remove_if_equal(key: &FullKey, value: Bytes) -> Command {
    let keys = [key.value.clone()];
    let args = [value, Bytes::from_static(b"DEL")];
    Command::script(Script::IfEqual, Effect::Repeatable, keys, args)
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
        tags: Vec::new(),
    })
}

impl Observed {
    /// The SHA-1 of the value, empty if there was none.
    pub(crate) async fn sha1(&self) -> Bytes {
        let Some(value) = self.value.clone() else {
            return Bytes::new();
        };
        let sha1 = runtime::offload(value.len(), move || sha1_hex(&value).into()).await;
        // Nobody is left to store anything; a wrong one stores nothing.
        sha1.unwrap_or_else(|| Bytes::from_static(b"unknown"))
    }
}

/// Stores a loaded value if nothing moved: one command, answering 1 or 0. `before` is the SHA-1 of the value
/// that was there, behind a `?` if that may be gone. A `life` is a number of ms, or `@` and a time in ms.
pub(crate) fn fill(
    key: &FullKey,
    tags: &[FullKey],
    observed: &Observed,
    before: Bytes,
    value: Bytes,
    life: Bytes,
) -> Command {
    let guard = observed.guard.clone().unwrap_or_default();
    let keys = [key.value.clone(), key.guard.clone()].into_iter();
    let keys = keys.chain(tags.iter().map(|tag| tag.value.clone()));
    let nonces = observed.tags.iter().take(tags.len());
    let nonces = nonces.map(|nonce| nonce.clone().unwrap_or_default());
    let args = [guard, before, value, life].into_iter().chain(nonces);
    Command::script(Script::Fill, Effect::Repeatable, keys, args)
}

/// A value to store: under which key, and up to which number this process gives up what it wrote there.
pub(crate) type Stored = (FullKey, Bytes, Option<u64>);

/// Stores values whatever is there, and moves their guards: one command, answering 1, or 0 if the write was
/// given up.
pub(crate) fn put(
    writer: &Writer,
    entries: Vec<Stored>,
    life: Bytes,
    guard_life: Duration,
) -> Command {
    let mut keys = Vec::with_capacity(entries.len() * 3);
    let mut args = Vec::with_capacity(entries.len() * 2 + 4);
    args.extend([writer.process(), writer.number(), millis(guard_life), life]);
    for (key, value, given_up) in entries {
        let doubt = key.doubt();
        keys.extend([key.value, key.guard, doubt]);
        let given_up = given_up.map(|number| number.to_string().into());
        args.extend([value, given_up.unwrap_or_default()]);
    }
    // Repeated after a lost answer it might overwrite what another wrote since.
    Command::script(Script::Put, Effect::Once, keys, args)
}

/// Gives up what was written under a key, and removes the value if that was a value of the cache: one command,
/// answering how many values it removed. However often it arrives, and however late.
pub(crate) fn give_up(writer: &Writer, key: &FullKey, removes: bool, life: Duration) -> Command {
    let keys = [key.value.clone(), key.guard.clone(), key.doubt()];
    let removes = Bytes::from_static(if removes { b"1" } else { b"0" });
    let args = [
        writer.process(),
        writer.number(),
        removes,
        random::nonce().into(),
        millis(life),
    ];
    Command::script(Script::GiveUp, Effect::Repeatable, keys, args)
}

/// Runs a command that changes something else than a value of the cache, unless it was given up: an array of
/// its reply, or an empty one.
pub(crate) fn change(writer: &Writer, key: &FullKey, change: Change) -> Command {
    let Change {
        name,
        args,
        life,
        purpose,
    } = change;
    let words = [
        writer.process(),
        writer.number(),
        life.unwrap_or_default(),
        Bytes::from_static(name.as_bytes()),
    ];
    let keys = [key.value.clone(), key.doubt()];
    let words = words.into_iter().chain(args);
    Command::script(Script::Change, Effect::Once, keys, words).made_for(purpose)
}

/// Moves a value to another key: one command, answering 1, or 0 if there was none, or -1 if it was given up.
pub(crate) fn rotate(writer: &Writer, old: &FullKey, new: &FullKey, life: Bytes) -> Command {
    let keys = [old.value.clone(), new.value.clone(), old.doubt()];
    let args = [writer.process(), writer.number(), life];
    // Twice is as good as once: where it was done, nothing is left to be moved.
    Command::script(Script::Rotate, Effect::Repeatable, keys, args)
}

/// A command on a key: its name, its arguments behind the key, and the lifetime in ms of a key that it creates.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<Bytes>,
    pub(crate) life: Option<Bytes>,
    pub(crate) purpose: Purpose,
}

/// Stores a changed value and moves the guard, if neither the guard nor a tag moved: one command, 1 or 0. Each
/// tag may get a new nonce, whether the value is stored or not.
pub(crate) fn update(
    writer: &Writer,
    key: &FullKey,
    tags: &[(FullKey, Option<Bytes>)],
    observed: &Observed,
    value: Bytes,
    life: Bytes,
    guard_life: Duration,
) -> Command {
    let keys = [key.value.clone(), key.guard.clone()].into_iter();
    let keys = keys.chain(tags.iter().map(|(tag, _)| tag.value.clone()));
    let guard = observed.guard.clone().unwrap_or_default();
    let args = [guard, writer.word(), millis(guard_life), value, life].into_iter();
    let nonces = tags
        .iter()
        .zip(&observed.tags)
        .flat_map(|((_, next), seen)| {
            [
                seen.clone().unwrap_or_default(),
                next.clone().unwrap_or_default(),
            ]
        });
    // Again it would store nothing, but give the tags words that they had before.
    Command::script(Script::Update, Effect::Once, keys, args.chain(nonces))
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
        Command::new(Effect::Once, set).made_for(Purpose::Guard),
        Command::new(Effect::Once, delete),
    ]
}

pub(super) fn millis(duration: Duration) -> Bytes {
    duration.as_millis().to_string().into()
}
