//! What is said on the channel: which keys were moved, and by whom. The form is public, see `docs/interop.md`.

use crate::key::FullKey;
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The form that this code writes, and the newest that it reads.
pub(super) const VERSION: u64 = 1;

/// About how many bytes of keys go into one message.
pub(super) const MOST_BYTES: usize = 16 * 1024;

#[derive(Deserialize, Serialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "v")]
    version: u64,
    /// The `Millpond` that says so, where it is one: it knows already.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<Cow<'a, str>>,
    /// Of values and of tags, as they stand in the database.
    #[serde(borrow, default)]
    pub(super) keys: Vec<Cow<'a, str>>,
}

/// The commands that tell of keys.
pub(super) fn publish(channel: &str, by: &str, keys: &[&FullKey]) -> Vec<Command> {
    let mut commands = Vec::new();
    let (mut some, mut bytes) = (Vec::new(), 0);
    let mut say = |keys: Vec<Cow<'_, str>>| {
        let message = Message {
            version: VERSION,
            by: Some(by.into()),
            keys,
        };
        // Texts always have a form in JSON.
        let message = serde_json::to_vec(&message).unwrap_or_default();
        let words = [
            Bytes::from_static(b"PUBLISH"),
            Bytes::copy_from_slice(channel.as_bytes()),
            message.into(),
        ];
        // Twice is as good as once.
        commands.push(Command::new(Effect::Repeatable, words));
    };
    for key in keys {
        bytes += key.value.len();
        some.push(String::from_utf8_lossy(&key.value));
        if bytes >= MOST_BYTES {
            say(std::mem::take(&mut some));
            bytes = 0;
        }
    }
    if !some.is_empty() {
        say(some);
    }
    commands
}
