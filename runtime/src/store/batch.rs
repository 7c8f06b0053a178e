//! What goes to an engine at once.

use super::command::{Command, Reply};
use crate::error::Error;
use crate::few::Few;
use std::time::Duration;

/// A reply for each command of a batch, in order.
pub(crate) type Replies = Few<Result<Reply, Error>>;

/// The same error for each of so many commands.
pub(crate) fn all_failed(error: &Error, commands: usize) -> Replies {
    std::iter::repeat_with(|| Err(error.clone()))
        .take(commands)
        .collect()
}

/// Commands that leave together, in order; `within` is how long the caller will wait.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) commands: Vec<Command>,
    pub(crate) within: Duration,
}
