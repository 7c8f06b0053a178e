//! Commands and replies between our shapes and those of the `redis` crate.

use crate::error::Error;
use crate::store::command::{Call, Command, Reply};
use crate::store::server_error::server_error;
use bytes::Bytes;
use redis::{Cmd, Pipeline, RedisError, ServerError, ToRedisArgs, Value};

/// The command as `redis` sends it; a script by its hash, or in full.
pub(crate) fn encode(command: &Command, in_full: bool) -> Cmd {
    let (script, keys, args) = match &command.call {
        Call::Plain(args) => return words(args.iter().map(AsRef::as_ref)),
        Call::Pair(keys) => return mget(keys.iter()),
        Call::Script { script, keys, args } => (script, keys, args),
        // One of these is a pipeline, see `transaction`.
        Call::Transaction(_) => return Cmd::new(),
    };
    let count = keys.len().to_string();
    let head = if in_full {
        ["EVAL", script.source(), &count]
    } else {
        ["EVALSHA", script.sha(), &count]
    };
    let head = head.iter().map(|word| word.as_bytes());
    words(head.chain(keys.iter().chain(args).map(AsRef::as_ref)))
}

/// Reads all these keys.
pub(crate) fn mget<'a>(keys: impl Iterator<Item = &'a Bytes> + Clone) -> Cmd {
    let name: &[u8] = b"MGET";
    words(std::iter::once(name).chain(keys.map(AsRef::as_ref)))
}

/// The commands of a transaction between `MULTI` and `EXEC`.
pub(crate) fn transaction(commands: &[Vec<Bytes>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    pipeline.atomic();
    for args in commands {
        pipeline.add_command(words(args.iter().map(AsRef::as_ref)));
    }
    pipeline
}

fn words<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> Cmd {
    let size = |(count, bytes), word: &[u8]| (count + 1, bytes + word.len());
    let (count, bytes) = words.clone().fold((0, 0), size);
    let mut cmd = Cmd::with_capacity(count, bytes);
    for word in words {
        cmd.arg(word);
    }
    cmd
}

/// What the server said, in the shapes of RESP2.
pub(crate) fn decode(value: Value) -> Result<Reply, Error> {
    Ok(match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Int(number),
        Value::BulkString(bytes) => Reply::Bulk(bytes.into()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Reply::Bulk(text.into()),
        Value::Okay => Reply::Bulk(Bytes::from_static(b"OK")),
        Value::Array(items) | Value::Set(items) => array(items)?,
        Value::Map(pairs) => array(pairs.into_iter().flat_map(|(key, value)| [key, value]))?,
        Value::Attribute { data, .. } => decode(*data)?,
        Value::Double(number) => Reply::Bulk(number.to_string().into()),
        // Text or `BigInt`, as another crate's features of `redis` have it.
        Value::BigNumber(number) => Reply::Bulk(number.to_redis_args().concat().into()),
        Value::Boolean(yes) => Reply::Int(i64::from(yes)),
        Value::ServerError(error) => return Err(server_error(&text_of(&error))),
        _ => {
            return Err(Error::new(
                crate::error::ErrorKind::Protocol,
                "the reply has a type that no command returns",
            ));
        }
    })
}

fn array(items: impl IntoIterator<Item = Value>) -> Result<Reply, Error> {
    let items = items.into_iter();
    // Collected, they would stay in the room of the values, which is larger.
    let mut replies = Vec::with_capacity(items.size_hint().0);
    for item in items {
        replies.push(match item {
            Value::ServerError(error) => Reply::Error(server_error(&text_of(&error))),
            item => decode(item)?,
        });
    }
    Ok(Reply::Array(replies))
}

/// The text as the server sent it, which the crate has divided into a code and the rest.
pub(crate) fn text_of(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// The text of an error of the server that came instead of a reply.
pub(crate) fn error_text(error: &RedisError) -> String {
    let errors = error.clone().into_server_errors();
    let first = errors.as_ref().and_then(|errors| errors.first());
    first.map_or_else(|| error.category().to_owned(), |(_, error)| text_of(error))
}

/// Bytes of a command on the wire: `*<n>`, then `$<length>` and the word for each.
pub(crate) fn sent(cmd: &Cmd) -> usize {
    let words = cmd.args_iter().map(|arg| match arg {
        redis::Arg::Simple(word) => framed(word.len()),
        _ => 0,
    });
    let (words, count) = words.fold((0, 0), |(bytes, count), word| (bytes + word, count + 1));
    words + header(count)
}

/// Bytes of a reply on the wire.
pub(crate) fn received(value: &Value) -> usize {
    match value {
        Value::Nil | Value::Okay => 5,
        Value::Int(number) => 3 + number.to_string().len(),
        Value::BulkString(bytes) => framed(bytes.len()),
        Value::SimpleString(text) => text.len() + 3,
        Value::Array(items) => header(items.len()) + items.iter().map(received).sum::<usize>(),
        Value::ServerError(error) => text_of(error).len() + 3,
        // Shapes of RESP3, which is not asked for.
        _ => 0,
    }
}

fn framed(length: usize) -> usize {
    header(length) + length + 2
}

fn header(number: usize) -> usize {
    let digits = number
        .checked_ilog10()
        .map_or(1, |power| power as usize + 1);
    3 + digits
}
