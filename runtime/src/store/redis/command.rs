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
            Call::Plain(_) | Call::Pair(_) | Call::Script { .. } => None,
        }
    }
}

impl Outgoing for RespCommand {
    fn new(command: Command) -> Result<Self, Error> {
        match &command.call {
            Call::Plain(words) => check(words)?,
            Call::Pair(_) | Call::Script { .. } => {}
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
            Call::Pair([one, other]) => one.len() + other.len() + 28,
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
/// runtime share it, so the next answer would be taken for that to somebody else's command. By their lengths, since each
/// command is looked up.
fn of_a_connection(length: usize) -> &'static [&'static str] {
    match length {
        4 => &["AUTH", "EXEC", "QUIT", "SYNC"],
        5 => &["HELLO", "MULTI", "PSYNC", "RESET", "WATCH"],
        6 => &["ASKING", "CLIENT", "SELECT"],
        7 => &["DISCARD", "MONITOR", "UNWATCH"],
        8 => &["READONLY", "REPLCONF"],
        9 => &["READWRITE", "SUBSCRIBE"],
        10 => &["PSUBSCRIBE", "SSUBSCRIBE"],
        11 => &["UNSUBSCRIBE"],
        12 => &["PUNSUBSCRIBE", "SUNSUBSCRIBE"],
        _ => &[],
    }
}

/// Refuses what must not be sent on a connection that others use.
fn check(words: &[Bytes]) -> Result<(), Error> {
    let Some(name) = words.first() else {
        return Err(Error::new(ErrorKind::InvalidValue, "an empty command"));
    };
    let same = |known: &&&str| name.eq_ignore_ascii_case(known.as_bytes());
    match of_a_connection(name.len()).iter().find(same) {
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
