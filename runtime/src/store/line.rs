//! One command on its way, and what became of it.

use super::command::{Effect, Reply};
use super::repeat::garbled;
use super::sequence::Said;
use super::server_error::not_run;
use super::transport::{Answer, Outgoing};
use crate::error::Error;

/// A request of the delivery, and a command in it.
pub(crate) type Place = (usize, usize);

pub(crate) struct Line<C> {
    command: C,
    state: State,
}

enum State {
    Open,
    Settled(Result<Reply, Error>),
    HandedOver,
}

/// The answer to one command, before it is known whether it stands.
pub(crate) struct Note {
    pub(crate) place: Place,
    pub(crate) effect: Effect,
    pub(crate) said: Said,
    /// Nothing only for what will be sent again.
    pub(crate) outcome: Option<Result<Reply, Error>>,
}

impl<C: Outgoing> Line<C> {
    pub(crate) fn new(command: C) -> Self {
        Self {
            command,
            state: State::Open,
        }
    }

    pub(crate) fn effect(&self) -> Effect {
        self.command.effect()
    }

    pub(crate) fn command(&self) -> &C {
        &self.command
    }

    pub(crate) fn is_settled(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    pub(crate) fn settle(&mut self, outcome: Result<Reply, Error>) {
        self.state = State::Settled(outcome);
    }

    /// What became of it, once.
    pub(crate) fn outcome(&mut self) -> Option<Result<Reply, Error>> {
        match std::mem::replace(&mut self.state, State::HandedOver) {
            State::Settled(outcome) => Some(outcome),
            State::Open | State::HandedOver => None,
        }
    }

    /// What the answer means for this command.
    pub(crate) fn hear(
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
