//! From the pairs of a call to the counters that it takes from.

use super::blocked::Expected;
use super::decision::{Decision, Reason};
use super::pair::{Pair, Part};
use super::state::Limits;
use crate::clock::Moment;
use crate::error::Error;
use crate::key::scratch;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The budget of a pair that stands alone, or the refusal that needs no command: the usual case of one limit
/// under attack, in which nothing is allocated.
pub(crate) fn part_or_refusal(
    state: &Limits,
    pair: &Pair<'_>,
    now: Moment,
) -> ControlFlow<Result<Decision, Error>, Vec<Part>> {
    let overridden;
    let limit = if state.overrides.is_empty() {
        &pair.limit
    } else {
        overridden = pair.limit.overridden(&state.overrides);
        &overridden
    };
    let mut base = scratch::take();
    let key = match state.names.budget(limit, &pair.id, &mut base) {
        Ok(key) => key,
        Err(error) => return ControlFlow::Break(Err(error)),
    };
    let expected = state.blocked.expected(&key, limit.rule(), now, pair.cost);
    let look_first = !matches!(expected, Expected::Unknown);
    let known = match expected {
        Expected::Refusal(counted, name) if pair.cost <= limit.units() => {
            let at = now.unix_ms();
            let decision = Decision::of_one(limit, name, counted, Reason::Blocked, at);
            ControlFlow::Break(Ok(decision))
        }
        _ => ControlFlow::Continue(vec![Part {
            limit: *limit,
            key,
            base: Arc::from(&*base),
            is_shared: pair.id.is_empty(),
            cost: pair.cost,
            add: pair.cost,
            look_first,
        }]),
    };
    scratch::keep(base);
    known
}

/// The budgets of these pairs. Pairs that meet in one counter are checked with the sum of their costs.
pub(crate) fn parts(state: &Limits, pairs: &[Pair<'_>], now: Moment) -> Result<Vec<Part>, Error> {
    let mut parts: Vec<Part> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let limit = pair.limit.overridden(&state.overrides);
        let mut base = String::new();
        let key = state.names.budget(&limit, &pair.id, &mut base)?;
        let mut part = Part {
            limit,
            key,
            base: base.into(),
            is_shared: pair.id.is_empty(),
            cost: pair.cost,
            add: pair.cost,
            look_first: false,
        };
        let mut is_known = false;
        for earlier in &mut parts {
            if !earlier.shares_counter_with(&part) {
                continue;
            }
            earlier.cost = earlier.cost.saturating_add(pair.cost);
            part.cost = earlier.cost;
            // A bucket is written as a whole, by every part on it.
            if earlier.is_bucket() || earlier.add > 0 {
                earlier.add = earlier.cost;
            }
            part.add = if earlier.is_bucket() { part.cost } else { 0 };
            is_known |= earlier.limit.rule() == part.limit.rule();
        }
        if !is_known {
            parts.push(part);
        }
    }
    for part in &mut parts {
        let expected = state
            .blocked
            .expected(&part.key, part.limit.rule(), now, part.cost);
        part.look_first = !matches!(expected, Expected::Unknown);
    }
    Ok(parts)
}
