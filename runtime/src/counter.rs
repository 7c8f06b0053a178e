//! Counters: numbers that go up and down on the server, whoever counts.

use crate::client::Client;
use crate::error::{Cause, Error, ErrorKind};
use crate::key::Key;
use crate::reply::int;
use crate::store::command::{Command, Effect, Script};
use crate::ttl::lifetime;
use bytes::Bytes;
use std::time::Duration;

impl Client {
    pub(crate) async fn increment(
        &self,
        key: impl Into<Key>,
        by: i64,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<i64, Error> {
        let (key, ttl) = (key.into(), ttl.into());
        let full = self.full(&key);
        let by = Bytes::from(by.to_string());
        let command = written("INCRBY", full.value.clone(), [by], ttl)?;
        let reply = self.on_key(&key, &full, command).await;
        let reply = reply.map_err(|error| {
            let what = format!("the value stored under {key}");
            explained(error, &what)
        })?;
        int(&reply)
    }

    pub(crate) async fn decrement(
        &self,
        key: impl Into<Key>,
        by: i64,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<i64, Error> {
        let by = by.checked_neg().ok_or_else(|| {
            Error::new(
                ErrorKind::Overflow,
                "the amount is i64::MIN, which cannot be negated; subtract less",
            )
        })?;
        self.increment(key, by, ttl).await
    }
}

/// A command that changes a key, and gives it a lifetime if it creates it.
pub(crate) fn written(
    name: &'static str,
    key: Bytes,
    args: impl IntoIterator<Item = Bytes>,
    ttl: Option<Duration>,
) -> Result<Command, Error> {
    let name = Bytes::from_static(name.as_bytes());
    Ok(match ttl {
        None => {
            let words = [name, key].into_iter().chain(args);
            Command::new(Effect::Once, words)
        }
        Some(ttl) => {
            let words = [lifetime(ttl)?, name].into_iter().chain(args);
            Command::script(Script::Create, Effect::Once, [key], words)
        }
    })
}

/// The server's error about a sum, with a kind of its own and what to do about it.
pub(crate) fn explained(error: Error, what: &str) -> Error {
    let (kind, advice) = match error.cause() {
        Some(Cause::NotANumber) => (
            ErrorKind::NotANumber,
            format!("{what} is not a 64-bit integer; use another name, or delete it"),
        ),
        Some(Cause::Overflow) => (
            ErrorKind::Overflow,
            format!("{what} would exceed the range of a 64-bit integer; nothing was changed"),
        ),
        _ => return error,
    };
    Error::with_source(kind, advice, error)
}
