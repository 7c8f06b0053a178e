//! Lists.

use super::{Args, CommandResult, bulk_or_nil, count, span, wrong_arity};
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::integer;
use crate::store::memory::value::List;
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) fn lpush(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    push(keyspace, args, List::push_front)
}

pub(crate) fn rpush(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    push(keyspace, args, List::push_back)
}

fn push(keyspace: &mut Keyspace, args: Args<'_>, push: fn(&mut List, &Bytes)) -> CommandResult {
    keyspace.edit(args.at(1), |list: &mut List| {
        for item in args.rest(2) {
            push(list, item);
        }
        count(list.len())
    })
}

pub(crate) fn lpop(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    pop(keyspace, args, List::pop_front)
}

pub(crate) fn rpop(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    pop(keyspace, args, List::pop_back)
}

fn pop(
    keyspace: &mut Keyspace,
    args: Args<'_>,
    pop: fn(&mut List) -> Option<Bytes>,
) -> CommandResult {
    let at_most = match args.rest(2) {
        [] => None,
        [number] => Some(
            integer(number)
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| server_error("ERR value is out of range, must be positive"))?,
        ),
        _ => return Err(wrong_arity(args.at(0))),
    };
    keyspace.edit(args.at(1), |list: &mut List| match at_most {
        None => bulk_or_nil(pop(list)),
        Some(_) if list.len() == 0 => Reply::Nil,
        Some(at_most) => {
            let items = std::iter::from_fn(|| pop(list)).take(at_most);
            Reply::Array(items.map(Reply::Bulk).collect())
        }
    })
}

pub(crate) fn llen(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace
            .collection::<List>(args.at(1))?
            .map_or(0, List::len),
    ))
}

pub(crate) fn lrange(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let list = keyspace.collection::<List>(args.at(1))?;
    let (start, end) = span(args.at(2), args.at(3), list.map_or(0, List::len))?;
    let items = list.into_iter().flat_map(|list| list.range(start, end));
    Ok(Reply::Array(items.cloned().map(Reply::Bulk).collect()))
}
