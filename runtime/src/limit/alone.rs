//! A check of one limit, as far as it needs no server: nothing is allocated for a caller who is known to be refused.

use super::Limit;
#[cfg(not(target_arch = "wasm32"))]
use super::algorithm::{Algorithm, Held, Verdict};
use super::blocked::{Expected, Refusal};
use super::budgets::BudgetKey;
use super::decision::{BudgetName, Counted, Decision, Reason};
#[cfg(not(target_arch = "wasm32"))]
use super::degrade::degrade;
use super::known::KnownLimit;
#[cfg(not(target_arch = "wasm32"))]
use super::names::{index, write_index};
use super::note::note_one;
use super::pair::{Pair, Part};
#[cfg(not(target_arch = "wasm32"))]
use super::receipt::{Receipt, TakenPart};
#[cfg(not(target_arch = "wasm32"))]
use super::script::Taking;
use super::state::Limits;
#[cfg(not(target_arch = "wasm32"))]
use super::take::{Answer, too_late};
#[cfg(not(target_arch = "wasm32"))]
use crate::client::outage::Step;
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
    /// The name of the budget; behind that, the keys of its counters.
    name: Name,
    name_len: usize,
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
        name_len: name.0.len(),
        name,
    };
    alone.begin()
}

impl Alone<'_> {
    fn begin(mut self) -> AtOnce {
        match self.state.blocked.of(&self.key) {
            Some(refusal) => self.with_known(&refusal),
            None => self.take(self.state.client.steady(), None),
        }
    }

    /// Two readings of the precise clocks take as long as the rest of a refusal.
    fn with_known(&mut self, refusal: &Refusal) -> AtOnce {
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
            expected => self.take(steady, Some(&expected)),
        }
    }

    fn refused(&self, counted: Counted, name: BudgetName, at: u64, wall_ahead: i64) -> AtOnce {
        let decision = Decision::of_one(self.limit, name, counted, Reason::Blocked, at, None);
        let mut decided = ControlFlow::Break(Ok(decision));
        self.note(&mut decided, wall_ahead);
        decided
    }

    fn note(&self, decided: &mut AtOnce, wall_ahead: i64) {
        if let ControlFlow::Break(Ok(decision)) = decided {
            decision.tell_at(wall_ahead);
            note_one(self.state, decision, self.pair, self.known);
        }
    }

    /// Takes where the engine is a part of this process; otherwise the store is to be asked. Nothing is
    /// expected where nothing is remembered.
    fn take(&mut self, steady: Steady, expected: Option<&Expected>) -> AtOnce {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(found) = self.take_here(steady) {
            return match found {
                Ok((verdict, held)) => self.taken(steady, verdict, held, expected.is_some()),
                Err(error) => {
                    let parts = [self.part(false)];
                    let decision = degrade(self.state, &parts, &error, steady.now);
                    let mut decided = ControlFlow::Break(Ok(decision));
                    self.note(&mut decided, steady.wall_ahead);
                    decided
                }
            };
        }
        let look_first = !matches!(expected, None | Some(Expected::Unknown));
        let part = self.part(look_first);
        ControlFlow::Continue(Box::new(Question { part, steady }))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn take_here(&mut self, steady: Steady) -> Option<Result<(Verdict, Held), Error>> {
        let (rule, cost) = (self.limit.rule(), self.pair.cost);
        if cost == 0 || cost > rule.units {
            return None;
        }
        let store = self.state.client.embedded()?;
        let at = steady.now.unix_ms();
        let index = index(rule, at);
        let text = &mut self.name.0;
        if rule.algorithm != Algorithm::TokenBucket {
            write_index(index, text);
        }
        let key_len = text.len();
        if rule.algorithm == Algorithm::SlidingWindow {
            text.extend_from_within(..self.name_len);
            write_index(index - 1, text);
        }
        let (key, earlier) = self.name.0.split_at(key_len);
        let taking = Taking {
            rule,
            key,
            earlier: (!earlier.is_empty()).then_some(earlier),
            cost,
            add: cost,
        };
        let found = store.take(&taking, at, steady.real)?;
        Some(found.and_then(|found| {
            if self.is_late(steady) {
                return Err(too_late());
            }
            Ok(found)
        }))
    }

    /// Whether the answer comes later than it may. The coarse clocks say so, unless it comes close.
    #[cfg(not(target_arch = "wasm32"))]
    fn is_late(&self, steady: Steady) -> bool {
        let (client, budget) = (&self.state.client, self.state.budget);
        let clock = &client.settings.clock;
        let age = clock.coarse().nanos_since(steady.real.into());
        let most = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
        age.saturating_add(clock.coarse_lag()) > most
            && client.steady().now.since(steady.now) > budget
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn taken(
        &self,
        Steady {
            now, wall_ahead, ..
        }: Steady,
        verdict: Verdict,
        held: Held,
        is_remembered: bool,
    ) -> AtOnce {
        let state = self.state;
        state.client.outages.succeeded(Step::Limit);
        let rule = self.limit.rule();
        let answer = Answer {
            key: self.key,
            name: self.name(),
            rule,
            cost: self.pair.cost,
            held,
            took: verdict.allowed,
        };
        if !answer.remember(state, &verdict, now) && is_remembered {
            let snapshot = answer.snapshot(&verdict, now);
            state.blocked.refresh(&self.key, snapshot);
        }
        let base: Arc<str> = Arc::from(self.name());
        let name = BudgetName::Text(Arc::clone(&base));
        let at = now.unix_ms();
        let counted = Counted::from(verdict);
        let receipt = verdict.allowed.then(|| {
            Receipt::of_one(TakenPart {
                rule,
                key: self.key,
                base,
                units: self.pair.cost,
                now: at,
                tokens_left: verdict.remaining,
            })
        });
        let reason = Reason::Exhausted;
        let decision = Decision::of_one(self.limit, name, counted, reason, at, receipt);
        let mut decided = ControlFlow::Break(Ok(decision));
        self.note(&mut decided, wall_ahead);
        decided
    }

    fn name(&self) -> &str {
        &self.name.0[..self.name_len]
    }

    fn part(&self, look_first: bool) -> Part {
        Part {
            limit: *self.limit,
            key: self.key,
            base: Arc::from(self.name()),
            is_shared: self.pair.id.is_empty(),
            cost: self.pair.cost,
            add: self.pair.cost,
            look_first,
        }
    }
}
