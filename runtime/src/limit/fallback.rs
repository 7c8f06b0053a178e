//! The limiter that takes over in this process while the store cannot answer.

use super::Limit;
use super::algorithm::Held;
use super::budgets::BudgetKey;
use super::pair::Part;
use super::snapshot::Snapshot;
use super::table::{Budget, Table};
use crate::clock::Moment;
use crate::sync;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// A table for each limit, under one lock, since a call can take from several.
#[derive(Debug, Default)]
pub(crate) struct Fallback {
    tables: Mutex<HashMap<Limit, Table>>,
}

/// What the process decided on its own.
pub(crate) struct Local {
    pub(crate) allowed: bool,
    pub(crate) retry_at: Option<u64>,
    pub(crate) refused_by: Option<Limit>,
}

impl Fallback {
    /// Takes this process's share from all of these budgets, or from none.
    pub(crate) fn check(&self, parts: &[&Part], now: Moment) -> Local {
        let mut tables = sync::lock(&self.tables);
        let at = now.unix_ms();
        let mut local = Local {
            allowed: true,
            retry_at: Some(0),
            refused_by: None,
        };
        let mut changes = Vec::with_capacity(parts.len());
        for part in parts {
            let rule = part.limit.shared_rule();
            let limit = part.limit.of_budgets();
            let table = tables.entry(limit).or_default();
            let before = table.find(&part.key, now);
            let held = before.map_or_else(Held::default, |before| before.held(rule, now));
            let verdict = rule.check(held, at, part.cost);
            if !verdict.allowed {
                local.allowed = false;
                local.retry_at = local.retry_at.zip(verdict.retry_at).map(|(a, b)| a.max(b));
                local.refused_by.get_or_insert(part.limit);
                continue;
            }
            let after = Snapshot::after(rule, held, verdict.change, at);
            let snapshot = before.map_or(after, |before| after.not_before(&before.snapshot));
            let life = Duration::from_millis(rule.life(snapshot.at_or_before(rule, at), at));
            let ends = now.monotonic.saturating_add(life);
            let ends = before.map_or(ends, |before| ends.max(before.ends));
            let budget = Budget {
                rule,
                snapshot,
                ends,
            };
            changes.push((limit, part.key, budget));
        }
        if local.allowed {
            for (limit, key, budget) in changes {
                if let Some(table) = tables.get_mut(&limit) {
                    table.put(key, budget, now);
                }
            }
        }
        local
    }

    /// Forgets what was taken.
    pub(crate) fn forget(&self, limit: &Limit, key: &BudgetKey) {
        if let Some(table) = sync::lock(&self.tables).get_mut(&limit.of_budgets()) {
            table.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fallback;
    use crate::clock::Moment;
    use crate::limit::budgets::BudgetKey;
    use crate::limit::pair::Part;
    use crate::limit::{AUTH, Limit};
    use std::time::Duration;

    fn part(limit: Limit, id: &str, cost: u64) -> Part {
        Part {
            limit,
            key: BudgetKey::new(id, limit.rule()),
            base: id.into(),
            is_shared: false,
            cost,
            add: cost,
            look_first: false,
        }
    }

    fn at(unix_ms: u64, monotonic: u64) -> Moment {
        Moment {
            wall: Duration::from_millis(unix_ms),
            monotonic: Duration::from_millis(monotonic),
        }
    }

    #[test]
    fn what_was_taken_before_the_clock_went_back_still_counts_when_it_is_right_again() {
        let fixed = Limit::fixed_window("AUTH", 5, Duration::from_secs(60));
        for limit in [AUTH, fixed] {
            let fallback = Fallback::default();
            let allowed = |now, cost| fallback.check(&[&part(limit, "u", cost)], now).allowed;
            assert!(allowed(at(600_000, 0), 4));
            assert!(allowed(at(0, 0), 1), "a clock that went back stands still");
            assert!(!allowed(at(0, 0), 1));
            assert!(!allowed(at(600_000, 0), 1), "{limit:?}");
            assert!(allowed(at(720_000, 120_000), 1));
        }
    }

    #[test]
    fn a_clock_that_was_fast_locks_nobody_out_for_longer_than_a_window_and_ten_seconds() {
        let fixed = Limit::fixed_window("AUTH", 5, Duration::from_secs(60));
        let bucket = Limit::token_bucket("AUTH", 5, Duration::from_secs(60), 5);
        for limit in [fixed, bucket] {
            let fallback = Fallback::default();
            let allowed = |now, cost| fallback.check(&[&part(limit, "u", cost)], now).allowed;
            assert!(allowed(at(3_600_000, 0), 5));
            assert!(!allowed(at(0, 0), 1));
            assert!(!allowed(at(59_000, 59_000), 1), "{limit:?}");
            assert!(allowed(at(70_000, 70_000), 1), "{limit:?}");
        }
    }

    /// A login limit under attack.
    #[test]
    fn a_flood_of_new_identifiers_lets_in_nobody_whose_budget_is_used_up() {
        let fallback = Fallback::default();
        let now = at(600_000, 0);
        let allowed = |id: &str| fallback.check(&[&part(AUTH, id, 1)], now).allowed;
        for _ in 0..5 {
            assert!(allowed("used up"));
        }
        for _ in 0..4 {
            assert!(allowed("one left"));
        }
        for id in 0..1_000_000 {
            assert!(allowed(&id.to_string()));
        }
        assert!(!allowed("used up"));
        assert!(allowed("one left"));
        assert!(!allowed("one left"));
    }

    #[test]
    fn while_all_budgets_are_used_up_newcomers_share_some_and_later_all_are_admitted() {
        let fallback = Fallback::default();
        let now = at(600_000, 0);
        let check = |id: &str, now| fallback.check(&[&part(AUTH, id, 1)], now).allowed;
        for _ in 0..5 {
            assert!(check("used up", now));
        }
        let mut admitted = 0;
        for id in 0..100_000 {
            let id = id.to_string();
            admitted += (0..5).filter(|_| check(&id, now)).count();
        }
        assert!(admitted <= (20_000 + 1_024) * 5, "{admitted}");
        assert!(admitted >= 20_000 * 5 - 5, "{admitted}");
        assert!(!check("used up", now));
        assert!(!check("a newcomer", now));
        let later = at(600_000 + 120_000, 120_000);
        for id in 0..30_000 {
            assert!(check(&format!("later {id}"), later), "{id}");
        }
    }
}
