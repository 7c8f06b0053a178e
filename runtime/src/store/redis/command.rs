//! A command on its way to a connection that all callers of a runtime share.

use super::wire;
use crate::error::{Error, ErrorKind};
use crate::store::command::{Call, Command, Effect};
use crate::store::transport::Outgoing;
use bytes::Bytes;
use redis::{Cmd, Pipeline};

pub(crate) struct RespCommand {
    command: Command,
    /// The server does not know the script, so its text is sent.
    in_full: bool,
}

impl RespCommand {
    pub(super) fn encode(&self) -> Cmd {
        wire::encode(&self.command, self.in_full)
    }

    /// Several that are an `MGET` as one.
    pub(super) fn encode_merged(commands: &[&Self]) -> Cmd {
        let keys = commands.iter().filter_map(|command| command.command.mget());
        wire::mget(keys.flatten())
    }

    /// The commands between `MULTI` and `EXEC`, if this is a transaction.
    pub(super) fn transaction(&self) -> Option<Pipeline> {
        match &self.command.call {
            Call::Transaction(commands) => Some(wire::transaction(commands)),
            Call::Plain(_) | Call::Script { .. } => None,
        }
    }
}

impl Outgoing for RespCommand {
    fn new(command: Command) -> Result<Self, Error> {
        match &command.call {
            Call::Plain(words) => check(words)?,
            Call::Script { .. } => {}
            Call::Transaction(commands) => commands.iter().try_for_each(|words| check(words))?,
        }
        Ok(Self {
            command,
            in_full: false,
        })
    }

    fn effect(&self) -> Effect {
        self.command.effect
    }

    fn bytes(&self) -> usize {
        // A word has a header of its own, of about this length.
        let words = |words: &[Bytes]| words.iter().map(|word| word.len() + 8).sum::<usize>();
        match &self.command.call {
            Call::Plain(args) => words(args),
            Call::Script { keys, args, .. } => words(keys) + words(args) + 64,
            Call::Transaction(commands) => commands.iter().map(|args| words(args)).sum(),
        }
    }

    fn count(&self) -> usize {
        self.command.call.count()
    }

    fn keys(&self) -> Option<usize> {
        self.command.mget().map(<[Bytes]>::len)
    }

    /// A transaction is not mixed with commands that would run inside of it.
    fn is_alone(&self) -> bool {
        matches!(self.command.call, Call::Transaction(_))
    }

    fn send_source(&mut self) -> bool {
        let is_script = matches!(self.command.call, Call::Script { .. });
        is_script && !std::mem::replace(&mut self.in_full, true)
    }
}

/// Commands that change what the connection is, or how many answers come on it. All callers of one
/// runtime share it, so the next answer would be taken for that to somebody else's command.
const OF_A_CONNECTION: [&str; 24] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "READONLY",
    "READWRITE",
    "REPLCONF",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
];

/// Refuses what must not be sent on a connection that others use.
fn check(words: &[Bytes]) -> Result<(), Error> {
    let Some(name) = words.first() else {
        return Err(Error::new(ErrorKind::InvalidValue, "an empty command"));
    };
    let same = |known: &&&str| name.eq_ignore_ascii_case(known.as_bytes());
    match OF_A_CONNECTION.iter().find(same) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{name} changes the connection, which all callers share; for MULTI and EXEC use \
                 transaction(), for the others a connection of your own"
            ),
        )),
    }
}
