//! The caller's side of a request on its way.

use super::batch::{Replies, all_failed};
use super::command::{Effect, Reply};
use super::line::Line;
use super::repeat::after_sending;
use super::transport::Outgoing;
use super::turn::{Turn, late};
use crate::clock::Since;
use crate::error::{Error, ErrorKind};
use crate::few::Few;
use crate::runtime;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Longest budget of a call; also keeps deadlines within what an `Instant` can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The commands of one batch, and who waits for the answers.
pub(crate) struct Request<C> {
    pub(crate) lines: Few<Line<C>>,
    /// When its caller began to wait, and for how long it does.
    pub(crate) asked: Since,
    pub(crate) within: Duration,
    bytes: usize,
    turn: Arc<Turn>,
    is_answered: bool,
}

impl<C: Outgoing> Request<C> {
    pub(crate) fn new(lines: Few<Line<C>>, within: Duration) -> Self {
        Self::asked(lines, Since::now(), within)
    }

    /// One whose caller began to wait before.
    pub(crate) fn asked(lines: Few<Line<C>>, asked: Since, within: Duration) -> Self {
        Self {
            bytes: lines.iter().map(|line| line.command().bytes()).sum(),
            lines,
            asked,
            within,
            turn: Arc::default(),
            is_answered: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// About how many bytes it takes on the wire, and here meanwhile.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same error for each command; none of them left.
    pub(crate) fn refuse(mut self, error: &Error) {
        self.answer(all_failed(error, self.lines.len()));
    }

    /// What became of a command; if it is the only one, the caller learns of it at once.
    pub(crate) fn settle(&mut self, line: usize, outcome: Result<Reply, Error>) {
        if let Some(line) = self.lines.get_mut(line) {
            line.settle(outcome);
        }
        if self.lines.len() == 1 {
            self.hand_over();
        }
    }

    /// Answers the caller once all its commands are settled.
    pub(crate) fn hand_over(&mut self) {
        if self.is_answered || !self.lines.iter().all(Line::is_settled) {
            return;
        }
        let mut replies = Few::with_capacity(self.lines.len());
        replies.extend(self.lines.iter_mut().filter_map(Line::outcome));
        self.answer(replies);
    }
}

impl<C> Request<C> {
    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.turn
    }

    fn answer(&mut self, replies: Replies) {
        self.is_answered = true;
        self.turn.answer(Some(replies));
    }
}

impl<C> Drop for Request<C> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.turn.answer(None);
        }
    }
}

/// Waits for the answers, but no longer than `within`; then `withdraw` says whether the commands
/// were taken back before they left.
pub(crate) async fn wait(
    effects: &[Effect],
    answers: impl Future<Output = Option<Replies>>,
    within: Duration,
    withdraw: impl FnOnce() -> bool,
) -> Replies {
    match runtime::timeout(within, answers).await {
        Some(Some(answers)) => answers,
        Some(None) => unanswered(effects, &runtime_gone()),
        None if withdraw() => unsent(effects, &late(within)),
        None => unanswered(effects, &late(within)),
    }
}

/// The same error for each command; none of them left.
pub(crate) fn unsent(effects: &[Effect], error: &Error) -> Replies {
    all_failed(error, effects.len())
}

/// The error for commands that may have run.
fn unanswered(effects: &[Effect], error: &Error) -> Replies {
    effects
        .iter()
        .map(|effect| Err(after_sending(*effect, error)))
        .collect()
}

pub(crate) fn runtime_gone() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the Tokio runtime that carried the request was shut down, or was built without \
         enable_all()",
    )
}
