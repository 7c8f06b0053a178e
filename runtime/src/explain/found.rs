//! What is asked about a key, and what the answers mean.

use super::kind::ValueKind;
use crate::error::Error;
use crate::key::FullKey;
use crate::reply;
use crate::store::Replies;
use crate::store::command::{Command, Effect, Reply};
use crate::time_left::TimeLeft;
use crate::value;
use bytes::Bytes;
use serde::de::IgnoredAny;

/// So many bytes of a value are looked at, to tell what kind it is.
const SAMPLE: usize = 1024;

/// All that could be asked about a key of any type, since its type is not known before the answer.
pub(super) fn questions(key: &FullKey) -> Vec<Command> {
    let ask = |name: &'static str, key: &Bytes, rest: &[String]| {
        let rest = rest.iter().map(|arg| Bytes::from(arg.clone()));
        let args = [Bytes::from_static(name.as_bytes()), key.clone()];
        Command::new(Effect::Read, args.into_iter().chain(rest))
    };
    let sample = ["0".to_owned(), (SAMPLE - 1).to_string()];
    vec![
        ask("TYPE", &key.value, &[]),
        ask("PTTL", &key.value, &[]),
        ask("PTTL", &key.guard, &[]),
        ask("STRLEN", &key.value, &[]),
        ask("GETRANGE", &key.value, &sample),
        ask("HLEN", &key.value, &[]),
        ask("LLEN", &key.value, &[]),
        ask("SCARD", &key.value, &[]),
        ask("ZCARD", &key.value, &[]),
    ]
}

/// What the server answered.
pub(super) struct Found {
    pub(super) redis_type: Option<String>,
    pub(super) left: TimeLeft,
    pub(super) guard: TimeLeft,
    pub(super) size: Option<u64>,
    pub(super) value: Option<ValueKind>,
}

impl Found {
    /// The replies to [`questions`]. Those for other types than the key's are errors, and no matter.
    pub(super) fn read(replies: Replies) -> Result<Self, Error> {
        let Ok(
            [
                kind,
                left,
                guard,
                bytes,
                sample,
                fields,
                items,
                members,
                scored,
            ],
        ) = <[_; 9]>::try_from(Vec::from_iter(replies))
        else {
            return Err(reply::no_reply());
        };
        let kind = reply::bulk(kind?)?.unwrap_or_default();
        let (left, guard) = (TimeLeft::read(&left?)?, TimeLeft::read(&guard?)?);
        let kind = String::from_utf8_lossy(&kind).into_owned();
        let count = |reply: Result<Reply, Error>| {
            let count = reply::int(&reply.ok()?).ok()?;
            u64::try_from(count).ok()
        };
        let mut value = None;
        let size = match kind.as_str() {
            "string" => {
                let bytes = count(bytes);
                let sample = sample.ok().and_then(|reply| reply::bulk(reply).ok()?);
                value = sample.map(|sample| {
                    let whole = bytes == u64::try_from(sample.len()).ok();
                    kind_of(&sample, whole)
                });
                bytes
            }
            "hash" => count(fields),
            "list" => count(items),
            "set" => count(members),
            "zset" => count(scored),
            _ => None,
        };
        // Its time may have been up between two of the questions.
        let is_there = kind != "none" && left != TimeLeft::Missing;
        Ok(Self {
            redis_type: is_there.then_some(kind),
            left: if is_there { left } else { TimeLeft::Missing },
            guard,
            size: size.filter(|_| is_there),
            value: value.filter(|_| is_there),
        })
    }
}

/// What these bytes are, judged by the first of them where they are not the whole.
fn kind_of(sample: &[u8], whole: bool) -> ValueKind {
    if whole && value::is_null(sample) {
        return ValueKind::Null;
    }
    if sample.starts_with(value::MARK) {
        return ValueKind::Envelope;
    }
    let text = match std::str::from_utf8(sample) {
        Ok(text) => text,
        // A character may have been cut in two.
        Err(error) if !whole && error.error_len().is_none() => {
            let (text, _) = sample.split_at(error.valid_up_to());
            std::str::from_utf8(text).unwrap_or_default()
        }
        Err(_) => return ValueKind::Unknown,
    };
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => ValueKind::Json,
        Err(_) if !whole && begins_json(text) => ValueKind::Json,
        Err(_) if value::looks_like_json(text) => ValueKind::Unknown,
        Err(_) => ValueKind::Text,
    }
}

/// Whether nothing but the rest is missing.
fn begins_json(text: &str) -> bool {
    // A number may have been cut where none may end.
    let numeral = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let text = text.trim_end_matches(numeral);
    !text.is_empty() && serde_json::from_str::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::super::ValueKind::{Envelope, Json, Null, Text, Unknown};
    use super::{SAMPLE, kind_of};
    use crate::explain::ValueKind;

    #[test]
    fn a_value_is_known_by_its_first_bytes() {
        let whole: [(&[u8], ValueKind); 14] = [
            (b"__NULL__", Null),
            (b"null", Null),
            (b"{\"a\":[1,2.5]}", Json),
            (b"12", Json),
            (b"\"__NULL__\"", Json),
            (b"{\"millpond\":1}\n\xff\xfe", Envelope),
            (b"{\"a\":{\"millpond\":1}}", Json),
            (b"hello", Text),
            (b"", Text),
            (b"12 monkeys", Text),
            (b"{cut", Unknown),
            (b"\"cut", Unknown),
            (b"\xff\xfe", Unknown),
            (b"ab\xc3", Unknown),
        ];
        for (bytes, kind) in whole {
            assert_eq!(kind_of(bytes, true), kind, "{bytes:?}");
        }
        let begun: [(&[u8], ValueKind); 7] = [
            (b"{\"a\":[1,2.", Json),
            (b"\"ab\xc3", Json),
            (b"null", Json),
            (b"__NULL__ and more", Text),
            (b"hello \xc3", Text),
            (b"{cut", Unknown),
            (b"\xff\xfe", Unknown),
        ];
        for (bytes, kind) in begun {
            assert_eq!(kind_of(bytes, false), kind, "{bytes:?}");
        }
        let long = format!("[{}]", "7,".repeat(SAMPLE));
        assert_eq!(kind_of(&long.as_bytes()[..SAMPLE], false), Json);
    }
}
