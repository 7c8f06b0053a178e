//! Texts and counters.

use super::expiry::{self, Lifetime};
use super::{Args, CommandResult, bulk_or_nil, count, flag, is, ok, syntax, wrong_arity};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{add_floats, float, integer_or_error};
use crate::store::memory::value::Value;
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) fn get(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(bulk_or_nil(keyspace.text(args.at(1))?))
}

pub(crate) fn mget(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let texts = args.rest(1).iter().map(|key| {
        let text = keyspace.value(key).and_then(Value::text);
        text.map_or(Reply::Nil, Reply::Bulk)
    });
    Ok(Reply::Array(texts.collect()))
}

pub(crate) fn set(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (key, value) = (args.at(1), args.at(2));
    let options = SetOptions::parse(keyspace, args.rest(3))?;
    let old = if options.get {
        keyspace.text(key)?
    } else {
        None
    };
    let refused = options
        .only_if_present
        .is_some_and(|present| keyspace.contains(key) != present);
    if !refused {
        let deadline = match options.lifetime {
            Some(Lifetime::Until(at)) => Some(at),
            Some(Lifetime::Keep) => keyspace.deadline(key),
            Some(Lifetime::Forever) | None => None,
        };
        keyspace.set_text(key, value, deadline);
    }
    match (options.get, refused) {
        (true, _) => Ok(bulk_or_nil(old)),
        (false, true) => Ok(Reply::Nil),
        (false, false) => ok(),
    }
}

#[derive(Default)]
struct SetOptions {
    lifetime: Option<Lifetime>,
    only_if_present: Option<bool>,
    get: bool,
}

impl SetOptions {
    fn parse(keyspace: &Keyspace, mut rest: &[Bytes]) -> Result<Self, Error> {
        let mut options = Self::default();
        while let Some((word, after)) = rest.split_first() {
            rest = after;
            match word {
                word if is(word, "NX") && options.only_if_present != Some(true) => {
                    options.only_if_present = Some(false);
                }
                word if is(word, "XX") && options.only_if_present != Some(false) => {
                    options.only_if_present = Some(true);
                }
                word if is(word, "GET") => options.get = true,
                word if is(word, "KEEPTTL") && options.lifetime.is_none() => {
                    options.lifetime = Some(Lifetime::Keep);
                }
                word if options.lifetime.is_none() => {
                    let (number, after) = rest.split_first().ok_or_else(syntax)?;
                    rest = after;
                    options.lifetime = Some(expiry::lifetime(keyspace, word, number, "set")?);
                }
                _ => return Err(syntax()),
            }
        }
        Ok(options)
    }
}

pub(crate) fn setex(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    set_for(keyspace, args, b"EX", "setex")
}

pub(crate) fn psetex(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    set_for(keyspace, args, b"PX", "psetex")
}

fn set_for(keyspace: &mut Keyspace, args: Args<'_>, unit: &[u8], command: &str) -> CommandResult {
    if let Lifetime::Until(at) = expiry::lifetime(keyspace, unit, args.at(2), command)? {
        keyspace.set_text(args.at(1), args.at(3), Some(at));
    }
    ok()
}

pub(crate) fn setnx(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let free = !keyspace.contains(args.at(1));
    if free {
        keyspace.set_text(args.at(1), args.at(2), None);
    }
    Ok(flag(free))
}

pub(crate) fn getset(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let old = keyspace.text(args.at(1))?;
    keyspace.set_text(args.at(1), args.at(2), None);
    Ok(bulk_or_nil(old))
}

pub(crate) fn getdel(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let old = keyspace.text(args.at(1))?;
    keyspace.remove(args.at(1));
    Ok(bulk_or_nil(old))
}

pub(crate) fn getex(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let lifetime = match args.rest(2) {
        [] => Lifetime::Keep,
        [word] if is(word, "PERSIST") => Lifetime::Forever,
        [unit, number] => expiry::lifetime(keyspace, unit, number, "getex")?,
        _ => return Err(syntax()),
    };
    let text = keyspace.text(args.at(1))?;
    if text.is_some() {
        match lifetime {
            Lifetime::Keep => {}
            Lifetime::Forever => keyspace.set_deadline(args.at(1), None),
            Lifetime::Until(at) => keyspace.set_deadline(args.at(1), Some(at)),
        }
    }
    Ok(bulk_or_nil(text))
}

pub(crate) fn mset(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (pairs, odd) = args.rest(1).as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong_arity(b"mset"));
    }
    for [key, value] in pairs {
        keyspace.set_text(key, value, None);
    }
    ok()
}

pub(crate) fn append(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let old = keyspace.text(args.at(1))?.unwrap_or_default();
    let deadline = keyspace.deadline(args.at(1));
    let text = [old, args.at(2).clone()].concat();
    keyspace.set_text(args.at(1), &text, deadline);
    Ok(count(text.len()))
}

pub(crate) fn strlen(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(count(
        keyspace.text(args.at(1))?.map_or(0, |text| text.len()),
    ))
}

pub(crate) fn getrange(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let (start, end) = (integer_or_error(args.at(2))?, integer_or_error(args.at(3))?);
    let text = keyspace.text(args.at(1))?.unwrap_or_default();
    let len = i64::try_from(text.len()).unwrap_or(i64::MAX);
    // Unlike in LRANGE, an end before the text counts as its first byte.
    let place = |at: i64| match at {
        0.. => at,
        _ => at.saturating_add(len).max(0),
    };
    let range = (place(start), place(end).min(len - 1));
    let part = match range {
        _ if end < start && end < 0 && start < 0 => Bytes::new(),
        (first, last) if first <= last => {
            let index = |at: i64| usize::try_from(at).unwrap_or(0);
            text.slice(index(first)..=index(last))
        }
        _ => Bytes::new(),
    };
    Ok(Reply::Bulk(part))
}

pub(crate) fn incr(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    increase(keyspace, args.at(1), 1)
}

pub(crate) fn decr(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    increase(keyspace, args.at(1), -1)
}

pub(crate) fn incrby(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    increase(keyspace, args.at(1), integer_or_error(args.at(2))?)
}

pub(crate) fn decrby(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let by = integer_or_error(args.at(2))?
        .checked_neg()
        .ok_or_else(|| server_error("ERR decrement would overflow"))?;
    increase(keyspace, args.at(1), by)
}

fn increase(keyspace: &mut Keyspace, key: &Bytes, by: i64) -> CommandResult {
    let old = match keyspace.text(key)? {
        Some(text) => integer_or_error(&text)?,
        None => 0,
    };
    let new = old
        .checked_add(by)
        .ok_or_else(|| server_error("ERR increment or decrement would overflow"))?;
    let deadline = keyspace.deadline(key);
    keyspace.set(key, Value::Integer(new), deadline);
    Ok(Reply::Int(new))
}

pub(crate) fn incrbyfloat(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let key = args.at(1);
    let old = keyspace.text(key)?;
    let old = old.as_deref().unwrap_or(b"0");
    if float(old).is_none() || float(args.at(2)).is_none() {
        return Err(server_error("ERR value is not a valid float"));
    }
    let sum = add_floats(old, args.at(2))
        .ok_or_else(|| server_error("ERR increment would produce NaN or Infinity"))?;
    let deadline = keyspace.deadline(key);
    keyspace.set_text(key, sum.as_bytes(), deadline);
    Ok(Reply::Bulk(sum.into()))
}
