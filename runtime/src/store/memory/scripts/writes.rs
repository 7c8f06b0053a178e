//! The scripts of numbered writes: a process can give up what it wrote.

use crate::error::Error;
use crate::store::command::{Purpose, Reply, Script};
use crate::store::memory::commands::{self, expiry};
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::{integer, integer_or_error};
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(super) fn run(
    keyspace: &mut Keyspace,
    script: Script,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    match (script, keys, args) {
        (Script::Put, keys, args) => put(keyspace, keys, args),
        (Script::GiveUp, keys, args) => give_up_and_remove(keyspace, keys, args),
        (Script::Change, [key, doubt], [process, number, ttl, command @ ..]) => {
            if is_given_up(keyspace, doubt, process, number)? {
                return Ok(Reply::Array(Vec::new()));
            }
            let expires_at = if ttl.is_empty() {
                None
            } else {
                Some(expiry::after_millis(keyspace, ttl)?)
            };
            let is_new = expires_at.is_some() && !keyspace.contains(key);
            let reply = on_key(keyspace, key, command)?;
            if is_new {
                keyspace.set_deadline(key, expires_at);
            }
            // As a server sends it: a status is 1.
            let is_status = matches!(reply, Reply::Bulk(_));
            let reply = if is_status { Reply::Int(1) } else { reply };
            Ok(Reply::Array(vec![reply]))
        }
        (Script::Rotate, [old, new, doubt], [process, number, ttl]) => {
            if is_given_up(keyspace, doubt, process, number)? {
                return Ok(Reply::Int(-1));
            }
            let Some(value) = keyspace.text(old)? else {
                return Ok(Reply::Int(keyspace.contains(new).into()));
            };
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            keyspace.set_text(new, &value, Some(expires_at));
            keyspace.remove(old);
            Ok(Reply::Int(1))
        }
        _ => Err(wrong_number()),
    }
}

fn put(keyspace: &mut Keyspace, keys: &[Bytes], args: &[Bytes]) -> Result<Reply, Error> {
    let [process, number, guard_ttl, ttl, values @ ..] = args else {
        return Err(wrong_number());
    };
    let entries = keys.as_chunks::<3>().0;
    for [_, _, doubt] in entries {
        if is_given_up(keyspace, doubt, process, number)? {
            return Ok(Reply::Int(0));
        }
    }
    let expires_at = expiry::after_millis(keyspace, ttl)?;
    let word = guard_word(process, number);
    for ([value, guard, doubt], [new, doubted]) in entries.iter().zip(values.as_chunks::<2>().0) {
        if !doubted.is_empty() {
            let removed = removed(process);
            raise(keyspace, doubt, &[process, &removed], doubted, guard_ttl)?;
        }
        set_guard(keyspace, guard, &word, guard_ttl)?;
        keyspace.set_text(value, new, Some(expires_at));
    }
    Ok(Reply::Int(1))
}

fn give_up_and_remove(
    keyspace: &mut Keyspace,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    let ([value, guard, doubt], [process, number, removes, word, life]) = (keys, args) else {
        return Err(wrong_number());
    };
    let removes = removes == "1" && !is_given_up(keyspace, doubt, &removed(process), number)?;
    let fields: &[&Bytes] = if removes {
        &[process, &removed(process)]
    } else {
        &[process]
    };
    raise(keyspace, doubt, fields, number, life)?;
    if !removes {
        return Ok(Reply::Int(0));
    }
    let held = keyspace.text(guard)?.unwrap_or_default();
    let stored = held
        .strip_prefix(&process[..])
        .and_then(|rest| rest.strip_prefix(b"."));
    let stored = stored.and_then(integer).unwrap_or(0);
    if stored > integer_or_error(number)? {
        return Ok(Reply::Int(0));
    }
    set_guard(keyspace, guard, word, life)?;
    Ok(Reply::Int(keyspace.remove(value).into()))
}

/// Whether a process gave up what has this number, in this field of a doubt.
fn is_given_up(
    keyspace: &mut Keyspace,
    doubt: &Bytes,
    field: &Bytes,
    number: &Bytes,
) -> Result<bool, Error> {
    let held = commands::run(keyspace, &["HGET".into(), doubt.clone(), field.clone()])?;
    let held = match held {
        Reply::Bulk(text) => integer(&text).unwrap_or(0),
        _ => 0,
    };
    Ok(held >= integer_or_error(number)?)
}

/// Raises fields of a doubt to a number; it lives as long as a guard. What was given up stays given up: an older
/// write may be given up after a later one.
fn raise(
    keyspace: &mut Keyspace,
    doubt: &Bytes,
    fields: &[&Bytes],
    number: &Bytes,
    life: &Bytes,
) -> Result<(), Error> {
    for field in fields {
        if is_given_up(keyspace, doubt, field, number)? {
            continue;
        }
        let set = [
            "HSET".into(),
            doubt.clone(),
            (*field).clone(),
            number.clone(),
        ];
        keyspace.making(Purpose::Guard, |keyspace| commands::run(keyspace, &set))?;
    }
    commands::run(keyspace, &["PEXPIRE".into(), doubt.clone(), life.clone()])?;
    Ok(())
}

/// Moves a guard.
pub(super) fn set_guard(
    keyspace: &mut Keyspace,
    guard: &Bytes,
    word: &[u8],
    life: &Bytes,
) -> Result<(), Error> {
    let until = expiry::after_millis(keyspace, life)?;
    keyspace.making(Purpose::Guard, |keyspace| {
        keyspace.set_text(guard, word, Some(until));
    });
    Ok(())
}

/// The field of a doubt that says up to which number values were removed.
fn removed(process: &Bytes) -> Bytes {
    [&process[..], b":removed"].concat().into()
}

fn guard_word(process: &Bytes, number: &Bytes) -> Vec<u8> {
    [&process[..], b".", &number[..]].concat()
}

/// A command that a script was given, on its key.
pub(super) fn on_key(
    keyspace: &mut Keyspace,
    key: &Bytes,
    command: &[Bytes],
) -> Result<Reply, Error> {
    let (name, rest) = command.split_at(command.len().min(1));
    commands::run(keyspace, &[name, std::slice::from_ref(key), rest].concat())
}

/// The error for a script that is called in a way that millpond never does.
pub(super) fn wrong_number() -> Error {
    server_error("ERR wrong number of keys or arguments for a script")
}
