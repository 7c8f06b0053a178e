//! Who is known to be refused, so that no command need be sent.
//!
//! Remembered is what the store held when it refused. Others can only have taken more since, so a
//! call that would be refused even by that is refused; one that costs less, or comes when units
//! have come back, is sent.

use super::algorithm::{Rule, Verdict};
use super::budgets::{BudgetKey, Budgets, make_room};
use super::snapshot::Snapshot;

#[derive(Debug)]
pub(crate) struct Blocked {
    /// Off, nothing is remembered, so nothing is found.
    on: bool,
    refusals: Budgets<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    snapshot: Snapshot,
    until: u64,
}

impl Blocked {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            refusals: Budgets::default(),
        }
    }

    /// The refusal of this call, if it is certain.
    pub(crate) fn find(&self, key: &BudgetKey, rule: Rule, now: u64, cost: u64) -> Option<Verdict> {
        let mut refusals = self.refusals.lock();
        let refusal = *refusals.get(key)?;
        if refusal.until <= now {
            refusals.remove(key);
            return None;
        }
        let held = refusal.snapshot.at(rule, now)?;
        Some(rule.check(held, now, cost)).filter(|verdict| !verdict.allowed)
    }

    /// Keeps in mind that this was too much to be allowed before `until`.
    pub(crate) fn remember(&self, key: BudgetKey, snapshot: Snapshot, until: u64, now: u64) {
        if !self.on {
            return;
        }
        let mut refusals = self.refusals.lock();
        make_room(&mut refusals, |refusal| refusal.until > now);
        refusals.insert(key, Refusal { snapshot, until });
    }

    /// Brings what is known up to date, where anything is.
    pub(crate) fn refresh(&self, key: &BudgetKey, snapshot: Snapshot) {
        if let Some(refusal) = self.refusals.lock().get_mut(key) {
            refusal.snapshot = snapshot;
        }
    }

    /// Forgets it: units were given back, or the budget was reset.
    pub(crate) fn forget(&self, key: &BudgetKey) {
        self.refusals.lock().remove(key);
    }
}
