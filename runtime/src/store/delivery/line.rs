//! One command on its way, and what became of it.

use crate::error::Error;
use crate::store::command::{Effect, Reply};
use crate::store::repeat::garbled;
use crate::store::sequence::Said;
use crate::store::server_error::not_run;
use crate::store::transport::{Answer, Outgoing};

/// A request of the delivery, and a command in it.
pub(super) type Place = (usize, usize);

pub(super) struct Line<C> {
    command: C,
    state: State,
}

enum State {
    Open,
    Settled(Result<Reply, Error>),
    HandedOver,
}

/// The answer to one command, before it is known whether it stands.
pub(super) struct Note {
    pub(super) place: Place,
    pub(super) effect: Effect,
    pub(super) said: Said,
    /// Nothing only for what will be sent again.
    pub(super) outcome: Option<Result<Reply, Error>>,
}

impl<C: Outgoing> Line<C> {
    pub(super) fn new(command: C) -> Self {
        Self {
            command,
            state: State::Open,
        }
    }

    pub(super) fn effect(&self) -> Effect {
        self.command.effect()
    }

    pub(super) fn command(&self) -> &C {
        &self.command
    }

    pub(super) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    pub(super) fn settle(&mut self, outcome: Result<Reply, Error>) {
        self.state = State::Settled(outcome);
    }

    /// What became of it, once.
    pub(super) fn outcome(&mut self) -> Option<Result<Reply, Error>> {
        match std::mem::replace(&mut self.state, State::HandedOver) {
            State::Settled(outcome) => Some(outcome),
            State::Open | State::HandedOver => None,
        }
    }

    /// What the answer means for this command.
    pub(super) fn hear(
        &mut self,
        place: Place,
        answer: Answer,
        may_repeat: impl FnOnce() -> bool,
        worded: impl FnOnce(&str) -> Error,
    ) -> Note {
        let (said, outcome) = match answer {
            Answer::Reply(reply) => (Said::Settled, Some(Ok(reply))),
            Answer::Unreadable(error) => (Said::Settled, Some(Err(garbled(self.effect(), &error)))),
            // The script did not run, so this is no repeat, whatever the command does.
            Answer::Error(text) if text.starts_with("NOSCRIPT") && self.command.send_source() => {
                (Said::NoScript, None)
            }
            Answer::Error(text) => {
                let not_now = not_run(&text).is_some() && may_repeat();
                let said = if not_now { Said::NotNow } else { Said::Settled };
                (said, Some(Err(worded(&text))))
            }
        };
        Note {
            place,
            effect: self.effect(),
            said,
            outcome,
        }
    }
}

/// What may share an exchange, or a command, made finer each time the server refuses one as a whole, so that in the
/// end only the culprit fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Apart {
    /// Reads leave as one command.
    Nothing,
    Together,
    Callers,
    Commands,
}

impl Apart {
    /// The way to divide these commands, if they can be divided. Whether some of them left as one.
    pub(super) fn finer(places: &[Place], merged: bool) -> Option<Self> {
        if merged {
            return Some(Self::Together);
        }
        let [first, .., last] = places else {
            return None;
        };
        Some(if first.0 == last.0 {
            Self::Commands
        } else {
            Self::Callers
        })
    }
}
