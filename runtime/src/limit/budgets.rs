//! A map from budgets, by the name that they have in the store, that does not grow without end.

use super::algorithm::Rule;
use crate::sync;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash, Hasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard};

/// Identifiers are chosen by clients, so there must be an end to what is kept of them.
const MOST: usize = 20_000;

/// A key that no client knows, so that nobody finds two names with one hash.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The name of a budget, hashed, since names can be long; and what tells one way of counting from
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BudgetKey([u64; 2]);

/// Makes the key of a budget of what its name begins with, and of the rest.
#[derive(Clone, Debug)]
pub(crate) struct KeyHasher(DefaultHasher);

impl KeyHasher {
    pub(crate) fn new(rule: Rule) -> Self {
        let mut hasher = HASHER.build_hasher();
        // A hundred years of milliseconds leave room for three algorithms.
        hasher.write_u64(rule.window << 2 | rule.algorithm as u64);
        Self(hasher)
    }

    pub(crate) fn read(&mut self, text: &str) {
        self.0.write(text.as_bytes());
    }

    /// The key of a budget whose name ends so.
    pub(crate) fn key(&self, rest: &str) -> BudgetKey {
        let mut hasher = self.0.clone();
        hasher.write(rest.as_bytes());
        let first = hasher.finish();
        // The keyed hash of another text: independent of the first half, for one more byte.
        hasher.write_u8(1);
        BudgetKey([first, hasher.finish()])
    }
}

impl BudgetKey {
    #[cfg(test)]
    pub(crate) fn new(base: &str, rule: Rule) -> Self {
        KeyHasher::new(rule).key(base)
    }

    /// A number that the name chooses, and nobody else.
    pub(crate) fn number(&self) -> u64 {
        self.0[0]
    }
}

impl Hash for BudgetKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number());
    }
}

/// Takes the number of a key as its hash, which it is.
#[derive(Debug, Default)]
pub(crate) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// What is known of budgets.
pub(crate) type BudgetMap<V> = HashMap<BudgetKey, V, BuildHasherDefault<NumberHasher>>;

/// A bounded map of budgets.
#[derive(Debug)]
pub(crate) struct Budgets<V>(Mutex<BudgetMap<V>>);

impl<V> Default for Budgets<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Budgets<V> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BudgetMap<V>> {
        sync::lock(&self.0)
    }
}

/// Makes room for one more: what is of no more use goes; where that is little, any others do.
/// An eighth at once, so that a flood of identifiers does not search the map at every call.
pub(crate) fn make_room<V>(budgets: &mut BudgetMap<V>, useful: impl Fn(&V) -> bool) {
    if budgets.len() < MOST {
        return;
    }
    let mut kept = 0;
    budgets.retain(|_, value| {
        kept += usize::from(useful(value));
        useful(value) && kept < MOST - MOST / 8
    });
}
