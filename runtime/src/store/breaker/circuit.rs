//! Whether calls go through, and why not.

use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::stats::Meter;
use crate::sync;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Failures in a row that open the circuit.
const THRESHOLD: u32 = 5;

/// How long the circuit stays open at first; each failed probe doubles it.
const COOL_DOWN: Duration = Duration::from_secs(1);
const LONGEST_COOL_DOWN: Duration = Duration::from_secs(5);

/// What a call has learned about the server.
pub(super) enum News<'a> {
    Reached,
    Failed(&'a Error),
    /// It answers, and asks to be left alone for this time.
    LeaveAlone(&'a Error, Duration),
}

pub(super) struct Circuit {
    clock: Clock,
    meter: Arc<Meter>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    failures: u32,
    cool_down: Duration,
    /// Since the circuit opened.
    outage: Option<Outage>,
}

struct Outage {
    since: Duration,
    reason: Error,
    refused: u64,
}

/// Times are readings of [`Clock::monotonic`].
#[derive(Clone, Copy)]
enum Phase {
    Closed,
    Open {
        until: Duration,
        /// The server has asked for it, so an answer to an earlier call does not shorten it.
        asked: bool,
    },
    /// One call goes through, and its outcome decides. Its future may be kept and never polled, so
    /// after this time the next call takes its place.
    Probing {
        until: Duration,
    },
}

impl State {
    const CLOSED: Self = Self {
        phase: Phase::Closed,
        failures: 0,
        cool_down: COOL_DOWN,
        outage: None,
    };
}

impl Circuit {
    pub(super) fn new(clock: Clock, meter: Arc<Meter>) -> Self {
        Self {
            clock,
            meter,
            state: Mutex::new(State::CLOSED),
        }
    }

    /// Lets a call of so many commands through, or says why not. A probe gets the end of its time.
    pub(super) fn enter(
        &self,
        commands: usize,
        within: Duration,
    ) -> Result<Option<Duration>, Error> {
        let mut state = self.lock();
        let (Phase::Open { until, .. } | Phase::Probing { until }) = state.phase else {
            return Ok(None);
        };
        let now = self.clock.monotonic();
        if now >= until {
            let until = now.saturating_add(within.max(COOL_DOWN));
            state.phase = Phase::Probing { until };
            return Ok(Some(until));
        }
        if let Some(outage) = &mut state.outage {
            let refused = u64::try_from(commands).unwrap_or(u64::MAX);
            outage.refused = outage.refused.saturating_add(refused);
        }
        Err(state.refusal(now))
    }

    /// What a call is told now if it does not go through.
    pub(super) fn outage(&self) -> Option<Error> {
        let state = self.lock();
        (!matches!(state.phase, Phase::Closed)).then(|| state.refusal(self.clock.monotonic()))
    }

    /// Takes note of what a call has learned. `probe`: what [`enter`](Self::enter) gave it.
    pub(super) fn hear(&self, news: &News<'_>, probe: Option<Duration>) {
        let mut state = self.lock();
        if let (News::Reached, Phase::Closed) = (news, state.phase) {
            // Nearly always, and then no clock is asked.
            state.failures = 0;
            return;
        }
        let now = self.clock.monotonic();
        match (news, state.phase) {
            (News::LeaveAlone(reason, wait), phase) => {
                let wanted = now.saturating_add(*wait);
                let until = match phase {
                    Phase::Open { until, asked: true } => until.max(wanted),
                    _ => wanted,
                };
                state.failures = state.failures.saturating_add(1);
                self.open(&mut state, now, until, true, reason);
            }
            (News::Reached, Phase::Open { until, asked: true }) if now < until => {}
            // A late answer to an earlier call says that the server is there again, too.
            (News::Reached, _) => {
                if let Some(outage) = state.outage.take() {
                    let lasted_ms = now.saturating_sub(outage.since).as_millis();
                    let refused = outage.refused;
                    tracing::info!(refused, lasted_ms, "the store answers again");
                }
                *state = State::CLOSED;
            }
            (News::Failed(reason), phase) => {
                state.failures = state.failures.saturating_add(1);
                match phase {
                    Phase::Closed if state.failures >= THRESHOLD => {}
                    Phase::Probing { until } if probe == Some(until) => {
                        state.cool_down = state.cool_down.saturating_mul(2).min(LONGEST_COOL_DOWN);
                    }
                    Phase::Closed | Phase::Open { .. } | Phase::Probing { .. } => return,
                }
                let until = now.saturating_add(state.cool_down);
                self.open(&mut state, now, until, false, reason);
            }
        }
    }

    /// A probe decides nothing; the next call is the probe.
    pub(super) fn pass_on(&self, probe: Duration) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Probing { until } if until == probe) {
            state.phase = Phase::Open {
                until: self.clock.monotonic(),
                asked: false,
            };
        }
    }

    fn open(&self, state: &mut State, now: Duration, until: Duration, asked: bool, reason: &Error) {
        state.phase = Phase::Open { until, asked };
        if let Some(outage) = &mut state.outage {
            outage.reason = reason.clone();
            return;
        }
        self.meter.circuit_opened.add(1);
        let ms = until.saturating_sub(now).as_millis();
        tracing::warn!(%reason, "nothing is sent to the store for {ms} ms");
        state.outage = Some(Outage {
            since: now,
            reason: reason.clone(),
            refused: 0,
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

impl State {
    fn refusal(&self, now: Duration) -> Error {
        let (next, asked) = match self.phase {
            Phase::Open { until, asked } if until > now => {
                let wait = until.saturating_sub(now).as_millis();
                (format!("next try in {wait} ms"), asked)
            }
            Phase::Open { asked, .. } => (String::from("the next call tries"), asked),
            Phase::Closed | Phase::Probing { .. } => (String::from("a probe is under way"), false),
        };
        let after = match (asked, self.failures) {
            (true, _) => String::new(),
            (false, failures) => format!(" after {failures} failures in a row"),
        };
        let message = |reason: &str| format!("circuit breaker open{after}; {next}{reason}");
        match &self.outage {
            Some(outage) => {
                let reason = format!("; the reason: {}", outage.reason);
                Error::with_source(
                    ErrorKind::Unavailable,
                    message(&reason),
                    outage.reason.clone(),
                )
            }
            None => Error::new(ErrorKind::Unavailable, message("")),
        }
    }
}
