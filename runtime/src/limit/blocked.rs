//! Who is known to be refused, so that no command need be sent.
//!
//! Remembered is what the store held when it refused. Others can only have taken more since, so a
//! call that would be refused even by that is refused; one that costs less, or comes when units
//! have come back, is sent. It may forget anything, since the store refuses too.

use super::algorithm::{Rule, Verdict};
use super::budgets::{BudgetKey, Budgets, make_room};
use super::snapshot::Snapshot;
use crate::clock::Moment;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Blocked {
    /// Off, nothing is remembered, so nothing is found.
    on: bool,
    refusals: Budgets<Refusal>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    snapshot: Snapshot,
    /// By the wall clock, when the arithmetic allows a call again; 0 if no call was refused yet.
    until: u64,
    /// By the monotonic clock, when that time has passed, or the key is gone: a wall clock that was
    /// ahead when it was remembered does not lock anybody out once it is right again.
    ends: Duration,
}

impl Blocked {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            refusals: Budgets::default(),
        }
    }

    /// The refusal of this call, if it is certain.
    pub(crate) fn find(
        &self,
        key: &BudgetKey,
        rule: Rule,
        now: Moment,
        cost: u64,
    ) -> Option<Verdict> {
        let mut refusals = self.refusals.lock();
        let refusal = *refusals.get(key)?;
        if refusal.ends <= now.monotonic {
            refusals.remove(key);
            return None;
        }
        if refusal.until <= now.unix_ms() {
            return None;
        }
        let held = refusal.snapshot.at(rule, now.unix_ms())?;
        Some(rule.check(held, now.unix_ms(), cost)).filter(|verdict| !verdict.allowed)
    }

    /// Whether the store will probably refuse this call, by what this process last saw.
    pub(crate) fn is_likely(&self, key: &BudgetKey, rule: Rule, now: Moment, cost: u64) -> bool {
        let refusals = self.refusals.lock();
        let held = refusals
            .get(key)
            .and_then(|seen| seen.snapshot.at(rule, now.unix_ms()));
        held.is_some_and(|held| !rule.check(held, now.unix_ms(), cost).allowed)
    }

    /// Keeps in mind that this was too much to be allowed before `until`, while the key lives so many
    /// milliseconds; and what is used up, even where nothing was refused yet.
    pub(crate) fn remember(
        &self,
        key: BudgetKey,
        snapshot: Snapshot,
        until: Option<u64>,
        life: u64,
        now: Moment,
    ) {
        if !self.on {
            return;
        }
        let wait = until.map_or(life, |until| until.saturating_sub(now.unix_ms()).min(life));
        let refusal = Refusal {
            snapshot,
            until: until.unwrap_or(0),
            ends: now.monotonic.saturating_add(Duration::from_millis(wait)),
        };
        let mut refusals = self.refusals.lock();
        make_room(&mut refusals, |refusal| refusal.ends > now.monotonic);
        refusals.insert(key, refusal);
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

#[cfg(test)]
mod tests {
    use super::{Blocked, Refusal};
    use crate::clock::Moment;
    use crate::limit::AUTH;
    use crate::limit::algorithm::Held;
    use crate::limit::budgets::BudgetKey;
    use crate::limit::snapshot::Snapshot;

    #[test]
    fn known_refusals_take_no_more_than_the_documentation_says() {
        let blocked = Blocked::new(true);
        let rule = AUTH.rule();
        let snapshot = Snapshot::after(rule, Held(Some(5), None), None, 0);
        for id in 0..80_000 {
            let key = BudgetKey::new(&id.to_string(), rule);
            blocked.remember(key, snapshot, Some(60_000), 60_000, Moment::default());
        }
        let refusals = blocked.refusals.lock();
        assert!((10_000..=20_000).contains(&refusals.len()));
        // Tables of the standard library are at most 7/8 full, with a byte beside each place.
        let place = size_of::<(BudgetKey, Refusal)>() + 1;
        let bytes = (refusals.capacity() * 8 / 7) * place;
        assert!((2_000_000..5_400_000).contains(&bytes), "{bytes}");
    }
}
