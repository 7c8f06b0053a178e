//! Sets, as far as a value of a kind that is not ours needs to be told apart and explained.

use super::{Args, CommandResult, count, number_of};
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::value::Set;

pub(crate) fn sadd(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |set: &mut Set| {
        number_of(args.rest(2).iter().map(|member| set.insert(member, ())))
    })
}

pub(crate) fn scard(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace.collection::<Set>(args.at(1))?.map_or(0, Set::len),
    ))
}
