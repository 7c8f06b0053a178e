//! What an allowed call took, so that it can be given back to the windows that it came from.

use super::algorithm::{Algorithm, Rule};
use super::budgets::BudgetKey;
use super::names::{counter, index};
use super::pair::Part;
use super::script::Refund;
use bytes::Bytes;
#[cfg(not(target_arch = "wasm32"))]
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of one allowed call. Clones share what has been given back already.
#[derive(Clone, Debug)]
pub(crate) struct Receipt(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    parts: TakenParts,
    /// The units that each part has got back, or all that it took.
    returned: AtomicU64,
}

/// One in place, since most are of one limit.
#[derive(Debug)]
enum TakenParts {
    #[cfg(not(target_arch = "wasm32"))]
    One(TakenPart),
    Each(Vec<TakenPart>),
}

#[derive(Debug)]
pub(crate) struct TakenPart {
    pub(crate) rule: Rule,
    pub(crate) key: BudgetKey,
    pub(crate) base: Arc<str>,
    pub(crate) units: u64,
    /// When it was taken (ms); of a bucket, also when it will have flowed in again unless others take more.
    pub(crate) now: u64,
    pub(crate) tokens_left: u64,
}

/// Decisions are compared by what they say.
impl PartialEq for Receipt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Receipt {}

impl TakenPart {
    /// What this part took, when so much was left afterwards.
    pub(crate) fn new(part: &Part, now: u64, left: u64) -> Self {
        Self {
            rule: part.limit.rule(),
            key: part.key,
            base: Arc::clone(&part.base),
            units: part.add,
            now,
            tokens_left: left,
        }
    }

    fn refund(&self, units: u64, now: u64) -> Option<Refund> {
        let mut units = units;
        let key = match self.rule.algorithm {
            Algorithm::TokenBucket => {
                // What the bucket would have lost over its edge by now does not come back twice.
                let flowed = now.saturating_sub(self.now) / self.rule.window;
                let flowed = flowed.saturating_mul(self.rule.refill);
                let room = self.rule.units.saturating_sub(self.tokens_left);
                units = units.min(room.saturating_sub(flowed));
                Bytes::copy_from_slice(self.base.as_bytes())
            }
            Algorithm::FixedWindow | Algorithm::SlidingWindow => {
                counter(&self.base, index(self.rule, self.now))
            }
        };
        let rule = self.rule;
        (units > 0).then_some(Refund { rule, key, units })
    }
}

impl Receipt {
    pub(crate) fn new(parts: Vec<TakenPart>) -> Self {
        Self::of(TakenParts::Each(parts))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn of_one(part: TakenPart) -> Self {
        Self::of(TakenParts::One(part))
    }

    fn of(parts: TakenParts) -> Self {
        Self(Arc::new(Taken {
            parts,
            returned: AtomicU64::new(0),
        }))
    }

    /// Everything that was taken, by whichever part took most.
    pub(crate) fn units(&self) -> u64 {
        let units = self.parts().iter().map(|part| part.units);
        units.max().unwrap_or(0)
    }

    /// What is to be given back of so many units; nothing is given back twice.
    pub(crate) fn give_back(&self, units: u64, now: u64) -> Vec<Refund> {
        let most = self.units();
        let next = |returned: u64| Some(returned.saturating_add(units).min(most));
        let before = self
            .0
            .returned
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, next)
            .unwrap_or(most);
        let after = next(before).unwrap_or(most);
        let of = |part: &TakenPart| part.units.min(after) - part.units.min(before);
        let parts = self.parts().iter();
        parts
            .filter_map(|part| part.refund(of(part), now))
            .collect()
    }

    pub(crate) fn parts(&self) -> &[TakenPart] {
        match &self.0.parts {
            #[cfg(not(target_arch = "wasm32"))]
            TakenParts::One(part) => slice::from_ref(part),
            TakenParts::Each(parts) => parts,
        }
    }
}
