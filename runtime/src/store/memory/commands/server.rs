//! Commands about the store as a whole.

use super::{Args, CommandResult, count, is, ok, syntax, wrong_arity};
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use bytes::Bytes;

pub(crate) fn ping(_: &mut Keyspace, args: Args<'_>) -> CommandResult {
    match args.rest(1) {
        [] => Ok(Reply::Bulk(Bytes::from_static(b"PONG"))),
        [text] => Ok(Reply::Bulk(text.clone())),
        _ => Err(wrong_arity(b"ping")),
    }
}

pub(crate) fn echo(_: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(Reply::Bulk(args.at(1).clone()))
}

pub(crate) fn time(keyspace: &mut Keyspace, _: Args<'_>) -> CommandResult {
    let now = keyspace.now().wall;
    let parts = [now / 1_000, now % 1_000 * 1_000];
    Ok(Reply::Array(
        parts
            .map(|part| Reply::Bulk(part.to_string().into()))
            .into(),
    ))
}

pub(crate) fn dbsize(keyspace: &mut Keyspace, _: Args<'_>) -> CommandResult {
    Ok(count(keyspace.len()))
}

pub(crate) fn flush(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    match args.rest(1) {
        [] => {}
        [how] if is(how, "SYNC") || is(how, "ASYNC") => {}
        _ => return Err(syntax()),
    }
    keyspace.clear();
    ok()
}

/// Nobody subscribes to an embedded engine.
pub(crate) fn publish(_: &mut Keyspace, _: Args<'_>) -> CommandResult {
    Ok(Reply::Int(0))
}
