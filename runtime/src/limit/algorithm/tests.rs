use super::{Algorithm, Change, GRACE, Held, LAST_TIME, LONGEST, MOST_UNITS, Rule, Verdict};
use proptest::prelude::*;
use std::collections::HashMap;

const T: u64 = 1_767_225_600_000;

/// What an engine does with a verdict: applies the change to what it holds.
#[derive(Default)]
struct Store {
    counters: HashMap<u64, i64>,
    bucket: Held,
}

impl Store {
    fn held(&self, rule: Rule, now: u64) -> Held {
        if rule.algorithm == Algorithm::TokenBucket {
            return self.bucket;
        }
        let index = rule.index(now);
        let before = index
            .checked_sub(1)
            .and_then(|before| self.counters.get(&before));
        Held(self.counters.get(&index).copied(), before.copied())
    }

    fn check(&mut self, rule: Rule, now: u64, cost: u64) -> Verdict {
        let verdict = rule.check(self.held(rule, now), now, cost);
        if let Some(change) = verdict.change {
            self.apply(rule, now, change);
        }
        verdict
    }

    fn apply(&mut self, rule: Rule, now: u64, change: Change) {
        let index = rule.index(now);
        match change {
            Change::Count { add, .. } => {
                *self.counters.entry(index).or_default() += i64::try_from(add).unwrap();
            }
            Change::Fill {
                refilled_at,
                tokens,
                ..
            } => self.bucket = Held(Some(refilled_at), Some(tokens)),
            Change::Uncount(less) => {
                *self.counters.entry(index).or_default() -= i64::try_from(less).unwrap();
            }
        }
    }
}

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::FixedWindow),
        Just(Algorithm::SlidingWindow),
        Just(Algorithm::TokenBucket),
    ]
}

/// Ordinary rules, and those at the bounds of what a limit can be.
fn rules() -> impl Strategy<Value = Rule> {
    let units = prop_oneof![1..20_u64, 1..=MOST_UNITS, Just(MOST_UNITS)];
    let window = prop_oneof![1..10_u64, 1..100_000_u64, 1..=LONGEST, Just(LONGEST)];
    let refill = prop_oneof![1..20_u64, 1..=MOST_UNITS];
    (algorithms(), units, window, refill).prop_filter_map(
        "the bucket takes too long",
        |(kind, units, window, refill)| {
            let refill = if kind == Algorithm::TokenBucket {
                refill
            } else {
                units
            };
            Rule::new(kind, units, window, refill).ok()
        },
    )
}

fn small_rules(algorithm: Algorithm) -> impl Strategy<Value = Rule> {
    (1..20_u64, 1..100_u64, 1..10_u64).prop_map(move |(units, window, refill)| {
        let refill = if algorithm == Algorithm::TokenBucket {
            refill
        } else {
            units
        };
        Rule::new(algorithm, units, window, refill).unwrap()
    })
}

/// Times that mostly go on, and now and then back, with a cost each.
fn calls() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let step = prop_oneof![4 => 0..10_i64, 2 => 0..300_i64, 1 => -200..0_i64];
    prop::collection::vec((step, 0..8_u64), 1..200).prop_map(|steps| {
        let mut now = T;
        steps
            .into_iter()
            .map(|(step, cost)| {
                now = now.saturating_add_signed(step);
                (now, cost)
            })
            .collect()
    })
}

fn any_held() -> impl Strategy<Value = Held> {
    let number = || {
        prop_oneof![
            Just(None),
            (-5..30_i64).prop_map(Some),
            any::<i64>().prop_map(Some),
            (0..10_000_000_i64).prop_map(|ago| Some(T.cast_signed() - ago)),
        ]
    };
    (number(), number()).prop_map(|(first, second)| Held(first, second))
}

/// What is held at a later time if nobody called meanwhile.
fn carried(rule: Rule, held: Held, from: u64, to: u64) -> Held {
    if rule.algorithm == Algorithm::TokenBucket {
        let is_gone = to >= from + rule.life(held, from);
        return if is_gone { Held(None, None) } else { held };
    }
    match rule.index(to) - rule.index(from) {
        0 => held,
        1 => Held(None, held.0),
        _ => Held(None, None),
    }
}

proptest! {
    #[test]
    fn a_fixed_window_never_gives_more_than_the_limit(
        rule in small_rules(Algorithm::FixedWindow), calls in calls()
    ) {
        let mut store = Store::default();
        let mut taken: HashMap<u64, u64> = HashMap::new();
        for (now, cost) in calls {
            if store.check(rule, now, cost).allowed {
                let sum = taken.entry(now / rule.window).or_default();
                *sum += cost;
                prop_assert!(*sum <= rule.units);
            }
        }
    }

    #[test]
    fn a_sliding_window_lets_the_previous_one_count_in_proportion(
        rule in small_rules(Algorithm::SlidingWindow), calls in calls()
    ) {
        let mut store = Store::default();
        let mut taken: HashMap<u64, u64> = HashMap::new();
        for (now, cost) in calls {
            if store.check(rule, now, cost).allowed && cost > 0 {
                let index = now / rule.window;
                *taken.entry(index).or_default() += cost;
                let (current, previous) = (taken[&index], taken.get(&(index - 1)).unwrap_or(&0));
                prop_assert!(current <= rule.units);
                let gone = now % rule.window;
                let bound = rule.units + (previous * gone).div_ceil(rule.window) + 1;
                prop_assert!(previous + current <= bound);
            }
        }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_what_came_back_since(
        rule in small_rules(Algorithm::TokenBucket), calls in calls()
    ) {
        let mut store = Store::default();
        let (mut taken, mut earliest, mut latest) = (0, calls[0].0, calls[0].0);
        for (now, cost) in calls {
            earliest = earliest.min(now);
            latest = latest.max(now);
            if store.check(rule, now, cost).allowed {
                taken += cost;
                let intervals = (latest - earliest) / rule.window + 1;
                prop_assert!(taken <= rule.units + rule.refill * intervals);
            }
        }
    }

    #[test]
    fn a_bucket_is_full_when_its_key_expires(
        rule in small_rules(Algorithm::TokenBucket), cost in 1..20_u64
    ) {
        let mut store = Store::default();
        let verdict = store.check(rule, T, cost.min(rule.units));
        let Some(Change::Fill { lifetime: Some(lifetime), .. }) = verdict.change else {
            return Err(TestCaseError::fail("a bucket that gave something is stored"));
        };
        prop_assert!(lifetime > GRACE);
        let lifetime = lifetime - GRACE;
        prop_assert_eq!(store.check(rule, T + lifetime, 0).remaining, rule.units);
        prop_assert!(store.check(rule, T + lifetime - 1, 0).remaining < rule.units);
    }

    #[test]
    fn no_numbers_overflow(
        rule in rules(), held in any_held(), now in any::<u64>(),
        cost in prop_oneof![0..30_u64, any::<u64>()]
    ) {
        let verdict = rule.check(held, now, cost);
        rule.peek(held, now, cost);
        rule.refund(held, now, cost);
        prop_assert_eq!(verdict.change.is_some(), verdict.allowed && cost > 0);
        prop_assert_eq!(verdict.retry_at.is_some(), !verdict.allowed && cost <= rule.units);
        if cost == 0 {
            prop_assert!(verdict.allowed);
        }
        if cost > rule.units {
            prop_assert!(!verdict.allowed);
        }
    }

    #[test]
    fn a_refused_call_is_allowed_at_the_time_it_is_told_and_not_before(
        rule in rules(), held in any_held(), ago in 0..10_000_000_u64,
        cost in prop_oneof![1..30_u64, 1..=MOST_UNITS], before in 0.0..1.0_f64
    ) {
        let now = T - ago;
        let verdict = rule.check(held, now, cost);
        if let Some(retry_at) = verdict.retry_at.filter(|at| *at < LAST_TIME) {
            prop_assert!(retry_at > now);
            let allowed = |at| rule.check(carried(rule, held, now, at), at, cost).allowed;
            prop_assert!(allowed(retry_at));
            prop_assert!(!allowed(retry_at - 1));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let between = now + ((retry_at - 1 - now) as f64 * before) as u64;
            prop_assert!(!allowed(between));
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_no_more(
        rule in algorithms().prop_flat_map(small_rules), calls in calls(), back in 0..30_u64
    ) {
        let mut store = Store::default();
        let mut now = T;
        for (at, cost) in calls {
            now = at;
            store.check(rule, now, cost);
        }
        let left = rule.check(store.held(rule, now), now, 0).remaining;
        if let Some(change) = rule.refund(store.held(rule, now), now, back) {
            store.apply(rule, now, change);
        }
        let after = rule.check(store.held(rule, now), now, 0).remaining;
        prop_assert!(left <= after && after <= (left + back).min(rule.units));
        if rule.algorithm == Algorithm::TokenBucket && store.bucket.0.is_some() {
            prop_assert_eq!(after, (left + back).min(rule.units));
        }
    }
}

fn rule(algorithm: Algorithm, units: u64, window: u64) -> Rule {
    Rule::new(algorithm, units, window, units).unwrap()
}

#[test]
fn a_refused_call_costs_nothing() {
    for algorithm in [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::TokenBucket,
    ] {
        let rule = rule(algorithm, 5, 1_000);
        let mut store = Store::default();
        assert!(store.check(rule, T, 3).allowed);
        let refused = store.check(rule, T, 3);
        assert_eq!((refused.allowed, refused.remaining), (false, 2));
        assert!(store.check(rule, T, 2).allowed, "{algorithm:?}");
    }
}

#[test]
fn the_previous_window_weighs_what_floats_make_of_it() {
    // A tenth of 10 is 1, but 1 - 0.9 is a little under 0.1, in JavaScript, Lua and here.
    let rule = rule(Algorithm::SlidingWindow, 10, 60_000);
    let verdict = rule.check(Held(None, Some(10)), T + 54_000, 10);
    assert!(verdict.allowed);
}

#[test]
fn a_bucket_that_an_older_client_drained_below_zero_still_refills() {
    let rule = Rule::new(Algorithm::TokenBucket, 5, 1_000, 2).unwrap();
    let held = Held(Some(T.cast_signed()), Some(-3));
    let verdict = rule.check(held, T, 1);
    assert_eq!(
        (verdict.remaining, verdict.retry_at),
        (0, Some(T + 2_000)),
        "-3 and twice 2 are 1"
    );
    assert!(rule.check(held, T + 2_000, 1).allowed);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let new = Rule::new;
    assert!(new(Algorithm::FixedWindow, 0, 1, 1).is_err());
    assert!(new(Algorithm::FixedWindow, 1, 0, 1).is_err());
    assert!(new(Algorithm::TokenBucket, 1, 1, 0).is_err());
    assert!(new(Algorithm::FixedWindow, MOST_UNITS + 1, 1, 1).is_err());
    assert!(new(Algorithm::FixedWindow, 1, LONGEST + 1, 1).is_err());
    assert!(new(Algorithm::TokenBucket, 2, LONGEST, 1).is_err());
    assert!(new(Algorithm::TokenBucket, MOST_UNITS, LONGEST, 1).is_err());
}
