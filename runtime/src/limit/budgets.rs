//! A map from budgets, by the name that they have in the store, that does not grow without end.

use super::algorithm::{Algorithm, Rule};
use crate::sync;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// Identifiers are chosen by clients, so there must be an end to what is kept of them.
const MOST: usize = 20_000;

/// The name of a budget, hashed, since names can be long; and what tells one way of counting from
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BudgetKey([u8; 32], Algorithm, u64);

impl BudgetKey {
    pub(crate) fn new(base: &str, rule: Rule) -> Self {
        Self(Sha256::digest(base).into(), rule.algorithm, rule.window)
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
