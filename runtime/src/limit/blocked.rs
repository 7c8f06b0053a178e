//! Who is known to be refused, so that no command need be sent.
//!
//! Remembered is what the store held when it refused. Others can only have taken more since, so a
//! call that would be refused even by that is refused; one that costs less, or comes when units
//! have come back, is sent. It may forget anything, since the store refuses too.

use super::algorithm::Rule;
use super::budgets::{BudgetKey, Budgets, make_room};
use super::decision::{BudgetName, Counted, digest};
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
    /// What a decision tells of the name.
    digest: [u8; 8],
    /// By the wall clock, when the arithmetic allows a call again; 0 if no call was refused yet.
    until: u64,
    /// By the monotonic clock, when that time has passed, or the key is gone: a wall clock that was
    /// ahead when it was remembered does not lock anybody out once it is right again.
    ends: Duration,
}

/// What this process expects of a call.
#[derive(Debug)]
pub(crate) enum Expected {
    /// The store would refuse it.
    Refusal(Counted, BudgetName),
    /// The store will probably refuse it, by what this process last saw.
    ProbablyRefusal,
    Unknown,
}

impl Blocked {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            refusals: Budgets::default(),
        }
    }

    /// What the store will say of this call, as far as it is known.
    pub(crate) fn expected(&self, key: &BudgetKey, rule: Rule, now: Moment, cost: u64) -> Expected {
        let mut refusals = self.refusals.lock();
        let Some(refusal) = refusals.get(key).copied() else {
            return Expected::Unknown;
        };
        let is_over = refusal.ends <= now.monotonic;
        if is_over {
            refusals.remove(key);
        }
        drop(refusals);
        let at = now.unix_ms();
        let Some(held) = refusal.snapshot.at(rule, at) else {
            return Expected::Unknown;
        };
        let verdict = rule.check(held, at, cost);
        if verdict.allowed {
            Expected::Unknown
        } else if is_over || refusal.until <= at {
            Expected::ProbablyRefusal
        } else {
            Expected::Refusal(verdict.into(), BudgetName::Digest(refusal.digest))
        }
    }

    /// Keeps in mind that this was too much to be allowed before `until`, while the key lives so many
    /// milliseconds; and what is used up, even where nothing was refused yet.
    pub(crate) fn remember(
        &self,
        key: BudgetKey,
        name: &str,
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
            digest: digest(name),
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
            blocked.remember(key, "p", snapshot, Some(60_000), 60_000, Moment::default());
        }
        let refusals = blocked.refusals.lock();
        assert!((10_000..=20_000).contains(&refusals.len()));
        // Tables of the standard library are at most 7/8 full, with a byte beside each place.
        let place = size_of::<(BudgetKey, Refusal)>() + 1;
        let bytes = (refusals.capacity() * 8 / 7) * place;
        assert!((2_000_000..5_400_000).contains(&bytes), "{bytes}");
    }
}
