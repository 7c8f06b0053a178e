//! One trait, three engines. An engine takes a batch of commands and gives a reply for each;
//! everything above it is written once.

pub(crate) mod command;
pub(crate) mod memory;
mod per_runtime;
#[cfg(feature = "upstash")]
mod pipeline;
#[cfg(any(feature = "upstash", feature = "redis"))]
pub(crate) mod secret;
mod server_error;
#[cfg(feature = "upstash")]
pub(crate) mod upstash;

use crate::error::Error;
use crate::rt::BoxFuture;
use command::{Command, Reply};
use std::time::Duration;

/// Commands that leave together, in order; `within` is how long the caller will wait.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) commands: Vec<Command>,
    pub(crate) within: Duration,
}

/// Sends batches. A reply for each command, in order: one that failed never fails its neighbours.
pub(crate) trait Store: Send + Sync + 'static {
    /// The commands of one batch stay together and in order. Dropping the future stops the waiting,
    /// never a request that others share.
    fn send(&self, batch: Batch) -> BoxFuture<Vec<Result<Reply, Error>>>;
}
