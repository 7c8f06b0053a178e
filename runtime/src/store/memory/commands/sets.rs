//! Sets.

use super::{Args, CommandResult, count, flag, number_of};
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::value::Set;

pub(crate) fn sadd(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |set: &mut Set| {
        number_of(args.rest(2).iter().map(|member| set.insert(member, ())))
    })
}

pub(crate) fn srem(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |set: &mut Set| {
        number_of(args.rest(2).iter().map(|member| set.remove(member)))
    })
}

pub(crate) fn smembers(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let set = keyspace.collection::<Set>(args.at(1))?;
    let members = set.into_iter().flat_map(Set::iter);
    Ok(Reply::Array(
        members
            .map(|(member, ())| Reply::Bulk(member.clone()))
            .collect(),
    ))
}

pub(crate) fn sismember(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let set = keyspace.collection::<Set>(args.at(1))?;
    Ok(flag(set.is_some_and(|set| set.get(args.at(2)).is_some())))
}

pub(crate) fn scard(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace.collection::<Set>(args.at(1))?.map_or(0, Set::len),
    ))
}
