//! The limiter that takes over in this process while the store cannot answer.

use super::Limit;
use super::algorithm::{Held, Rule};
use super::budgets::{BudgetKey, Budgets, make_room};
use super::snapshot::Snapshot;

#[derive(Debug, Default)]
pub(crate) struct Fallback {
    taken: Budgets<Taken>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    rule: Rule,
    snapshot: Snapshot,
}

/// What the process decided on its own.
pub(crate) struct Local {
    pub(crate) allowed: bool,
    pub(crate) retry_at: Option<u64>,
}

impl Fallback {
    /// Takes this process's share from all of these budgets, or from none.
    pub(crate) fn check(&self, budgets: &[(Limit, BudgetKey)], now: u64, cost: u64) -> Local {
        let mut taken = self.taken.lock();
        let mut local = Local {
            allowed: true,
            retry_at: Some(0),
        };
        let mut changes = Vec::with_capacity(budgets.len());
        for (limit, key) in budgets {
            let rule = limit.shared_rule();
            let before = taken.get(key).map(|entry| entry.snapshot);
            let held = before.map_or_else(Held::default, |before| before.at_or_before(rule, now));
            let verdict = rule.check(held, now, cost);
            let after = Snapshot::after(rule, held, verdict.change, now);
            let snapshot = before.map_or(after, |before| after.not_before(&before));
            changes.push((*key, Taken { rule, snapshot }));
            if !verdict.allowed {
                local.allowed = false;
                local.retry_at = local.retry_at.zip(verdict.retry_at).map(|(a, b)| a.max(b));
            }
        }
        if local.allowed {
            for (key, entry) in changes {
                make_room(&mut taken, |entry| {
                    !entry.snapshot.is_spent(entry.rule, now)
                });
                taken.insert(key, entry);
            }
        }
        local
    }

    /// Forgets what was taken.
    pub(crate) fn forget(&self, key: &BudgetKey) {
        self.taken.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::Fallback;
    use crate::limit::budgets::BudgetKey;
    use crate::limit::{AUTH, Limit};
    use std::time::Duration;

    #[test]
    fn what_was_taken_before_the_clock_went_back_still_counts_when_it_is_right_again() {
        let fixed = Limit::fixed_window("AUTH", 5, Duration::from_secs(60));
        for limit in [AUTH, fixed] {
            let fallback = Fallback::default();
            let budgets = [(limit, BudgetKey::new("u", limit.rule()))];
            let allowed = |now, cost| fallback.check(&budgets, now, cost).allowed;
            assert!(allowed(600_000, 4));
            assert!(allowed(0, 1), "a clock that went back stands still");
            assert!(!allowed(0, 1));
            assert!(!allowed(600_000, 1), "{limit:?}");
            assert!(allowed(720_000, 1));
        }
    }
}
