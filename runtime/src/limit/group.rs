//! The limits of one check.

use super::Limit;
use super::algorithm::Algorithm;
use super::names::{Names, Subject};
use super::state::Limits;

/// Limits that one call has to pass; there is at least one.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) first: Limit,
    pub(crate) more: Vec<Limit>,
}

impl Group {
    /// This limit alone, unless start-up has another for its kind.
    pub(crate) fn one(state: &Limits, limit: &Limit) -> Self {
        Self::several(state, limit, &[])
    }

    /// These limits, unless start-up has others for their kinds; without those that would share the
    /// budgets of an earlier one.
    pub(crate) fn several(state: &Limits, first: &Limit, more: &[Limit]) -> Self {
        let overridden = |limit: &Limit| limit.overridden(&state.overrides);
        let mut group = Self {
            first: overridden(first),
            more: Vec::with_capacity(more.len()),
        };
        for limit in more.iter().map(overridden) {
            if !group.counts_like(&limit) {
                group.more.push(limit);
            }
        }
        group
    }

    /// Two limits on the same budgets would each be checked as if the other took nothing. Windows
    /// that are fixed and windows that slide have the same counters.
    pub(crate) fn counts_like(&self, limit: &Limit) -> bool {
        let budgets = |limit: &Limit| {
            let bucket = limit.algorithm() == Algorithm::TokenBucket;
            (limit.kind(), bucket, limit.window())
        };
        self.iter().any(|other| budgets(other) == budgets(limit))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Limit> {
        std::iter::once(&self.first).chain(&self.more)
    }

    pub(crate) fn subjects(&self, names: &Names, id: &str) -> Vec<Subject<'_>> {
        self.iter().map(|limit| names.subject(limit, id)).collect()
    }
}
