//! Takes from every budget of a check, or from none.
//!
//! One script does it at once. On Redis Cluster, where budgets of different callers are on different
//! nodes, they are taken in turn, and given back in reverse if a later one refuses.

use super::algorithm::{Algorithm, Held, Rule, Verdict};
use super::budgets::BudgetKey;
use super::decision::{BudgetName, Counted, Decision, Policy, Reason};
use super::pair::Part;
use super::receipt::{Receipt, TakenPart};
use super::script;
use super::snapshot::Snapshot;
use super::state::Limits;
use crate::clock::Moment;
use crate::error::{Error, ErrorKind};
use crate::reply::no_reply;
use std::sync::Arc;

/// Why a check was not decided by the store, and what it had taken by then.
pub(super) struct NotTaken {
    pub(super) error: Error,
    pub(super) taken: Turns,
}

impl From<Error> for NotTaken {
    fn from(error: Error) -> Self {
        let taken = Turns::default();
        Self { error, taken }
    }
}

/// What was taken in turn so far.
#[derive(Default)]
pub(super) struct Turns(Vec<Vec<TakenPart>>);

impl Turns {
    /// Gives it back, last first. What does not arrive stays taken, so never too many are admitted.
    pub(super) async fn give_back(self, state: &Arc<Limits>) {
        for taken in self.0.into_iter().rev() {
            let receipt = Receipt::new(taken);
            let error = give_back(state, &receipt, u64::MAX).await.err();
            if let Some(error) = error {
                tracing::debug!(%error, "units of a refused call could not be given back");
            }
        }
    }
}

/// Gives so many units back to each budget that they were taken from.
pub(super) async fn give_back(
    state: &Arc<Limits>,
    receipt: &Receipt,
    units: u64,
) -> Result<(), Error> {
    let now = state.client.steady_ms();
    let refunds = receipt.give_back(units, now);
    // On Redis Cluster, keys of different callers are in different slots.
    let groups: Vec<_> = if state.names.cluster {
        refunds.chunks(1).collect()
    } else {
        vec![&refunds[..]]
    };
    let mut result = Ok(());
    for group in groups.into_iter().rev().filter(|group| !group.is_empty()) {
        let command = script::refund(group, now);
        let reply = state.client.send(vec![command], state.budget).await.pop();
        result = result.and(reply.unwrap_or_else(|| Err(no_reply())).map(|_| ()));
    }
    for part in receipt.parts() {
        state.blocked.forget(&part.key);
    }
    result
}

/// Takes, and says what was found.
pub(super) async fn take(
    state: &Arc<Limits>,
    parts: &[Part],
    now: Moment,
) -> Result<Decision, NotTaken> {
    let mut found: Vec<Option<Policy>> = parts.iter().map(|_| None).collect();
    let mut turns = Turns::default();
    let mut took = true;
    for turn in turns_of(state, parts) {
        if !took {
            break;
        }
        let group: Vec<_> = turn.iter().map(|at| &parts[*at]).collect();
        match take_at_once(state, &group, now).await {
            Ok((policies, taken)) => {
                for (at, policy) in turn.into_iter().zip(policies) {
                    found[at] = Some(policy);
                }
                took = taken.is_some();
                turns.0.extend(taken);
            }
            Err(error) => {
                let taken = turns;
                return Err(NotTaken { error, taken });
            }
        }
    }
    let policies = parts.iter().zip(found).map(|(part, found)| {
        let found = found.unwrap_or_else(|| policy(part, None));
        if took {
            found
        } else {
            untaken(found, part.cost)
        }
    });
    let decision = Decision::counted(policies.collect(), Reason::Exhausted, now.unix_ms())
        .filter(|decision| decision.is_allowed() == took)
        .ok_or_else(contradiction)?;
    if took {
        let taken = turns.0.into_iter().flatten().collect();
        return Ok(decision.with_receipt(Receipt::new(taken)));
    }
    turns.give_back(state).await;
    Ok(decision)
}

/// What a client is told of this part.
pub(super) fn policy(part: &Part, counted: Option<Counted>) -> Policy {
    Policy {
        limit: part.limit,
        name: BudgetName::Text(Arc::clone(&part.base)),
        counted,
    }
}

/// A part that would have allowed the call keeps what it had.
fn untaken(mut policy: Policy, cost: u64) -> Policy {
    if let Some(counted) = policy.counted.as_mut().filter(|counted| counted.allowed) {
        counted.remaining = counted
            .remaining
            .saturating_add(cost)
            .min(policy.limit.units());
    }
    policy
}

/// The places of the parts that can be taken at once: all of them, except on Redis Cluster, where those of
/// one caller are. Budgets that all callers share come last, so that a refusal disturbs few others.
fn turns_of(state: &Limits, parts: &[Part]) -> Vec<Vec<usize>> {
    if !state.names.cluster {
        return vec![(0..parts.len()).collect()];
    }
    let slot = |part: &Part| {
        let base = &*part.base;
        let tag = base
            .split_once('{')
            .and_then(|(_, rest)| rest.split_once('}'));
        tag.map_or(base, |(tag, _)| tag).to_owned()
    };
    let mut turns: Vec<(bool, String, Vec<usize>)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let slot = slot(part);
        match turns.iter_mut().find(|(_, known, _)| *known == slot) {
            Some((_, _, places)) => places.push(at),
            None => turns.push((part.is_shared, slot, vec![at])),
        }
    }
    turns.sort_by_key(|(is_shared, ..)| *is_shared);
    turns.into_iter().map(|(_, _, places)| places).collect()
}

/// What one script found, and what it took if it did.
async fn take_at_once(
    state: &Arc<Limits>,
    parts: &[&Part],
    now: Moment,
) -> Result<(Vec<Policy>, Option<Vec<TakenPart>>), Error> {
    let at = now.unix_ms();
    let age = || state.client.steady().now.since(now);
    let budgets: Vec<_> = parts.iter().map(|part| part.budget(at)).collect();
    let command = script::check(&budgets, at);
    let left = state.budget.saturating_sub(age());
    let reply = state.client.send(vec![command], left).await.pop();
    let (took, held) = script::read_check(&reply.ok_or_else(no_reply)??, parts.len())?;
    if age() > state.budget {
        return Err(too_late());
    }
    let mut policies = Vec::with_capacity(parts.len());
    let mut taken = Vec::with_capacity(parts.len());
    for (part, held) in parts.iter().zip(held) {
        let counted = learn(state, part, (took, held), now);
        taken.push(TakenPart::new(part, at, counted.remaining));
        policies.push(policy(part, Some(counted)));
    }
    Ok((policies, took.then_some(taken)))
}

/// Remembers what the store said of this part; what a client is told of it.
fn learn(state: &Limits, part: &Part, (took, held): (bool, Held), now: Moment) -> Counted {
    let rule = part.limit.rule();
    let verdict = rule.check(held, now.unix_ms(), part.cost);
    let answer = Answer {
        key: part.key,
        name: &part.base,
        rule,
        cost: part.cost,
        held,
        took,
    };
    if !answer.remember(state, &verdict, now) {
        let snapshot = answer.snapshot(&verdict, now);
        state.blocked.refresh(&part.key, snapshot);
    }
    Counted::from(verdict)
}

/// What the store said of a budget.
pub(super) struct Answer<'a> {
    pub(super) key: BudgetKey,
    pub(super) name: &'a str,
    pub(super) rule: Rule,
    pub(super) cost: u64,
    pub(super) held: Held,
    pub(super) took: bool,
}

impl Answer<'_> {
    /// Keeps in mind that a call was refused, or that the next one would be; whether that is so.
    pub(super) fn remember(&self, state: &Limits, verdict: &Verdict, now: Moment) -> bool {
        let rule = self.rule;
        let is_used_up = rule.algorithm == Algorithm::FixedWindow && verdict.remaining < self.cost;
        if verdict.retry_at.is_none() && !(self.took && is_used_up) {
            return false;
        }
        let life = rule.life(self.held, now.unix_ms());
        let (snapshot, until) = (self.snapshot(verdict, now), verdict.retry_at);
        let blocked = &state.blocked;
        blocked.remember(self.key, self.name, snapshot, until, life, now);
        true
    }

    pub(super) fn snapshot(&self, verdict: &Verdict, now: Moment) -> Snapshot {
        let change = verdict.change.filter(|_| self.took);
        Snapshot::after(self.rule, self.held, change, now.unix_ms())
    }
}

pub(super) fn too_late() -> Error {
    let text = "a limit check was answered too late: its window's counter may be a new one by now";
    Error::new(ErrorKind::Timeout, text)
}

fn contradiction() -> Error {
    let text = "a limit script contradicts its numbers";
    Error::new(ErrorKind::Protocol, text)
}
