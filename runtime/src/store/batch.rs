//! What goes to an engine at once.

use super::command::Command;
use std::time::Duration;

/// Commands that leave together, in order; `within` is how long the caller will wait.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) commands: Vec<Command>,
    pub(crate) within: Duration,
}
