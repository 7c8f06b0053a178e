//! What the remote engines differ in: how a command is encoded, and how one exchange with the server
//! goes. Queueing (`pipeline.rs`) and repeating (`delivery.rs`) are the same for all of them.

use super::command::{Command, Effect, Reply};
use super::merging::Merging;
use super::repeat::Failure;
use super::server_error::{NotRun, not_run};
use super::until::Until;
use crate::error::Error;
use crate::runtime::MaybeSend;
use crate::stats::Meter;
use std::future::Future;

/// A command in the form that one protocol sends.
pub(crate) trait Outgoing: Sized + Send + Sync + 'static {
    /// An error for a command that this protocol cannot carry; nothing of it leaves.
    fn new(command: Command) -> Result<Self, Error>;

    fn effect(&self) -> Effect;

    /// About how many bytes it adds to an exchange.
    fn bytes(&self) -> usize;

    /// How many commands of the caller's it stands for: more than one for a transaction.
    fn count(&self) -> usize;

    /// How many keys it reads, if it is an `MGET`: several of those may leave as one.
    fn keys(&self) -> Option<usize>;

    /// Whether nothing else may leave in the same exchange.
    fn is_alone(&self) -> bool;

    /// Sends the script in full from now on. False if it already did, or if this is no script.
    fn send_source(&mut self) -> bool;
}

/// How many commands these are for the server, which may be one.
pub(crate) fn sent<C: Outgoing>(commands: &[&C]) -> usize {
    match commands {
        [command] => command.count(),
        _ => 1,
    }
}

/// Which of the two queues a request waits in. Reads never wait for writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Writes,
}

/// What the server answered to one command.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Reply),
    /// The text of an error of the server.
    Error(String),
    /// The answer came, but it cannot be understood.
    Unreadable(Error),
}

impl Answer {
    pub(crate) fn is_of_wrong_node(&self) -> bool {
        matches!(self, Self::Error(text) if not_run(text) == Some(NotRun::WrongNode))
    }
}

/// What leaves in one exchange, and how many bytes it takes on the wire.
pub(crate) struct Encoded<B> {
    pub(crate) body: B,
    pub(crate) bytes: usize,
}

/// The connections of one Tokio runtime to one server.
pub(crate) trait Transport: Send + Sync + 'static {
    type Command: Outgoing;
    type Connection: Send + Sync;
    type Body: Send;

    fn meter(&self) -> &Meter;

    /// The host and port, for error texts.
    fn host(&self) -> String;

    /// Whether commands that must not run twice leave one at a time, because each finds its own node.
    fn divides(&self) -> bool;

    /// A connection that can be used now. `once`: something that must not run twice is about to leave,
    /// so the connection has to be known to be alive.
    fn connect(
        &self,
        once: bool,
    ) -> impl Future<Output = Result<Self::Connection, Failure>> + MaybeSend;

    /// Whether an exchange that begins now ends when it is to: it may take longer where it opens a connection that others
    /// will use.
    #[cfg(not(target_arch = "wasm32"))]
    fn is_connected(&self) -> bool;

    /// Whether reads that leave together do so as one, and how many; nothing where each finds its own node.
    fn merging(&self) -> Option<&Merging>;

    /// What is to leave. Of several commands in one place, all are an `MGET`, and leave as one.
    fn encode(&self, commands: &[&[&Self::Command]]) -> Encoded<Self::Body>;

    /// Sends the body and waits for the answers until `until`: one for each place in what was encoded.
    fn exchange(
        &self,
        connection: &Self::Connection,
        kind: Kind,
        body: Self::Body,
        until: Until,
    ) -> impl Future<Output = Result<Vec<Answer>, Failure>> + MaybeSend;

    /// Finds the way anew: a node answered that does not serve the command. `times`: how often this
    /// delivery has seen that.
    fn renew(&self, connection: &Self::Connection, times: u32);

    /// The text of an error of the server as an [`Error`].
    fn worded(&self, text: &str) -> Error;
}
