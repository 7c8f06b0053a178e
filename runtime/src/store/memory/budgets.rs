//! Which of the keys are budgets of limits, and how much of each is used: what has most left goes first when there
//! is no room, and what is used up never does.

use crate::limit::algorithm::{LEVELS, USED_UP};
use bytes::Bytes;
use indexmap::IndexSet;

/// So many counters and buckets are kept; a caller has two counters while a window slides.
pub(crate) const MOST: usize = 40_000;

/// Budgets by how much is used.
#[derive(Default)]
pub(crate) struct Budgets {
    levels: [IndexSet<Bytes>; LEVELS],
}

impl Budgets {
    pub(crate) fn put(&mut self, key: &Bytes, level: usize) {
        if let Some(level) = self.levels.get_mut(level) {
            level.insert(key.clone());
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8], level: usize) {
        if let Some(level) = self.levels.get_mut(level) {
            level.swap_remove(key);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.levels.iter().map(IndexSet::len).sum()
    }

    /// One that has most left, whichever the number chooses; `None` if all are used up.
    pub(crate) fn weakest(&self, number: usize) -> Option<Bytes> {
        let weak = self.levels[..USED_UP]
            .iter()
            .find(|level| !level.is_empty())?;
        weak.get_index(number % weak.len()).cloned()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
