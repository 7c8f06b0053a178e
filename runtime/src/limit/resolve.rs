//! From the pairs of a call to the counters that it takes from.

use super::blocked::Expected;
use super::pair::{Pair, Part};
use super::state::Limits;
use crate::clock::Moment;
use crate::error::Error;

/// The budgets of these pairs. Pairs that meet in one counter are checked with the sum of their costs.
pub(crate) fn parts(state: &Limits, pairs: &[Pair<'_>], now: Moment) -> Result<Vec<Part>, Error> {
    let mut parts: Vec<Part> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let limit = pair.limit.overridden(&state.overrides);
        let mut base = String::new();
        let known = state.names.known(&limit)?;
        let key = state.names.budget(&limit, &known, &pair.id, &mut base);
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
