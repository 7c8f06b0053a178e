//! How often keys were moved. Keys share a few counters: where two meet, a load that was overtaken by the
//! invalidation of another key is not kept, which costs a load and nothing else.

use super::name::Name;
use crate::sync;
use std::array;
use std::hash::BuildHasher;
use std::sync::Mutex;

const STRIPES: usize = 256;

pub(super) struct Stripes {
    hasher: foldhash::fast::RandomState,
    moved: [Mutex<u64>; STRIPES],
}

/// Whether what is done moves the key itself.
#[derive(Clone, Copy)]
pub(super) enum Moves {
    No,
    Yes,
}

impl Default for Stripes {
    fn default() -> Self {
        Self {
            hasher: foldhash::fast::RandomState::default(),
            moved: array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Stripes {
    fn stripe(&self, name: Name<'_>) -> &Mutex<u64> {
        let stripes = STRIPES as u64;
        let at = self.hasher.hash_one(name.sought()) % stripes;
        &self.moved[usize::try_from(at).unwrap_or(0)]
    }

    pub(super) fn moved(&self, name: Name<'_>) -> u64 {
        *sync::lock(self.stripe(name))
    }

    /// Does something under the lock that moves take, unless the key was moved.
    pub(super) fn unless_moved<T>(
        &self,
        name: Name<'_>,
        before: u64,
        moves: Moves,
        act: impl FnOnce() -> T,
    ) -> Option<T> {
        let mut number = sync::lock(self.stripe(name));
        if *number != before {
            return None;
        }
        if let Moves::Yes = moves {
            *number = number.wrapping_add(1);
        }
        Some(act())
    }

    /// Moves all keys.
    pub(super) fn move_all(&self) {
        for moved in &self.moved {
            let mut moved = sync::lock(moved);
            *moved = moved.wrapping_add(1);
        }
    }

    /// Moves a key, and does something before anybody else looks at it.
    pub(super) fn move_on<T>(&self, name: Name<'_>, act: impl FnOnce() -> T) -> T {
        let mut moved = sync::lock(self.stripe(name));
        *moved = moved.wrapping_add(1);
        act()
    }
}
