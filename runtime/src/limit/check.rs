//! One check: known refusals, then the store, then what to do without it.

use super::alone::{Question, at_once};
use super::blocked::Expected;
use super::decision::{Decision, Reason};
use super::degrade::degrade;
use super::note::{count, note};
use super::pair::{Pair, Part};
use super::resolve::parts;
use super::state::Limits;
use super::take::{NotTaken, policy, take};
use super::{Limit, OnOutage, script};
use crate::client::outage::Step;
use crate::clock::{Moment, Steady};
use crate::error::{Error, ErrorKind};
use crate::reply::no_reply;
use std::ops::ControlFlow;
use std::slice;
use std::sync::Arc;

/// Takes what these pairs cost, or nothing; there is at least one.
pub(crate) async fn check(state: &Arc<Limits>, pairs: &[Pair<'_>]) -> Result<Decision, Error> {
    if let [pair] = pairs {
        return match at_once(state, pair) {
            ControlFlow::Break(decided) => decided,
            ControlFlow::Continue(question) => ask(state, pair, question).await,
        };
    }
    let Steady {
        now, wall_ahead, ..
    } = state.client.steady();
    let parts = parts(state, pairs, now)?;
    let mut decision = match known(state, parts, now) {
        ControlFlow::Break(decision) => decision,
        ControlFlow::Continue(parts) => decide(state, &parts, now).await?,
    };
    decision.tell_at(wall_ahead);
    note(state, &decision, pairs);
    Ok(decision)
}

/// Takes from one limit what [`at_once`] could not.
pub(crate) async fn ask(
    state: &Arc<Limits>,
    pair: &Pair<'_>,
    question: Box<Question>,
) -> Result<Decision, Error> {
    let Question { part, steady } = &*question;
    let mut decision = decide(state, slice::from_ref(part), steady.now).await?;
    decision.tell_at(steady.wall_ahead);
    note(state, &decision, slice::from_ref(pair));
    Ok(decision)
}

/// The decision of who could not wait for the store's: not what `on_outage` says, since the store
/// may well be there.
pub(crate) fn give_up(state: &Arc<Limits>, first: &Limit) -> Decision {
    let now = state.client.settings.clock.unix_ms();
    let first = first.overridden(&state.overrides);
    let decision = Decision::degraded(&first, false, None, ErrorKind::Timeout, now);
    count(state, &decision, std::iter::once(&first));
    decision
}

/// As [`check`], where nothing but a decision can come out.
pub(crate) async fn admit(state: &Arc<Limits>, pairs: &[Pair<'_>]) -> Decision {
    let error = match check(state, pairs).await {
        Ok(decision) => return decision,
        Err(error) => error,
    };
    // A mistake of the program, which is nothing that its users are to be refused for.
    let now = state.client.settings.clock.unix_ms();
    let limits = pairs
        .iter()
        .map(|pair| pair.limit.overridden(&state.overrides));
    let limits: Vec<_> = limits.collect();
    let denying = limits
        .iter()
        .find(|limit| limit.outage_policy() == OnOutage::Deny);
    let Some(limit) = denying.or(limits.first()).copied() else {
        return Decision::degraded(&super::API, true, None, error.kind(), now);
    };
    state
        .client
        .outages
        .failed(Step::Limit, &limit.kind(), &error);
    let decision = Decision::degraded(&limit, denying.is_none(), None, error.kind(), now);
    count(state, &decision, limits.iter());
    decision
}

/// The refusal of a call by nobody.
pub(crate) fn unidentified(state: &Arc<Limits>, limit: &Limit) -> Decision {
    let now = state.client.settings.clock.unix_ms();
    let limit = limit.overridden(&state.overrides);
    let decision = Decision::unidentified(&limit, now);
    count(state, &decision, std::iter::once(&limit));
    decision
}

/// What [`check`] would find; takes nothing.
pub(crate) async fn look(state: &Arc<Limits>, pairs: &[Pair<'_>]) -> Result<Decision, Error> {
    let Steady {
        now, wall_ahead, ..
    } = state.client.steady();
    let parts = parts(state, pairs, now)?;
    let mut decision = read(state, &parts, now).await?;
    decision.tell_at(wall_ahead);
    Ok(decision)
}

/// The refusal of these that needs no command, if there is one.
fn known(state: &Limits, parts: Vec<Part>, now: Moment) -> ControlFlow<Decision, Vec<Part>> {
    let found = parts.iter().map(|part| {
        let rule = part.limit.rule();
        let counted = match state.blocked.expected(&part.key, rule, now, part.cost) {
            Expected::Refusal(counted, _) => Some(counted),
            _ => None,
        };
        policy(part, counted)
    });
    let is_too_costly = |part: &Part| part.cost > part.limit.units();
    if parts.iter().any(is_too_costly) {
        return ControlFlow::Continue(parts);
    }
    match Decision::counted(found.collect(), Reason::Blocked, now.unix_ms()) {
        Some(decision) => ControlFlow::Break(decision),
        None => ControlFlow::Continue(parts),
    }
}

async fn decide(state: &Arc<Limits>, parts: &[Part], now: Moment) -> Result<Decision, Error> {
    let at = now.unix_ms();
    if let Some(part) = parts.iter().find(|part| part.cost > part.limit.units()) {
        let policies = parts.iter().map(|part| policy(part, None)).collect();
        return Ok(Decision::too_costly(&part.limit, policies, at));
    }
    let answer = if parts.iter().all(|part| part.cost == 0) {
        read(state, parts, now).await.map_err(NotTaken::from)
    } else {
        take(state, parts, now).await
    };
    match answer {
        Ok(decision) => {
            state.client.outages.succeeded(Step::Limit);
            Ok(decision)
        }
        Err(NotTaken { error, taken }) => {
            let decision = degrade(state, parts, &error, now);
            // What is allowed without the store keeps what it took while the store still answered.
            if !decision.is_allowed() {
                taken.give_back(state).await;
            }
            Ok(decision)
        }
    }
}

async fn read(state: &Arc<Limits>, parts: &[Part], now: Moment) -> Result<Decision, Error> {
    let at = now.unix_ms();
    let looks = parts.iter().map(|part| script::look(&part.budget(at)));
    let replies = state.client.send(looks.collect(), state.budget).await;
    let policies = parts.iter().zip(replies).map(|(part, reply)| {
        let held = script::read_look(&reply?)?;
        let verdict = part.limit.rule().peek(held, at, part.cost);
        Ok(policy(part, Some(verdict.into())))
    });
    let policies: Vec<_> = policies.collect::<Result<_, Error>>()?;
    Decision::counted(policies, Reason::Exhausted, at).ok_or_else(no_reply)
}

#[cfg(test)]
mod tests {
    use super::unidentified;
    use crate::limit::{API, Reason};
    use crate::pond::Millpond;

    #[test]
    fn a_call_by_nobody_is_counted_as_a_refused_check() {
        let pond = Millpond::memory();
        let decision = unidentified(&pond.0.limits, &API);
        assert_eq!(decision.reason(), Some(Reason::NoIdentifier));
        let stats = pond.stats().limits;
        assert_eq!((stats.checks, stats.refusals), (1, 1));
    }
}
