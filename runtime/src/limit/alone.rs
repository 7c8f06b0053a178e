//! A check of one limit, as far as it needs no server: nothing is allocated for a caller who is known to be refused.

use super::Limit;
use super::blocked::{Expected, Refusal};
use super::budgets::BudgetKey;
use super::decision::{BudgetName, Counted, Decision, Reason};
use super::known::KnownLimit;
use super::note::note_one;
use super::pair::{Pair, Part};
use super::state::Limits;
use crate::clock::Steady;
use crate::error::Error;
use crate::key::scratch;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What the store is to be asked, and when that began.
pub(crate) struct Question {
    pub(super) part: Part,
    pub(super) steady: Steady,
}

/// A decision, or what to ask. In place wherever it can be: a decision is some 200 bytes.
pub(crate) type AtOnce = ControlFlow<Result<Decision, Error>, Box<Question>>;

/// The name of a budget, in memory that the thread lends.
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        scratch::keep(std::mem::take(&mut self.0));
    }
}

/// A check of one limit under way.
struct Alone<'a> {
    state: &'a Arc<Limits>,
    pair: &'a Pair<'a>,
    /// As start-up has it.
    limit: &'a Limit,
    known: &'a KnownLimit,
    key: BudgetKey,
    name: &'a str,
}

/// Decides what needs no server.
pub(crate) fn at_once(state: &Arc<Limits>, pair: &Pair<'_>) -> AtOnce {
    let overridden;
    let limit = if state.overrides.is_empty() {
        &pair.limit
    } else {
        overridden = pair.limit.overridden(&state.overrides);
        &overridden
    };
    let known = match state.names.known(limit) {
        Ok(known) => known,
        Err(error) => return ControlFlow::Break(Err(error)),
    };
    let mut name = Name(scratch::take());
    let key = state.names.budget(limit, &known, &pair.id, &mut name.0);
    let alone = Alone {
        state,
        pair,
        limit,
        known: &known,
        key,
        name: &name.0,
    };
    alone.begin()
}

impl Alone<'_> {
    fn begin(&self) -> AtOnce {
        match self.state.blocked.of(&self.key) {
            Some(refusal) => self.with_known(&refusal),
            None => self.ask(self.state.client.steady(), false),
        }
    }

    /// Two readings of the precise clocks take as long as the rest of a refusal.
    fn with_known(&self, refusal: &Refusal) -> AtOnce {
        let client = &self.state.client;
        let (rule, cost) = (self.limit.rule(), self.pair.cost);
        let can_be_allowed = cost <= rule.units;
        if can_be_allowed && let Some(time) = client.steady_coarse() {
            let lag = client.settings.clock.coarse_lag();
            if let Some((counted, name)) = refusal.by_coarse(rule, time.now, lag, cost) {
                return self.refused(counted, name, time.now.unix_ms(), time.wall_ahead);
            }
        }
        let steady = client.steady();
        let blocked = &self.state.blocked;
        match blocked.expected_of(refusal, &self.key, rule, steady.now, cost) {
            Expected::Refusal(counted, name) if can_be_allowed => {
                self.refused(counted, name, steady.now.unix_ms(), steady.wall_ahead)
            }
            Expected::Refusal(..) | Expected::ProbablyRefusal => self.ask(steady, true),
            Expected::Unknown => self.ask(steady, false),
        }
    }

    fn refused(&self, counted: Counted, name: BudgetName, at: u64, wall_ahead: i64) -> AtOnce {
        let decision = Decision::of_one(self.limit, name, counted, Reason::Blocked, at);
        self.decided(decision, wall_ahead)
    }

    fn decided(&self, decision: Decision, wall_ahead: i64) -> AtOnce {
        let mut decided = ControlFlow::Break(Ok(decision));
        if let ControlFlow::Break(Ok(decision)) = &mut decided {
            decision.tell_at(wall_ahead);
            note_one(self.state, decision, self.pair, self.known);
        }
        decided
    }

    fn ask(&self, steady: Steady, look_first: bool) -> AtOnce {
        let part = self.part(look_first);
        ControlFlow::Continue(Box::new(Question { part, steady }))
    }

    fn part(&self, look_first: bool) -> Part {
        Part {
            limit: *self.limit,
            key: self.key,
            base: Arc::from(self.name),
            is_shared: self.pair.id.is_empty(),
            cost: self.pair.cost,
            add: self.pair.cost,
            look_first,
        }
    }
}
