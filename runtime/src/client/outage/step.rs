//! What can fail, why, and what the log says of it.

use crate::error::{Error, ErrorKind};

/// What was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Step {
    Read = 1,
    Fill = 2,
    Invalidation = 4,
    Limit = 8,
    Lock = 16,
    Analytics = 32,
    /// The body of a function that has old values to return.
    Load = 64,
    /// Making a value of what is stored.
    Decode = 128,
    /// A load that ends while its guard lives.
    InTime = 256,
    /// Telling other processes of what was moved.
    Publication = 512,
}

/// Why it was not done, as far as it makes a difference to whoever reads the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// There is no answer, whatever exactly became of the connection.
    NoAnswer,
    /// The server refused it, with this word (`OOM`, `READONLY`, …).
    Refused(String),
    Other(ErrorKind),
    /// The store has nothing to do with it; it is about this prefix.
    Prefix(String),
}

impl Cause {
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::OutcomeUnknown => {
                Self::NoAnswer
            }
            ErrorKind::Server => {
                let text = error.to_string();
                let word = text.split(' ').next().unwrap_or_default();
                Self::Refused(word.chars().take(24).collect())
            }
            kind => Self::Other(kind),
        }
    }
}

/// What has begun.
pub(super) fn began(step: Step, cause: &Cause) -> &'static str {
    // An answer that cannot be read need not be the server's.
    let is_unreadable = *cause == Cause::Other(ErrorKind::Protocol);
    let is_refusal = !is_unreadable && *cause != Cause::NoAnswer;
    match step {
        Step::Read if is_refusal => "the server refused to read for the cache",
        Step::Read if is_unreadable => "the cache gave no answer that can be read",
        Step::Read => "the cache did not answer",
        Step::Fill if is_unreadable => "it is not known whether values are stored",
        Step::Fill => "the server refused to store a value",
        Step::Invalidation if is_refusal => {
            "the server refused an invalidation; it is delivered later"
        }
        Step::Invalidation => "an invalidation is delivered later",
        Step::Limit => "limits cannot be checked; on_outage decides",
        Step::Lock => "a lock was not extended yet",
        Step::Analytics => "analytics of limits were lost",
        Step::Publication => {
            "other processes could not be told of an invalidation; what they keep is used for as long as `local` says"
        }
        Step::Load | Step::Decode | Step::InTime => began_for(step),
    }
}

/// The same of a step that is of a prefix alone.
pub(super) fn began_for(step: Step) -> &'static str {
    match step {
        Step::Load => "a load failed, and an old value is used",
        Step::Decode => "a cached value cannot be read and is loaded again",
        _ => "a load took too long to be cached safely",
    }
}

/// What works again.
pub(super) fn is_over(step: Step) -> &'static str {
    match step {
        Step::Read => "the cache answers again",
        Step::Fill => "values are stored again",
        Step::Invalidation => "invalidations are delivered again",
        Step::Limit => "limits are counted by the store again",
        Step::Lock => "locks are extended again",
        Step::Analytics => "analytics of limits are sent again",
        Step::Publication => "other processes are told of invalidations again",
        Step::Load => "loads succeed again",
        Step::Decode => "cached values can be read again",
        Step::InTime => "loads end in time again",
    }
}
