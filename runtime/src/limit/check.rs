//! One check: known refusals, then the store, then what to do without it.

use super::decision::{Decision, Outcome, Reason};
use super::group::Group;
use super::names::Subject;
use super::snapshot::Snapshot;
use super::state::Limits;
use super::{Limit, OnOutage, script};
use crate::client::outage::Step;
use crate::error::{Error, ErrorKind};
use crate::reply::no_reply;
use std::sync::Arc;

/// Takes `cost` units of each of these limits, or of none.
pub(crate) async fn check(state: &Arc<Limits>, limits: &Group, id: &str, cost: u64) -> Decision {
    let decision = decide(state, limits, id, cost).await;
    count(state, &decision);
    if decision.outcome() != Outcome::Degraded {
        state.record_check(id, decision.is_allowed());
    }
    #[cfg(feature = "axum")]
    super::decision_log::note(&decision);
    decision
}

fn count(state: &Arc<Limits>, decision: &Decision) {
    let counts = &state.counts;
    counts.checks.add(1);
    if !decision.is_allowed() {
        counts.refusals.add(1);
    }
    match decision.reason() {
        Some(Reason::Blocked) => counts.blocked.add(1),
        Some(Reason::Outage(_)) => counts.degraded.add(1),
        _ => {}
    }
}

/// The decision of who could not wait for the store's: not what `on_outage` says, since the store
/// may well be there.
pub(crate) fn give_up(state: &Arc<Limits>, limits: &Group) -> Decision {
    let now = state.client.settings.clock.unix_ms();
    let decision = Decision::degraded(&limits.first, false, None, ErrorKind::Timeout, now);
    count(state, &decision);
    decision
}

/// As [`check`], where nothing but a decision can come out; a call by nobody is refused.
pub(crate) async fn admit(
    state: &Arc<Limits>,
    limits: &Group,
    id: Option<&str>,
    cost: u64,
) -> Decision {
    let Some(id) = id else {
        let now = state.client.settings.clock.unix_ms();
        let decision = Decision::unidentified(&limits.first, now);
        count(state, &decision);
        return decision;
    };
    check(state, limits, id, cost).await
}

/// What [`check`] would find; takes nothing.
pub(crate) async fn look(
    state: &Arc<Limits>,
    limits: &Group,
    id: &str,
    cost: u64,
) -> Result<Decision, Error> {
    let subjects = limits.subjects(&state.names, id);
    read(
        state,
        &subjects,
        state.client.settings.clock.unix_ms(),
        cost,
    )
    .await
}

async fn decide(state: &Arc<Limits>, limits: &Group, id: &str, cost: u64) -> Decision {
    let now = state.client.settings.clock.unix_ms();
    if let Some(limit) = limits.iter().find(|limit| cost > limit.units()) {
        return Decision::too_costly(limit, now);
    }
    let subjects = limits.subjects(&state.names, id);
    let blocked = subjects.iter().filter_map(|Subject { limit, key, .. }| {
        let verdict = state.blocked.find(key, limit.rule(), now, cost)?;
        Some(Decision::counted(limit, verdict, Reason::Blocked, now))
    });
    if let Some(decision) = Decision::strictest(blocked) {
        return decision;
    }
    let answer = match cost {
        0 => read(state, &subjects, now, 0).await,
        _ => take(state, &subjects, now, cost).await,
    };
    match answer {
        Ok(decision) => {
            state.client.outages.succeeded(Step::Limit);
            decision
        }
        Err(error) => {
            let kind = limits.first.kind();
            state.client.outages.failed(Step::Limit, &kind, &error);
            degrade(state, &limits.first, &subjects, error.kind(), now, cost)
        }
    }
}

async fn read(
    state: &Arc<Limits>,
    subjects: &[Subject<'_>],
    now: u64,
    cost: u64,
) -> Result<Decision, Error> {
    let looks = subjects
        .iter()
        .map(|subject| script::look(&subject.budget(now)));
    let replies = state.client.send(looks.collect(), state.budget).await;
    let decisions = subjects.iter().zip(replies).map(|(subject, reply)| {
        let held = script::read_look(&reply?)?;
        let verdict = subject.limit.rule().peek(held, now, cost);
        Ok(Decision::counted(
            subject.limit,
            verdict,
            Reason::Exhausted,
            now,
        ))
    });
    let decisions: Vec<_> = decisions.collect::<Result<_, Error>>()?;
    Decision::strictest(decisions).ok_or_else(no_reply)
}

async fn take(
    state: &Arc<Limits>,
    subjects: &[Subject<'_>],
    now: u64,
    cost: u64,
) -> Result<Decision, Error> {
    let budgets: Vec<_> = subjects.iter().map(|subject| subject.budget(now)).collect();
    let command = script::check(&budgets, now, cost);
    let reply = state.client.send(vec![command], state.budget).await.pop();
    let (took, held) = script::read_check(&reply.ok_or_else(no_reply)??, subjects.len())?;
    let mut decisions = Vec::with_capacity(subjects.len());
    for (Subject { limit, key, .. }, held) in subjects.iter().zip(held) {
        let rule = limit.rule();
        let verdict = rule.check(held, now, cost);
        let change = verdict.change.filter(|_| took);
        let snapshot = Snapshot::after(rule, held, change, now);
        match verdict.retry_at {
            Some(retry_at) => state.blocked.remember(*key, snapshot, retry_at, now),
            None => state.blocked.refresh(key, snapshot),
        }
        decisions.push(Decision::counted(limit, verdict, Reason::Exhausted, now));
    }
    Decision::strictest(decisions)
        .filter(|decision| decision.is_allowed() == took)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                "a limit script contradicts its numbers",
            )
        })
}

/// Decides without the store; of several limits, every one has to agree.
fn degrade(
    state: &Arc<Limits>,
    first: &Limit,
    subjects: &[Subject<'_>],
    cause: ErrorKind,
    now: u64,
    cost: u64,
) -> Decision {
    let with = |policy| {
        subjects
            .iter()
            .filter(move |subject| subject.limit.outage_policy() == policy)
    };
    if let Some(subject) = with(OnOutage::Deny).next() {
        return Decision::degraded(subject.limit, false, None, cause, now);
    }
    let counted: Vec<_> = with(OnOutage::Local)
        .map(|subject| (*subject.limit, subject.key))
        .collect();
    let local = state.fallback.check(&counted, now, cost);
    let limit = counted.first().map_or(first, |(limit, _)| limit);
    Decision::degraded(limit, local.allowed, local.retry_at, cause, now)
}

#[cfg(test)]
mod tests {
    use super::admit;
    use crate::limit::{API, Group, Reason};
    use crate::pond::Millpond;

    #[tokio::test]
    async fn a_call_by_nobody_is_counted_as_a_refused_check() {
        let pond = Millpond::memory();
        let decision = admit(&pond.0.limits, &Group::one(&pond.0.limits, &API), None, 1).await;
        assert_eq!(decision.reason(), Some(Reason::NoIdentifier));
        let stats = pond.stats().limits;
        assert_eq!((stats.checks, stats.refusals), (1, 1));
    }
}
