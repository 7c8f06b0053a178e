//! Lists, as far as a value of a kind that is not ours needs to be told apart and explained.

use super::{Args, CommandResult, count, span};
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::value::List;

pub(crate) fn rpush(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |list: &mut List| {
        for item in args.rest(2) {
            list.push(item);
        }
        count(list.len())
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
