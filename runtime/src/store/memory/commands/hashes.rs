//! Hashes.

use super::keys::{Walk, walked};
use super::{Args, CommandResult, bulk_or_nil, count, flag, number_of, ok, wrong_arity};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{add_floats, float, integer, integer_or_error};
use crate::store::memory::value::{Hash, detached};
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) fn hset(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    write(keyspace, args, b"hset")
}

pub(crate) fn hmset(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    write(keyspace, args, b"hmset")?;
    ok()
}

fn write(keyspace: &mut Keyspace, args: Args<'_>, name: &[u8]) -> CommandResult {
    let (pairs, odd) = args.rest(2).as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong_arity(name));
    }
    keyspace.edit(args.at(1), |hash: &mut Hash| {
        number_of(
            pairs
                .iter()
                .map(|[field, value]| hash.insert(field, detached(value))),
        )
    })
}

pub(crate) fn hsetnx(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |hash: &mut Hash| {
        flag(hash.get(args.at(2)).is_none() && hash.insert(args.at(2), detached(args.at(3))))
    })
}

pub(crate) fn hget(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let hash = keyspace.collection::<Hash>(args.at(1))?;
    Ok(bulk_or_nil(
        hash.and_then(|hash| hash.get(args.at(2))).cloned(),
    ))
}

pub(crate) fn hmget(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let hash = keyspace.collection::<Hash>(args.at(1))?;
    let values = args
        .rest(2)
        .iter()
        .map(|field| bulk_or_nil(hash.and_then(|hash| hash.get(field)).cloned()));
    Ok(Reply::Array(values.collect()))
}

pub(crate) fn hgetall(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    list(keyspace, args.at(1), |field, value| {
        [Some(field), Some(value)]
    })
}

pub(crate) fn hkeys(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    list(keyspace, args.at(1), |field, _| [Some(field), None])
}

pub(crate) fn hvals(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    list(keyspace, args.at(1), |_, value| [Some(value), None])
}

fn list(
    keyspace: &mut Keyspace,
    key: &[u8],
    pick: impl for<'a> Fn(&'a Bytes, &'a Bytes) -> [Option<&'a Bytes>; 2],
) -> CommandResult {
    let Some(hash) = keyspace.collection::<Hash>(key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let picked = hash
        .iter()
        .flat_map(|(field, value)| pick(field, value))
        .flatten();
    Ok(Reply::Array(picked.cloned().map(Reply::Bulk).collect()))
}

pub(crate) fn hdel(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    keyspace.edit(args.at(1), |hash: &mut Hash| {
        number_of(args.rest(2).iter().map(|field| hash.remove(field)))
    })
}

pub(crate) fn hlen(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace
            .collection::<Hash>(args.at(1))?
            .map_or(0, super::super::value::Fields::len),
    ))
}

pub(crate) fn hexists(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let hash = keyspace.collection::<Hash>(args.at(1))?;
    Ok(flag(
        hash.is_some_and(|hash| hash.get(args.at(2)).is_some()),
    ))
}

pub(crate) fn hincrby(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let by = integer_or_error(args.at(3))?;
    keyspace.edit(args.at(1), |hash: &mut Hash| {
        let old = match hash.get(args.at(2)) {
            Some(text) => {
                integer(text).ok_or_else(|| server_error("ERR hash value is not an integer"))?
            }
            None => 0,
        };
        let new = old
            .checked_add(by)
            .ok_or_else(|| server_error("ERR increment or decrement would overflow"))?;
        hash.insert(args.at(2), new.to_string().into());
        Ok(Reply::Int(new))
    })?
}

pub(crate) fn hincrbyfloat(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    if float(args.at(3)).is_none() {
        return Err(server_error("ERR value is not a valid float"));
    }
    let sum = keyspace.edit(args.at(1), |hash: &mut Hash| -> Result<Bytes, Error> {
        let old = hash.get(args.at(2)).map_or(&b"0"[..], |text| text.as_ref());
        if float(old).is_none() {
            return Err(server_error("ERR hash value is not a float"));
        }
        let sum = add_floats(old, args.at(3))
            .ok_or_else(|| server_error("ERR increment would produce NaN or Infinity"))?;
        let sum = Bytes::from(sum);
        hash.insert(args.at(2), sum.clone());
        Ok(sum)
    })??;
    Ok(Reply::Bulk(sum))
}

pub(crate) fn hscan(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let walk = Walk::parse(args.at(2), args.rest(3))?;
    let Some(hash) = keyspace.collection::<Hash>(args.at(1))? else {
        return Ok(walked(0, Vec::new()));
    };
    let (next, page) = hash.scan(walk.cursor, walk.count);
    let fields = page
        .filter(|(field, _)| walk.wants(field))
        .flat_map(|(field, value)| [field, value])
        .cloned()
        .map(Reply::Bulk)
        .collect();
    Ok(walked(next, fields))
}
