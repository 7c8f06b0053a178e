//! The caller's side of a request on its way.

use super::command::{Effect, Reply};
use super::repeat::after_sending;
use super::transport::Outgoing;
use super::turn::Turn;
use crate::error::{Error, ErrorKind};
use crate::few::Few;
use crate::runtime::{self, Since};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot::{self, error::RecvError};

/// Longest budget of a call; also keeps deadlines within what an `Instant` can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

pub(crate) type Replies = Vec<Result<Reply, Error>>;

/// The commands of one batch, and who waits for the answers.
pub(crate) struct Request<C> {
    pub(crate) commands: Few<C>,
    /// When its caller began to wait, and for how long it does.
    pub(crate) asked: Since,
    pub(crate) within: Duration,
    bytes: usize,
    turn: Arc<Turn>,
    caller: oneshot::Sender<Replies>,
}

impl<C: Outgoing> Request<C> {
    pub(crate) fn new(commands: Few<C>, within: Duration) -> (Self, oneshot::Receiver<Replies>) {
        let (caller, answers) = oneshot::channel();
        let request = Self {
            bytes: commands.iter().map(Outgoing::bytes).sum(),
            commands,
            asked: Since::now(),
            within,
            turn: Arc::default(),
            caller,
        };
        (request, answers)
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    /// About how many bytes it takes on the wire, and here meanwhile.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn turn(&self) -> &Arc<Turn> {
        &self.turn
    }

    /// Whether nobody waits for the answers any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.caller.is_closed()
    }

    /// The commands, and what takes their answers.
    pub(crate) fn open(self) -> (Few<C>, Arc<Turn>, oneshot::Sender<Replies>) {
        (self.commands, self.turn, self.caller)
    }

    /// The same error for each command; none of them left.
    pub(crate) fn refuse(self, error: &Error) {
        let effects: Vec<Effect> = self.commands.iter().map(Outgoing::effect).collect();
        let _ = self.caller.send(unsent(&effects, error));
    }
}

/// Waits for the answers, but no longer than `within`; then `withdraw` says whether the commands
/// were taken back before they left.
pub(crate) async fn wait(
    effects: &[Effect],
    answers: impl Future<Output = Result<Replies, RecvError>>,
    within: Duration,
    withdraw: impl FnOnce() -> bool,
) -> Replies {
    match runtime::timeout(within, answers).await {
        Some(Ok(answers)) => answers,
        Some(Err(_)) => unanswered(effects, &runtime_gone()),
        None if withdraw() => unsent(effects, &late(within)),
        None => unanswered(effects, &late(within)),
    }
}

/// The same error for each command; none of them left.
pub(crate) fn unsent(effects: &[Effect], error: &Error) -> Replies {
    effects.iter().map(|_| Err(error.clone())).collect()
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

fn late(within: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("no answer within {within:?}; raise the time budget or look at the connection"),
    )
}
