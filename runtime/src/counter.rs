//! Counters: numbers that go up and down on the server, whoever counts.

use crate::client::Client;
use crate::client::guard::Change;
use crate::error::{Cause, Error, ErrorKind};
use crate::key::Key;
use crate::store::command::Purpose;
use crate::ttl::lifetime;
use std::sync::Arc;
use std::time::Duration;

impl Client {
    pub(crate) async fn increment(
        self: &Arc<Self>,
        key: impl Into<Key>,
        by: i64,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<i64, Error> {
        let (key, ttl) = (key.into(), ttl.into());
        let full = self.full(&key);
        let change = Change {
            name: "INCRBY",
            args: vec![by.to_string().into()],
            life: ttl.map(lifetime).transpose()?,
            purpose: Purpose::Value,
        };
        let reply = self.change(&key, &full, change, false).await;
        let reply = reply.map_err(|error| {
            let what = format!("the value stored under {key}");
            explained(error, &what)
        })?;
        reply.parse()
    }

    pub(crate) async fn decrement(
        self: &Arc<Self>,
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
