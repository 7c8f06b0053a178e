//! The answers of the REST protocol: what a server sends, or whatever stands in its place.

use crate::answer::{Answer, decode};
use crate::error::Error;
use crate::store::transport::Answer as Said;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millpond::{ErrorKind, Reply};
use serde_json::{Value, json};

/// Bytes that are no answer are an error that does not quote them, and an answer is what the server said.
pub fn run(data: &[u8]) {
    match decode(data) {
        Ok(Answer::Each(answers)) => answers.into_iter().for_each(|it| check(it.into_answer())),
        Ok(Answer::Whole(answered)) => check(answered.into_answer()),
        Err(error) => is_bounded(&error),
    }
    let mut rest = data;
    let reply = reply(&mut rest, 0);
    let body = json!([{ "result": written(&reply) }]).to_string();
    let Ok(Answer::Each(mut answers)) = decode(body.as_bytes()) else {
        panic!("no answer: {body}");
    };
    match answers.pop().map(|it| it.into_answer()) {
        Some(Said::Reply(read)) => assert!(read == reply, "{body}"),
        other => panic!("{body}: {other:?}"),
    }
}

fn check(said: Said) {
    match said {
        Said::Reply(_) => {}
        // The server's own words, as they are.
        Said::Error(text) => drop(text),
        Said::Unreadable(error) => is_bounded(&error),
    }
}

fn is_bounded(error: &Error) {
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.len() < 200, "{}", error.message);
}

/// A reply made of these bytes.
fn reply(rest: &mut &[u8], depth: u8) -> Reply {
    let Some((&first, tail)) = rest.split_first() else {
        return Reply::Nil;
    };
    *rest = tail;
    let length = usize::from(first >> 2).min(rest.len());
    match first & 3 {
        0 => Reply::Nil,
        1 => Reply::Int(i64::from(first) << depth),
        2 if depth < 4 => Reply::Array((0..first >> 5).map(|_| reply(rest, depth + 1)).collect()),
        _ => {
            let (text, tail) = rest.split_at(length);
            *rest = tail;
            Reply::Bulk(text.to_vec().into())
        }
    }
}

fn written(reply: &Reply) -> Value {
    match reply {
        Reply::Int(number) => json!(number),
        Reply::Bulk(text) => json!(STANDARD.encode(text)),
        Reply::Array(items) => items.iter().map(written).collect(),
        _ => Value::Null,
    }
}
