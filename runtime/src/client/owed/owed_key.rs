//! What is owed for one key.

use crate::error::Error;
use crate::key::{FullKey, KeyKind};
use crate::reply::{self, Reply};

/// A key whose writes up to this number are to be given up, and whether its value is to be removed.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) key: FullKey,
    pub(crate) number: u64,
    pub(crate) removes: bool,
}

impl Owed {
    /// This and what is owed for the same key already.
    pub(crate) fn with(&self, other: &Self) -> Self {
        Self {
            key: self.key.clone(),
            number: self.number.max(other.number),
            removes: self.removes || other.removes,
        }
    }

    /// How many values it has removed, from the answer. One of another form says nothing: it stays owed.
    pub(crate) fn delivered(&self, reply: &Reply) -> Result<i64, Error> {
        let count = match self.key.kind {
            KeyKind::Tag | KeyKind::TagOfValue => reply::done(reply).map(|()| 0),
            KeyKind::Guarded | KeyKind::Unguarded => reply::int(reply),
        };
        count.map_err(|error| reply::unread(&error))
    }
}
