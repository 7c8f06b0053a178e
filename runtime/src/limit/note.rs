//! What becomes of a decision: it is counted, and handed on to whoever listens.

use super::Limit;
use super::decision::{Decision, Outcome, Reason};
use super::known::KnownLimit;
use super::pair::Pair;
use super::state::Limits;
use crate::stats::CheckOutcome;
use std::slice;
use std::sync::Arc;

/// Counts the decision on several pairs and hands it on.
pub(super) fn note(state: &Arc<Limits>, decision: &Decision, pairs: &[Pair<'_>]) {
    count(state, decision, pairs.iter().map(|pair| &pair.limit));
    hand_on(state, decision, pairs);
}

/// The same of one that stands alone.
pub(super) fn note_one(
    state: &Arc<Limits>,
    decision: &Decision,
    pair: &Pair<'_>,
    known: &KnownLimit,
) {
    state.client.begin_event();
    let counters = known.counters(&pair.limit, &state.counts);
    counters.count_alone(outcome(decision));
    hand_on(state, decision, slice::from_ref(pair));
}

fn hand_on(state: &Arc<Limits>, decision: &Decision, pairs: &[Pair<'_>]) {
    if state.analytics && decision.outcome() != Outcome::Degraded {
        for pair in pairs {
            state.record_check(pair, decision.is_allowed());
        }
    }
    #[cfg(feature = "tower")]
    super::decision_log::note(decision);
}

/// Counts a decision, and for each limit that took part in it what that limit said.
pub(super) fn count<'a>(
    state: &Arc<Limits>,
    decision: &Decision,
    mut limits: impl ExactSizeIterator<Item = &'a Limit> + Clone,
) {
    state.client.begin_event();
    let outcome = outcome(decision);
    if limits.len() == 1 {
        if let Some(limit) = limits.next() {
            state.counts.counters(&limit.kind()).count_alone(outcome);
        }
        return;
    }
    state.counts.count_several(outcome);
    let all = limits.clone();
    for (at, limit) in limits.enumerate() {
        let kind = limit.kind();
        if all.clone().take(at).any(|earlier| earlier.kind() == kind) {
            continue;
        }
        // Those that would have let the call pass have not refused it.
        let refused = outcome.refused && (decision.kind() == kind || decision.is_refused_by(&kind));
        let outcome = CheckOutcome { refused, ..outcome };
        state.counts.count_one_of_several(&kind, outcome);
    }
}

fn outcome(decision: &Decision) -> CheckOutcome {
    CheckOutcome {
        refused: !decision.is_allowed(),
        blocked: decision.reason() == Some(Reason::Blocked),
        degraded: matches!(decision.reason(), Some(Reason::Outage(_))),
    }
}
