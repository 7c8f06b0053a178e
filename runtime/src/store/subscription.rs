//! What a server says to those who subscribed to a channel.

use crate::error::Error;
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::watch;

/// The longest message that is read, in bytes. Ours are far shorter.
pub(crate) const LONGEST_MESSAGE: usize = 1024 * 1024;

/// What is heard on a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The server has confirmed the subscription: from here on, everything that is published is heard.
    Subscribed,
    Message(Bytes),
    /// An answer that came through the subscription, behind every message that was published before this proof was
    /// asked for: its number.
    Proof(u64),
}

/// One subscription: to what, and what is to be done with what is heard.
pub(crate) struct Listener {
    pub(crate) channel: String,
    /// Does not wait.
    pub(crate) told: Arc<dyn Fn(Heard) + Send + Sync>,
    /// The number of the last proof that was asked for.
    pub(crate) asked: watch::Receiver<u64>,
}

impl Listener {
    pub(crate) fn tell(&self, heard: Heard) {
        (self.told)(heard);
    }

    /// The number of the next proof that is asked for. Never again if nobody is left to ask.
    pub(crate) async fn next_asked(&mut self) -> u64 {
        if self.asked.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        *self.asked.borrow_and_update()
    }
}

/// For an engine that nobody can subscribe to.
pub(crate) fn unsupported() -> Error {
    Error::new(
        crate::error::ErrorKind::Config,
        "the embedded engine has no subscriptions",
    )
}
