//! What is owed for one key.

use crate::key::FullKey;

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
}
