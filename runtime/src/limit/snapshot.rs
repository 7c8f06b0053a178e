//! What the store held of a budget when this process last heard of it.

use super::algorithm::{Algorithm, Change, Held, Rule};

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
            Some(Change::Uncount(_)) | None => held,
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
