//! What is said on the channel: which keys were moved, and by whom. The form is public, see `docs/interop.md`.

use crate::json::{self, Order};
use crate::key::FullKey;
use crate::store::command::{Command, Effect};
use bytes::Bytes;

/// The form that this code writes, and the newest that it reads.
pub(super) const VERSION: u64 = 1;

/// About how many bytes of keys go into one message.
pub(super) const MOST_BYTES: usize = 16 * 1024;

/// The commands that tell of keys: by whom, and which values and tags as they stand in the database.
pub(super) fn publish(channel: &str, by: &str, keys: &[&FullKey]) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut keys = keys.iter().peekable();
    while keys.peek().is_some() {
        // Written by hand: what a derive adds weighs 2 KB at the edge.
        let mut message = format!("{{\"v\":{VERSION},\"by\":").into_bytes();
        message.append(&mut quoted(by));
        message.extend(b",\"keys\":[");
        let room = message.len() + MOST_BYTES;
        while message.len() < room
            && let Some(key) = keys.next()
        {
            message.append(&mut quoted(&String::from_utf8_lossy(&key.value)));
            message.push(b',');
        }
        // In the place of the last comma.
        message.pop();
        message.extend(b"]}");
        let words = [
            Bytes::from_static(b"PUBLISH"),
            Bytes::copy_from_slice(channel.as_bytes()),
            message.into(),
        ];
        // Twice is as good as once.
        commands.push(Command::new(Effect::Repeatable, words));
    }
    commands
}

/// Texts always have a form in JSON.
fn quoted(text: &str) -> Vec<u8> {
    json::write(text, Order::Declared).unwrap_or_default()
}
