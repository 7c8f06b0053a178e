//! What one call takes: pairs of a limit and who is counted by it, and the counters that they stand for.

use super::Limit;
use super::algorithm::Algorithm;
use super::budgets::BudgetKey;
use super::names::keys;
use super::script::Budget;
use std::borrow::Cow;
use std::sync::Arc;

/// One limit, who is counted by it, and how many units the call takes.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) limit: Limit,
    /// Empty for the budget that all callers share.
    pub(crate) id: Cow<'a, str>,
    pub(crate) cost: u64,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(limit: Limit, id: impl Into<Cow<'a, str>>, cost: u64) -> Self {
        let id = id.into();
        Self { limit, id, cost }
    }
}

/// A budget that a check takes from.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) limit: Limit,
    pub(crate) key: BudgetKey,
    pub(crate) base: Arc<str>,
    /// Whether all callers share it.
    pub(crate) is_shared: bool,
    /// What all pairs that meet in this counter cost together.
    pub(crate) cost: u64,
    /// How much of that this part adds to the counter: nothing, if another part does.
    pub(crate) add: u64,
    /// Whether this process expects a refusal, so that looking first is cheaper.
    pub(crate) look_first: bool,
}

impl Part {
    /// The numbers and the keys of this part at this time.
    pub(crate) fn budget(&self, now: u64) -> Budget {
        let rule = self.limit.rule();
        Budget {
            rule,
            keys: keys(rule, &self.base, now),
            cost: self.cost,
            add: self.add,
            look_first: self.look_first,
        }
    }

    pub(crate) fn is_bucket(&self) -> bool {
        self.limit.algorithm() == Algorithm::TokenBucket
    }

    /// Fixed and sliding windows of one length have the same counters; a name has one bucket.
    pub(crate) fn shares_counter_with(&self, other: &Self) -> bool {
        self.base == other.base && (self.is_bucket() || self.limit.window() == other.limit.window())
    }
}

/// Two limits of one check that are the same budget, by construction rather than by who calls, are a
/// mistake of the program.
pub(crate) fn is_same_budget(one: &Limit, other: &Limit) -> bool {
    fn of(limit: &Limit) -> (Cow<'static, str>, bool, std::time::Duration) {
        let bucket = limit.algorithm() == Algorithm::TokenBucket;
        (limit.place(), bucket, limit.window())
    }
    of(one) == of(other)
}
