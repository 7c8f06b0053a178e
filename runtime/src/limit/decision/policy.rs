//! The limits that a call had to pass, and what was found of each.

use crate::limit::Limit;
use crate::limit::algorithm::Verdict;
use std::fmt;

/// One of the limits that a call had to pass, and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) limit: Limit,
    /// The name of the budget in the store.
    pub(crate) name: BudgetName,
    /// `None` if nobody counted.
    pub(crate) counted: Option<Counted>,
}

/// What was found of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) allowed: bool,
    pub(crate) remaining: u64,
    pub(crate) reset: u64,
    pub(crate) retry_at: Option<u64>,
}

impl Counted {
    /// Whether this is rather to be reported than the other.
    pub(super) fn is_stricter_than(&self, other: &Self) -> bool {
        let until = |counted: &Self| match counted.retry_at {
            _ if counted.allowed => 0,
            Some(at) => at,
            None => u64::MAX,
        };
        if self.allowed && other.allowed {
            let left = |counted: &Self| (counted.remaining, u64::MAX - counted.reset);
            return left(self) < left(other);
        }
        until(self) > until(other)
    }
}

impl From<Verdict> for Counted {
    fn from(verdict: Verdict) -> Self {
        Self {
            allowed: verdict.allowed,
            remaining: verdict.remaining,
            reset: verdict.reset,
            retry_at: verdict.retry_at.filter(|_| !verdict.allowed),
        }
    }
}

/// The name of a budget in the store. It holds the identifier, which can be a secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BudgetName(pub(crate) Box<str>);

impl fmt::Debug for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BudgetName(..)")
    }
}
