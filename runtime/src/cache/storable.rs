//! The plain form of what a body returned, and whether it can be stored.

use super::known_functions::FunctionState;
use super::load::Load;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::stats::Counters;
use crate::value::{self, ErasedValue};
use bytes::Bytes;

impl Load {
    /// The plain form of what the body returned, if it may be stored and would be read back. What is
    /// stored is read back before: in debug builds always, else where others wait for it, and where something
    /// could not be read.
    pub(crate) fn plain_form(&self, value: &dyn ErasedValue) -> Option<Bytes> {
        let function = self.function.as_deref();
        if function.is_some_and(FunctionState::stores_no_more) {
            return None;
        }
        let plain = value::plain_form_of(value)
            .inspect_err(|error| self.unstorable(error))
            .ok()?;
        let exactly = cfg!(debug_assertions);
        // Whoever waits must be able to read it: otherwise all of them would run their bodies at once.
        if exactly || self.is_awaited() || function.is_some_and(FunctionState::is_suspect) {
            let survives = value::survives(value, &plain, exactly);
            match (&survives, function) {
                (Ok(()), Some(function)) => function.is_readable(),
                (Err(what), Some(function)) => self.unreadable(function, what),
                (Err(what), None) => {
                    self.unstorable(&Error::new(ErrorKind::Decode, what.clone()));
                }
                (Ok(()), None) => {}
            }
            survives.ok()?;
        }
        Some(plain)
    }

    fn unreadable(&self, function: &FunctionState, what: &str) {
        self.counters.encode_failures.add(1);
        let prefix = self.key.prefix();
        if function.is_unreadable() {
            tracing::warn!(
                prefix,
                what,
                "the values of a function cannot be read back from JSON, so it stores no more of them; \
                 change its type, or take the attribute off"
            );
        } else {
            tracing::debug!(
                prefix,
                what,
                "a result would not be read back and is not stored"
            );
        }
    }

    pub(super) fn unstorable(&self, error: &Error) {
        let says = self.function.as_ref().is_none_or(|it| it.says_unstorable());
        unstorable(&self.counters, &self.key, error, says);
    }
}

/// A result cannot be stored, and its caller does not want to know.
pub(crate) fn unstorable(counters: &Counters, key: &Key, error: &Error, says: bool) {
    counters.encode_failures.add(1);
    let prefix = key.prefix();
    if error.kind() == ErrorKind::Config || !says {
        // Is said once for each function.
        tracing::debug!(prefix, %error, "a result cannot be cached");
    } else {
        tracing::warn!(prefix, %error, "a result cannot be cached");
    }
}
