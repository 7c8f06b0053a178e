//! The caller's side of a request that a task of its own carries.

use super::command::{Effect, Reply};
use super::repeat::after_sending;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use std::time::Duration;
use tokio::sync::oneshot;

/// Longest budget of a call; also keeps deadlines within what an `Instant` can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

pub(crate) type Replies = Vec<Result<Reply, Error>>;

/// Waits for the answers, but no longer than `within`; then `withdraw` says whether the commands
/// were taken back before they left.
pub(crate) async fn wait(
    effects: &[Effect],
    answers: oneshot::Receiver<Replies>,
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
