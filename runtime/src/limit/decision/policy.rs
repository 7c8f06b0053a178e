//! The limits that a call had to pass, and what was found of each.

use crate::limit::Limit;
use crate::limit::algorithm::Verdict;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

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

/// A [`Policy`], wherever it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyRef<'a> {
    pub(crate) limit: &'a Limit,
    pub(crate) name: &'a BudgetName,
    pub(crate) counted: Option<Counted>,
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
pub(crate) enum BudgetName {
    Text(Arc<str>),
    /// All that is ever told of it.
    Digest([u8; 8]),
}

impl BudgetName {
    pub(crate) fn digest(&self) -> [u8; 8] {
        match self {
            Self::Text(text) => digest(text),
            Self::Digest(digest) => *digest,
        }
    }
}

impl fmt::Debug for BudgetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BudgetName(..)")
    }
}

/// The beginning of a hash of the name of a budget.
pub(crate) fn digest(name: &str) -> [u8; 8] {
    let digest = Sha256::digest(name.as_bytes());
    std::array::from_fn(|at| digest[at])
}

/// The limits that a call had to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Policies {
    /// One, whose numbers the decision itself has.
    Own(BudgetName),
    Each(Vec<Policy>),
}

impl From<Vec<Policy>> for Policies {
    fn from(policies: Vec<Policy>) -> Self {
        match &policies[..] {
            [own] => Self::Own(own.name.clone()),
            _ => Self::Each(policies),
        }
    }
}
