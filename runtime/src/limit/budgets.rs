//! A map from budgets, by the name that they have in the store, that does not grow without end.

use super::algorithm::Rule;
use crate::sync;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, MutexGuard};

/// Identifiers are chosen by clients, so there must be an end to what is kept of them.
const MOST: usize = 20_000;

/// Keys that no client knows, so that nobody finds two names with one hash.
static HASHERS: LazyLock<[RandomState; 2]> =
    LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// The name of a budget, hashed, since names can be long; and what tells one way of counting from
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BudgetKey([u64; 2]);

impl BudgetKey {
    pub(crate) fn new(base: &str, rule: Rule) -> Self {
        let name = (base, rule.algorithm, rule.window);
        Self(HASHERS.each_ref().map(|hasher| hasher.hash_one(name)))
    }

    /// A number that the name chooses, and nobody else.
    pub(crate) fn number(&self) -> u64 {
        self.0[0]
    }
}

/// A bounded map of budgets.
#[derive(Debug)]
pub(crate) struct Budgets<V>(Mutex<HashMap<BudgetKey, V>>);

impl<V> Default for Budgets<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V> Budgets<V> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<BudgetKey, V>> {
        sync::lock(&self.0)
    }
}

/// Makes room for one more: what is of no more use goes; where that is little, any others do.
/// An eighth at once, so that a flood of identifiers does not search the map at every call.
pub(crate) fn make_room<V>(budgets: &mut HashMap<BudgetKey, V>, useful: impl Fn(&V) -> bool) {
    if budgets.len() < MOST {
        return;
    }
    let mut kept = 0;
    budgets.retain(|_, value| {
        kept += usize::from(useful(value));
        useful(value) && kept < MOST - MOST / 8
    });
}
