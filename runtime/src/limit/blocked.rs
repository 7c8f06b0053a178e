//! Who is known to be refused, so that no command need be sent.
//!
//! Remembered is what the store held when it refused. Others can only have taken more since, so a
//! call that would be refused even by that is refused; one that costs less, or comes when units
//! have come back, is sent. It may forget anything, since the store refuses too.

use super::algorithm::Rule;
use super::budgets::{BudgetKey, Budgets, make_room};
use super::decision::{BudgetName, Counted, digest};
use super::snapshot::Snapshot;
use crate::clock::{Coarse, Moment};

#[derive(Debug)]
pub(crate) struct Blocked {
    /// Off, nothing is remembered, so nothing is found.
    on: bool,
    refusals: Budgets<Refusal>,
}

/// What is remembered of a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    snapshot: Snapshot,
    /// What a decision tells of the name.
    digest: [u8; 8],
    /// By the wall clock, when the arithmetic allows a call again; 0 if no call was refused yet.
    until: u64,
    /// By the monotonic clock in ns, when that time has passed, or the key is gone: a wall clock that was
    /// ahead when it was remembered does not lock anybody out once it is right again.
    ends: u64,
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

    pub(crate) fn of(&self, key: &BudgetKey) -> Option<Refusal> {
        self.refusals.lock().get(key).copied()
    }

    /// What the store will say of this call, as far as it is known.
    pub(crate) fn expected(&self, key: &BudgetKey, rule: Rule, now: Moment, cost: u64) -> Expected {
        match self.of(key) {
            Some(refusal) => self.expected_of(&refusal, key, rule, now, cost),
            None => Expected::Unknown,
        }
    }

    /// The same where it has been looked up.
    pub(crate) fn expected_of(
        &self,
        refusal: &Refusal,
        key: &BudgetKey,
        rule: Rule,
        now: Moment,
        cost: u64,
    ) -> Expected {
        let monotonic = Coarse::from(now).monotonic;
        let is_over = refusal.ends <= monotonic;
        if is_over {
            self.forget_ended(key, monotonic);
        }
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
        let monotonic = Coarse::from(now).monotonic;
        let refusal = Refusal {
            snapshot,
            digest: digest(name),
            until: until.unwrap_or(0),
            ends: monotonic.saturating_add(wait.saturating_mul(1_000_000)),
        };
        let mut refusals = self.refusals.lock();
        make_room(&mut refusals, |refusal| refusal.ends > monotonic);
        refusals.insert(key, refusal);
    }

    /// Brings what is known up to date, where anything is.
    pub(crate) fn refresh(&self, key: &BudgetKey, snapshot: Snapshot) {
        if let Some(refusal) = self.refusals.lock().get_mut(key) {
            refusal.snapshot = snapshot;
        }
    }

    /// Forgets it unless it was remembered anew.
    fn forget_ended(&self, key: &BudgetKey, monotonic: u64) {
        let mut refusals = self.refusals.lock();
        if refusals.get(key).is_some_and(|it| it.ends <= monotonic) {
            refusals.remove(key);
        }
    }

    /// Forgets it: units were given back, or the budget was reset.
    pub(crate) fn forget(&self, key: &BudgetKey) {
        self.refusals.lock().remove(key);
    }
}

impl Refusal {
    /// The refusal of a call by clocks that lag behind by up to so many ns: one that comes out the same at each time
    /// that it may be. Nothing near the end of anything.
    pub(crate) fn by_coarse(
        &self,
        rule: Rule,
        now: Coarse,
        lag: u64,
        cost: u64,
    ) -> Option<(Counted, BudgetName)> {
        let (at, latest) = (now.unix_ms(), now.later(lag));
        let latest_ms = latest.unix_ms();
        if self.ends <= latest.monotonic || self.until <= latest_ms {
            return None;
        }
        let verdict = rule.check(self.snapshot.at(rule, at)?, at, cost);
        let counted = Counted::from(verdict);
        let lasts = !counted.allowed
            && counted.reset > latest_ms
            && counted.retry_at.is_none_or(|retry| retry > latest_ms);
        lasts.then_some((counted, BudgetName::Digest(self.digest)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Blocked, Expected, Refusal};
    use crate::clock::{Coarse, Moment};
    use crate::limit::AUTH;
    use crate::limit::algorithm::{Algorithm, Held, Rule};
    use crate::limit::budgets::BudgetKey;
    use crate::limit::snapshot::Snapshot;
    use proptest::prelude::*;
    use std::time::Duration;

    const WINDOW: u64 = 300;
    const LAG_MS: u64 = 10;

    fn moment(ms: u64) -> Moment {
        let time = Duration::from_millis(ms);
        Moment {
            monotonic: time,
            wall: time,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn what_coarse_clocks_refuse_is_refused_whatever_the_precise_ones_say(
            algorithm in prop::sample::select(vec![
                Algorithm::FixedWindow,
                Algorithm::SlidingWindow,
                Algorithm::TokenBucket,
            ]),
            held in (0..9_i64, 0..9_i64),
            costs in (1..5_u64, 1..5_u64),
            began in 3 * WINDOW..5 * WINDOW,
            passed in 0..2 * WINDOW,
        ) {
            let rule = Rule::new(algorithm, 5, WINDOW, 2).unwrap();
            let held = match algorithm {
                Algorithm::TokenBucket => Held(Some(began.cast_signed()), Some(held.0 % 5)),
                _ => Held(Some(held.0), Some(held.1)),
            };
            let refused = rule.check(held, began, costs.0);
            if refused.allowed {
                return Ok(());
            }
            let blocked = Blocked::new(true);
            let key = BudgetKey::new("u", rule);
            let snapshot = Snapshot::after(rule, held, None, began);
            let life = rule.life(held, began);
            blocked.remember(key, "u", snapshot, refused.retry_at, life, moment(began));
            let known = blocked.of(&key).unwrap();
            let coarse = Coarse::from(moment(began + passed));
            let found = known.by_coarse(rule, coarse, LAG_MS * 1_000_000, costs.1);
            if let Some((by_coarse, _)) = found {
                for later in 0..=LAG_MS {
                    let now = moment(began + passed + later);
                    let precise = blocked.expected(&key, rule, now, costs.1);
                    let Expected::Refusal(precise, _) = precise else {
                        return Err(TestCaseError::fail(format!("{precise:?} after {later} ms")));
                    };
                    prop_assert_eq!(precise.retry_at, by_coarse.retry_at);
                    prop_assert_eq!(precise.reset, by_coarse.reset);
                    prop_assert!(precise.remaining >= by_coarse.remaining);
                    if algorithm != Algorithm::SlidingWindow {
                        prop_assert_eq!(precise.remaining, by_coarse.remaining);
                    }
                }
            }
        }
    }

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
