//! Commands of the caller's own: one, or several in one request.

use crate::error::Error;
use crate::pond::{self, Millpond};
use crate::store::command::{Command, Effect, Reply};
use bytes::Bytes;
use std::fmt;

impl Millpond {
    /// Sends any command. The keys in it are taken as they are, without the namespace. Unless it is
    /// one that only reads, it is never repeated once it may have left.
    ///
    /// # Errors
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) when no answer came back, what the server answers, and what
    /// can go wrong on the way.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// assert_eq!(pond.command(["RPUSH", "jobs", "a", "b"]).await?, Reply::Int(2));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn command<A: Into<Bytes>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> Result<Reply, Error> {
        self.pipeline()
            .command(command)
            .send()
            .await
            .pop()
            .unwrap_or_else(|| Err(pond::no_reply()))
    }

    /// Commands that leave in one request, in order.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, Reply};
    ///
    /// let pond = Millpond::memory();
    /// let replies = pond.pipeline().command(["INCR", "a"]).command(["INCR", "a"]).send().await;
    /// assert_eq!(replies[1].as_ref().unwrap(), &Reply::Int(2));
    /// # });
    /// ```
    pub fn pipeline(&self) -> Pipeline {
        Pipeline {
            pond: self.clone(),
            commands: Vec::new(),
        }
    }
}

/// Commands that leave in one request; see [`Millpond::pipeline`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pond = millpond::Millpond::memory();
/// assert!(pond.pipeline().send().await.is_empty());
/// # });
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before send()"]
pub struct Pipeline {
    pond: Millpond,
    commands: Vec<Command>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The arguments may be anything, secrets included.
        let count = self.commands.len();
        f.debug_struct("Pipeline")
            .field("commands", &count)
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Adds a command; its keys are taken as they are.
    ///
    /// ```
    /// let pipeline = millpond::Millpond::memory().pipeline().command(["PING"]);
    /// ```
    pub fn command<A: Into<Bytes>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        let args: Vec<Bytes> = command.into_iter().map(Into::into).collect();
        let effect = args.first().map_or(Effect::Once, |name| Effect::of(name));
        self.commands.push(Command::new(effect, args));
        self
    }

    /// Sends what was added: a reply for each command, and one that failed does not stop the
    /// others. It is not a transaction.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// let replies = pond.pipeline().command(["NONSENSE"]).command(["PING"]).send().await;
    /// assert!(replies[0].is_err() && replies[1].is_ok());
    /// # });
    /// ```
    pub async fn send(self) -> Vec<Result<Reply, Error>> {
        if self.commands.is_empty() {
            return Vec::new();
        }
        self.pond
            .send(self.commands, self.pond.0.settings.budget)
            .await
    }
}
