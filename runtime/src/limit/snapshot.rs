//! What this process knows of budgets, by the name that they have in the store.

use super::algorithm::{Algorithm, Change, Held, Rule};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// What a budget held at some time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    held: Held,
    /// The window of that time.
    index: u64,
}

impl Snapshot {
    /// What of that still counts at `now`. `None` if the clock went back to an earlier window.
    pub(crate) fn at(&self, rule: Rule, now: u64) -> Option<Held> {
        if rule.algorithm == Algorithm::TokenBucket {
            return Some(self.held);
        }
        match rule.index(now).checked_sub(self.index)? {
            0 => Some(self.held),
            1 => Some(Held(None, self.held.0)),
            _ => Some(Held(None, None)),
        }
    }

    /// As [`Self::at`]; a clock that went back stands still instead.
    pub(crate) fn at_or_before(&self, rule: Rule, now: u64) -> Held {
        self.at(rule, now).unwrap_or(self.held)
    }

    /// What is held after a call that found `held` at `now`.
    pub(crate) fn after(rule: Rule, held: Held, change: Option<Change>, now: u64) -> Self {
        let held = match change {
            Some(Change::Count { add, .. }) => {
                let add = i64::try_from(add).unwrap_or(i64::MAX);
                Held(Some(held.0.unwrap_or(0).saturating_add(add)), held.1)
            }
            Some(Change::Fill {
                refilled_at,
                tokens,
                ..
            }) => Held(Some(refilled_at), Some(tokens)),
            Some(Change::Uncount { .. }) | None => held,
        };
        let index = rule.index(now);
        Self { held, index }
    }

    /// The same, known to be no older than `earlier`, which was taken of the same budget: a clock
    /// that went back does not make it one of an earlier window.
    pub(crate) fn not_before(self, earlier: &Self) -> Self {
        let index = self.index.max(earlier.index);
        Self { index, ..self }
    }

    /// Whether nothing of it counts any more.
    pub(crate) fn is_spent(&self, rule: Rule, now: u64) -> bool {
        self.at(rule, now)
            .is_some_and(|held| rule.check(held, now, 0).remaining >= rule.units)
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
