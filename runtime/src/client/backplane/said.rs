//! What a message of another process says.

use super::message::VERSION;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Message<'a> {
    /// The `Millpond` that says so, where it is one: it knows already.
    #[serde(borrow, default)]
    by: Option<Cow<'a, str>>,
    /// Of values and of tags, as they stand in the database.
    #[serde(borrow, default)]
    keys: Vec<Cow<'a, str>>,
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Moved(Vec<String>),
    /// Nothing that is new here.
    Echo,
    /// It is of a form that is not known here, so anything may have been moved.
    Unknown,
    /// It is no message of this channel.
    Foreign,
}

/// The version of a message whose other members may be of any form.
#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

pub(super) fn read(message: &[u8], own: &str) -> Said {
    // An array would be read as the members in their order.
    if !message.trim_ascii_start().starts_with(b"{") {
        return Said::Foreign;
    }
    match serde_json::from_slice::<Versioned>(message) {
        Err(_) => return Said::Foreign,
        Ok(Versioned { v }) if v != VERSION => return Said::Unknown,
        Ok(_) => {}
    }
    match serde_json::from_slice::<Message<'_>>(message) {
        Ok(said) if said.by.as_deref() == Some(own) => Said::Echo,
        Ok(said) => Said::Moved(said.keys.into_iter().map(Cow::into_owned).collect()),
        Err(_) => Said::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{MOST_BYTES, publish};
    use super::*;
    use crate::key::FullKey;
    use crate::store::command::{Call, Command};
    use bytes::Bytes;

    fn words(command: &Command) -> &[Bytes] {
        match &command.call {
            Call::Plain(words) => words,
            other => panic!("{other:?}"),
        }
    }

    fn key(name: &str) -> FullKey {
        FullKey::new(name)
    }

    #[test]
    fn what_is_published_is_read_elsewhere_and_an_echo_here() {
        let (user, quoted) = (key("user:7"), key("user:\"ü\""));
        let commands = publish("millpond:moved", "me", &[&user, &quoted]);
        let [command] = &commands[..] else {
            panic!("{commands:?}")
        };
        let words = words(command);
        assert_eq!(&words[..2], [&b"PUBLISH"[..], &b"millpond:moved"[..]]);
        let said = Said::Moved(vec!["user:7".to_owned(), "user:\"ü\"".to_owned()]);
        assert_eq!(read(&words[2], "another"), said);
        assert_eq!(read(&words[2], "me"), Said::Echo);
    }

    #[test]
    fn many_keys_make_several_messages_and_none_is_lost() {
        let keys: Vec<FullKey> = (0..5_000).map(|n| key(&format!("user:{n:010}"))).collect();
        let commands = publish("c", "me", &keys.iter().collect::<Vec<_>>());
        assert!(commands.len() > 1);
        let mut read_back = Vec::new();
        for command in &commands {
            let message = &words(command)[2];
            assert!(message.len() < 2 * MOST_BYTES, "{}", message.len());
            let Said::Moved(keys) = read(message, "another") else {
                panic!("{message:?}")
            };
            read_back.extend(keys);
        }
        assert!(
            read_back
                .iter()
                .map(String::as_bytes)
                .eq(keys.iter().map(|key| &key.value[..]))
        );
        assert!(publish("c", "me", &[]).is_empty());
    }

    #[test]
    fn a_message_of_typescript_needs_a_version_and_keys() {
        let said = Said::Moved(vec!["user:7".to_owned()]);
        assert_eq!(read(br#"{"v":1,"keys":["user:7"]}"#, "me"), said);
        assert_eq!(read(br#"{"v":1,"keys":["user:7"],"more":1}"#, "me"), said);
    }

    #[test]
    fn a_message_of_another_form_moves_everything_and_garbage_nothing() {
        for unknown in [
            &br#"{"v":2,"moved":[]}"#[..],
            br#"{"v":1,"keys":"user:7"}"#,
            br#"{"v":1,"keys":[7]}"#,
        ] {
            assert_eq!(read(unknown, "me"), Said::Unknown, "{unknown:?}");
        }
        for foreign in [
            &b""[..],
            b"hello",
            b"\xff",
            b"[1]",
            b"{\"v\":-1}",
            b"{\"keys\":[]}",
        ] {
            assert_eq!(read(foreign, "me"), Said::Foreign, "{foreign:?}");
        }
        let deep = vec![b'['; 100_000];
        assert_eq!(read(&deep, "me"), Said::Foreign);
    }
}
