//! Tags as this process knows them: a number each, that an invalidation raises. Entries remember the number that they
//! were loaded under.

use crate::sync;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How many tags that nobody uses may wait to be forgotten.
const SPARE: usize = 1_024;

#[derive(Default)]
pub(super) struct TagTable(Mutex<Known>);

#[derive(Default)]
struct Known {
    numbers: HashMap<Box<str>, Arc<AtomicU64>>,
    /// At this size it is time to forget some.
    forget_at: usize,
}

/// A tag, and the number that it had.
#[derive(Clone)]
pub(super) struct TagSample {
    number: Arc<AtomicU64>,
    was: u64,
}

impl TagSample {
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        self.number.load(Ordering::Acquire) == self.was
    }
}

impl TagTable {
    pub(super) fn sample(&self, tag: &str) -> TagSample {
        let mut known = sync::lock(&self.0);
        if let Some(number) = known.numbers.get(tag) {
            return TagSample {
                was: number.load(Ordering::Acquire),
                number: Arc::clone(number),
            };
        }
        known.make_room();
        let number = Arc::<AtomicU64>::default();
        known.numbers.insert(tag.into(), Arc::clone(&number));
        TagSample { number, was: 0 }
    }

    pub(super) fn move_on(&self, tag: &str) {
        if let Some(number) = sync::lock(&self.0).numbers.get(tag) {
            number.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Known {
    /// Forgets tags of which no entry and no load knows: who meets them next begins anew.
    fn make_room(&mut self) {
        if self.numbers.len() < self.forget_at.max(SPARE) {
            return;
        }
        self.numbers
            .retain(|_, number| Arc::strong_count(number) > 1);
        self.forget_at = self.numbers.len().saturating_mul(2);
    }
}
