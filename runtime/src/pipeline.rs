//! Raw commands: one, several in one request, or several in a transaction.

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::store::command::{Command, Effect, Reply};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

impl Client {
    pub(crate) async fn command<A: AsRef<[u8]>>(
        &self,
        command: impl IntoIterator<Item = A>,
    ) -> Result<Reply, Error> {
        self.one(plain(command)).await
    }
}

/// The words of a command, beginning with its name.
fn words<A: AsRef<[u8]>>(command: impl IntoIterator<Item = A>) -> Vec<Bytes> {
    let words = command.into_iter();
    words
        .map(|word| Bytes::copy_from_slice(word.as_ref()))
        .collect()
}

/// A raw command.
fn plain<A: AsRef<[u8]>>(command: impl IntoIterator<Item = A>) -> Command {
    let args = words(command);
    let effect = args.first().map_or(Effect::Once, |name| Effect::of(name));
    Command::new(effect, args)
}

/// Commands that are sent in one request; see [`Millpond::pipeline`](crate::Millpond::pipeline).
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
    client: Arc<Client>,
    commands: Vec<Command>,
}

/// Commands that run without any other in between; see [`Millpond::transaction`](crate::Millpond::transaction).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pond = millpond::Millpond::memory();
/// assert!(pond.transaction().send().await?.is_empty());
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before send()"]
pub struct Transaction {
    client: Arc<Client>,
    commands: Vec<Vec<Bytes>>,
}

macro_rules! debug_without_arguments {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // The arguments may be anything, secrets included.
                f.debug_struct(stringify!($name))
                    .field("commands", &self.commands.len())
                    .finish_non_exhaustive()
            }
        })*
    };
}

debug_without_arguments!(Pipeline Transaction);

impl Pipeline {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            commands: Vec::new(),
        }
    }

    /// Adds a command. Its keys are sent as given, without the namespace.
    ///
    /// ```
    /// let pipeline = millpond::Millpond::memory().pipeline().command(["PING"]);
    /// ```
    pub fn command<A: AsRef<[u8]>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.commands.push(plain(command));
        self
    }

    /// Sends the commands and returns a reply for each. A command that fails does not stop the others: this is not a
    /// transaction.
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
        let replies = self.client.send(self.commands, self.client.settings.budget);
        replies.await.into_iter().collect()
    }
}

impl Transaction {
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            commands: Vec::new(),
        }
    }

    /// Adds a command. Its keys are sent as given, without the namespace.
    ///
    /// ```
    /// let transaction = millpond::Millpond::memory().transaction().command(["INCR", "a"]);
    /// ```
    pub fn command<A: AsRef<[u8]>>(mut self, command: impl IntoIterator<Item = A>) -> Self {
        self.commands.push(words(command));
        self
    }

    /// Runs the commands with no other command in between. A command that fails while it runs has its own error;
    /// the others keep their effect, since Redis does not roll back. On Redis Cluster all keys must be in one
    /// slot.
    ///
    /// # Errors
    /// If the server rejects the transaction before anything ran, its error: [`ErrorKind::Unsupported`] for an
    /// unknown command, [`ErrorKind::Server`] for a wrong number of arguments, for example.
    /// [`ErrorKind::OutcomeUnknown`] if no answer came back, or one that is too large to be read: either all commands
    /// ran or none did.
    ///
    /// # Cancel safety
    /// If the future is dropped, either all commands run or none does.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// let results = pond
    ///     .transaction()
    ///     .command(["SET", "name", "Ada"])
    ///     .command(["INCR", "name"])
    ///     .send()
    ///     .await?;
    /// assert!(results[0].is_ok() && results[1].is_err());
    ///
    /// let discarded = pond.transaction().command(["SET", "name", "Alan"]).command(["NONSENSE"]);
    /// assert!(discarded.send().await.is_err());
    /// assert_eq!(pond.get::<String>("name").await?.as_deref(), Some("Ada"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn send(self) -> Result<Vec<Result<Reply, Error>>, Error> {
        let count = self.commands.len();
        if count == 0 {
            return Ok(Vec::new());
        }
        if self.commands.iter().any(Vec::is_empty) {
            return Err(Error::new(
                ErrorKind::InvalidValue,
                "a command of the transaction is empty; name one",
            ));
        }
        let command = Command::transaction(self.commands);
        match self.client.one(command).await? {
            Reply::Array(items) if items.len() == count => {
                Ok(items.into_iter().map(Reply::parse).collect())
            }
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "the number of replies differs from the number of commands in the transaction",
            )),
        }
    }
}
