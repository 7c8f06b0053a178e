//! Lifetimes and deadlines.

use super::{Args, CommandResult, flag, is, syntax};
use crate::error::Error;
use crate::store::command::Reply;
use crate::store::memory::deadline::Deadline;
use crate::store::memory::keyspace::Keyspace;
use crate::store::memory::number::integer_or_error;
use crate::store::server_error::server_error;
use bytes::Bytes;

/// What a write does to the deadline of its key.
#[derive(Clone, Copy)]
pub(crate) enum Lifetime {
    Keep,
    Forever,
    Until(Deadline),
}

/// `EX 5`, `PX 5000`, `EXAT …`, `PXAT …` of the named command.
pub(crate) fn lifetime(
    keyspace: &Keyspace,
    unit: &[u8],
    number: &[u8],
    command: &str,
) -> Result<Lifetime, Error> {
    let (scale, relative) = match unit {
        unit if is(unit, "EX") => (1_000, true),
        unit if is(unit, "PX") => (1, true),
        unit if is(unit, "EXAT") => (1_000, false),
        unit if is(unit, "PXAT") => (1, false),
        _ => return Err(syntax()),
    };
    let number = integer_or_error(number)?;
    if number <= 0 {
        return Err(invalid(command));
    }
    let until = deadline(keyspace, number, scale, relative).ok_or_else(|| invalid(command))?;
    Ok(Lifetime::Until(until))
}

/// The deadline that lies this many milliseconds ahead, for `SET … PX` inside a script.
pub(crate) fn after_millis(keyspace: &Keyspace, number: &[u8]) -> Result<Deadline, Error> {
    match lifetime(keyspace, b"PX", number, "set")? {
        Lifetime::Until(at) => Ok(at),
        Lifetime::Keep | Lifetime::Forever => Err(invalid("set")),
    }
}

/// A deadline that lies so far ahead, or at such a time; in the past, it is over. None for one that Redis
/// cannot represent.
fn deadline(keyspace: &Keyspace, number: i64, scale: i64, relative: bool) -> Option<Deadline> {
    let now = keyspace.now();
    let ms = number.checked_mul(scale)?;
    if !relative {
        return Some(Deadline::at(now, u64::try_from(ms).unwrap_or(0)));
    }
    i64::try_from(now.wall).ok()?.checked_add(ms)?;
    Some(Deadline::after(now, u64::try_from(ms).unwrap_or(0)))
}

fn invalid(command: &str) -> Error {
    server_error(&format!("ERR invalid expire time in '{command}' command"))
}

pub(crate) fn ttl(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(Reply::Int(match remaining(keyspace, args.at(1)) {
        left if left < 0 => left,
        // Redis rounds to the nearest second.
        left => left.saturating_add(500) / 1_000,
    }))
}

pub(crate) fn pttl(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    Ok(Reply::Int(remaining(keyspace, args.at(1))))
}

/// Milliseconds; -1 for a key that stays, -2 for none.
fn remaining(keyspace: &mut Keyspace, key: &[u8]) -> i64 {
    match keyspace.deadline(key) {
        Some(until) => i64::try_from(keyspace.left(key, until)).unwrap_or(i64::MAX),
        None if keyspace.contains(key) => -1,
        None => -2,
    }
}

pub(crate) fn expire(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let name = String::from_utf8_lossy(args.at(0)).to_ascii_lowercase();
    let scale = if name.starts_with('p') { 1 } else { 1_000 };
    let number = integer_or_error(args.at(2))?;
    let relative = !name.ends_with("at");
    let until = deadline(keyspace, number, scale, relative).ok_or_else(|| invalid(&name))?;
    let condition = Condition::parse(args.rest(3))?;
    let key = args.at(1);
    let current = keyspace.deadline(key);
    let current = current.map(|current| keyspace.left(key, current));
    let new = keyspace.left(key, until);
    let allowed = keyspace.contains(key) && condition.allows(current, new);
    if allowed {
        keyspace.set_deadline(key, Some(until));
    }
    Ok(flag(allowed))
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each option")]
struct Condition {
    without_deadline: bool,
    with_deadline: bool,
    later: bool,
    earlier: bool,
}

impl Condition {
    fn parse(words: &[Bytes]) -> Result<Self, Error> {
        let mut condition = Self::default();
        for word in words {
            match word {
                word if is(word, "NX") => condition.without_deadline = true,
                word if is(word, "XX") => condition.with_deadline = true,
                word if is(word, "GT") => condition.later = true,
                word if is(word, "LT") => condition.earlier = true,
                _ => return Err(server_error("ERR Unsupported option")),
            }
        }
        if condition.without_deadline
            && (condition.with_deadline || condition.later || condition.earlier)
        {
            return Err(server_error(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if condition.later && condition.earlier {
            return Err(server_error(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    /// Of what the key has left and what it would have. A key without a deadline counts as one with a deadline that never comes.
    fn allows(&self, current: Option<u64>, new: u64) -> bool {
        !(self.without_deadline && current.is_some()
            || self.with_deadline && current.is_none()
            || self.later && current.is_none_or(|left| new <= left)
            || self.earlier && current.is_some_and(|left| new >= left))
    }
}

pub(crate) fn persist(keyspace: &mut Keyspace, args: Args<'_>) -> CommandResult {
    let had_deadline = keyspace.deadline(args.at(1)).is_some();
    if had_deadline {
        keyspace.set_deadline(args.at(1), None);
    }
    Ok(flag(had_deadline))
}
