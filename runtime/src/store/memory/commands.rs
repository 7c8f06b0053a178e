//! The commands: one table of names, and a file for each kind of value.

// The table needs one signature, that of the commands which can fail.
#![allow(clippy::unnecessary_wraps)]

mod args;
pub(crate) mod expiry;
mod hashes;
mod keys;
mod lists;
mod server;
mod sets;
mod sorted;
mod strings;

use super::keyspace::Keyspace;
use crate::error::{Error, ErrorKind};
use crate::store::command::Reply;
use crate::store::server_error::presentable;
pub(crate) use args::{
    Args, CommandResult, bulk_or_nil, count, flag, is, number_of, ok, span, syntax, wrong_arity,
};
use bytes::Bytes;

type Run = fn(&mut Keyspace, Args<'_>) -> CommandResult;

/// Longest name in the table.
const LONGEST: usize = 16;

#[derive(Clone, Copy)]
enum Writes {
    /// Nothing, or only less.
    No,
    /// Its arguments, over whatever was there.
    Over,
    /// Its arguments, beside what is there.
    Beside,
}

/// Runs one command. The first argument is its name, in any case.
pub(crate) fn run(keyspace: &mut Keyspace, args: &[Bytes]) -> CommandResult {
    let (writes, run) = find(args)?;
    match writes {
        Writes::No => {}
        Writes::Over => keyspace.admit(args, None)?,
        Writes::Beside => keyspace.admit(args, args.get(1).map(|key| &**key))?,
    }
    run(keyspace, Args(args))
}

/// Runs a transaction: none of it if one of the commands could not even be queued, else all of it,
/// whatever fails.
pub(crate) fn run_all(keyspace: &mut Keyspace, all: &[Vec<Bytes>]) -> CommandResult {
    for args in all {
        find(args)?;
    }
    let replies = all
        .iter()
        .map(|args| run(keyspace, args).unwrap_or_else(Reply::Error));
    Ok(Reply::Array(replies.collect()))
}

/// The command of this name, if it takes so many arguments.
fn find(args: &[Bytes]) -> Result<(Writes, Run), Error> {
    let Some(name) = args.first() else {
        return Err(Error::new(ErrorKind::InvalidValue, "an empty command"));
    };
    let mut upper = [0; LONGEST];
    let known = upper.get_mut(..name.len()).and_then(|upper| {
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        lookup(upper)
    });
    let Some((arity, writes, run)) = known else {
        return Err(unknown(name));
    };
    if !arity_fits(arity, args.len()) {
        return Err(wrong_arity(name));
    }
    Ok((writes, run))
}

/// Arity as Redis counts it: the name included, negative for "at least".
#[rustfmt::skip]
fn lookup(name: &[u8]) -> Option<(i8, Writes, Run)> {
    use Writes::{Beside, No, Over};
    Some(match name {
        b"GET" => (2, No, strings::get),
        b"MGET" => (-2, No, strings::mget),
        b"SET" => (-3, Over, strings::set),
        b"SETEX" => (4, Over, strings::setex),
        b"PSETEX" => (4, Over, strings::psetex),
        b"SETNX" => (3, Over, strings::setnx),
        b"GETSET" => (3, Over, strings::getset),
        b"GETDEL" => (2, No, strings::getdel),
        b"GETEX" => (-2, No, strings::getex),
        b"MSET" => (-3, Over, strings::mset),
        b"APPEND" => (3, Beside, strings::append),
        b"STRLEN" => (2, No, strings::strlen),
        b"GETRANGE" => (4, No, strings::getrange),
        b"INCR" => (2, Over, strings::incr),
        b"DECR" => (2, Over, strings::decr),
        b"INCRBY" => (3, Over, strings::incrby),
        b"DECRBY" => (3, Over, strings::decrby),
        b"INCRBYFLOAT" => (3, Over, strings::incrbyfloat),
        b"DEL" | b"UNLINK" => (-2, No, keys::del),
        b"EXISTS" => (-2, No, keys::exists),
        b"TYPE" => (2, No, keys::kind),
        b"SCAN" => (-2, No, keys::scan),
        b"TTL" => (2, No, expiry::ttl),
        b"PTTL" => (2, No, expiry::pttl),
        b"EXPIRE" | b"PEXPIRE" | b"EXPIREAT" | b"PEXPIREAT" => (-3, No, expiry::expire),
        b"PERSIST" => (2, No, expiry::persist),
        b"HSET" => (-4, Beside, hashes::hset),
        b"HMSET" => (-4, Beside, hashes::hmset),
        b"HSETNX" => (4, Beside, hashes::hsetnx),
        b"HGET" => (3, No, hashes::hget),
        b"HMGET" => (-3, No, hashes::hmget),
        b"HGETALL" => (2, No, hashes::hgetall),
        b"HKEYS" => (2, No, hashes::hkeys),
        b"HVALS" => (2, No, hashes::hvals),
        b"HDEL" => (-3, No, hashes::hdel),
        b"HLEN" => (2, No, hashes::hlen),
        b"HEXISTS" => (3, No, hashes::hexists),
        b"HINCRBY" => (4, Beside, hashes::hincrby),
        b"HINCRBYFLOAT" => (4, Beside, hashes::hincrbyfloat),
        b"HSCAN" => (-3, No, hashes::hscan),
        b"RPUSH" => (-3, Beside, lists::rpush),
        b"LLEN" => (2, No, lists::llen),
        b"LRANGE" => (4, No, lists::lrange),
        b"SADD" => (-3, Beside, sets::sadd),
        b"SCARD" => (2, No, sets::scard),
        b"ZADD" => (-4, Beside, sorted::zadd),
        b"ZINCRBY" => (4, Beside, sorted::zincrby),
        b"ZRANGE" => (-4, No, sorted::zrange),
        b"ZCARD" => (2, No, sorted::zcard),
        b"PING" => (-1, No, server::ping),
        b"ECHO" => (2, No, server::echo),
        b"TIME" => (1, No, server::time),
        b"DBSIZE" => (1, No, server::dbsize),
        b"FLUSHDB" | b"FLUSHALL" => (-1, No, server::flush),
        b"PUBLISH" => (3, No, server::publish),
        _ => return None,
    })
}

fn arity_fits(arity: i8, count: usize) -> bool {
    let named = usize::from(arity.unsigned_abs());
    if arity < 0 {
        count >= named
    } else {
        count == named
    }
}

fn unknown(name: &[u8]) -> Error {
    let shown: String = String::from_utf8_lossy(name).chars().take(32).collect();
    let text = presentable(&shown);
    Error::new(
        ErrorKind::Unsupported,
        format!("ERR unknown command '{text}' (the embedded engine does not have it)"),
    )
}
