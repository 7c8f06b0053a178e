//! What the commands have in common: their arguments, and the replies that many give.

use crate::error::Error;
use crate::store::command::Reply;
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) type CommandResult = Result<Reply, Error>;

/// A command with its name. The table holds how many there must be; what is missing reads as empty.
#[derive(Clone, Copy)]
pub(crate) struct Args<'a>(pub(crate) &'a [Bytes]);

impl<'a> Args<'a> {
    pub(crate) fn at(self, index: usize) -> &'a Bytes {
        static NOTHING: Bytes = Bytes::new();
        self.0.get(index).unwrap_or(&NOTHING)
    }

    pub(crate) fn rest(self, start: usize) -> &'a [Bytes] {
        self.0.get(start..).unwrap_or_default()
    }
}

/// The error for too few or too many arguments; `name` as the caller wrote it.
pub(crate) fn wrong_arity(name: &[u8]) -> Error {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    server_error(&format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

pub(crate) fn syntax() -> Error {
    server_error("ERR syntax error")
}

pub(crate) fn ok() -> CommandResult {
    Ok(Reply::Bulk(Bytes::from_static(b"OK")))
}

pub(crate) fn flag(yes: bool) -> Reply {
    Reply::Int(i64::from(yes))
}

pub(crate) fn count(n: usize) -> Reply {
    Reply::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

pub(crate) fn bulk_or_nil(text: Option<Bytes>) -> Reply {
    text.map_or(Reply::Nil, Reply::Bulk)
}

/// How many of these something was true for.
pub(crate) fn number_of(hits: impl Iterator<Item = bool>) -> Reply {
    count(hits.filter(|hit| *hit).count())
}

/// Whether the argument is this word, in any case.
pub(crate) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// Inclusive Redis indexes, which count from the end when negative, as a half-open range.
pub(crate) fn span(start: &[u8], stop: &[u8], len: usize) -> Result<(usize, usize), Error> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let place = |text: &[u8]| -> Result<i64, Error> {
        let at = crate::store::memory::number::integer_or_error(text)?;
        Ok(if at < 0 { at.saturating_add(len) } else { at })
    };
    let (start, stop) = (place(start)?.max(0), place(stop)?.min(len - 1));
    if start > stop {
        return Ok((0, 0));
    }
    let index = |at: i64| usize::try_from(at).unwrap_or(0);
    Ok((index(start), index(stop) + 1))
}
