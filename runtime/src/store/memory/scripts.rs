//! The Lua scripts as native Rust: same keys, same arguments, same replies.

mod events;
mod fill_many;
mod guarded;
mod writes;

use super::commands::{self, expiry};
use super::keyspace::Keyspace;
use super::number::{integer, integer_or_error};
use crate::error::{Error, ErrorKind};
use crate::limit::script;
use crate::store::command::{Reply, Script};
use bytes::Bytes;

pub(crate) fn run(
    keyspace: &mut Keyspace,
    script: Script,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    if let Script::LimitCheck
    | Script::LimitRefund
    | Script::Extend
    | Script::IfEqual
    | Script::GiveUp = script
    {
        keyspace.run_even_if_full();
    }
    keyspace.admit(args, None)?;
    match (script, keys, args) {
        (Script::Fill, ..) => guarded::fill(keyspace, keys, args),
        (Script::FillMany, ..) => fill_many::fill_many(keyspace, keys, args),
        (Script::Update, ..) => guarded::update(keyspace, keys, args),
        (Script::Tags, ..) => guarded::make_tags(keyspace, keys, args),
        (Script::LimitCheck, ..) => {
            let counters = script::taken_from(keys, args)?;
            if !counters.iter().all(|key| keyspace.has_room_for_budget(key)) {
                return Err(full_of_budgets());
            }
            let mut run = |command: &[Bytes]| commands::run(keyspace, command);
            let (reply, levels) = script::run_check(keys, args, &mut run)?;
            for (key, level) in levels {
                keyspace.hold_budget(&key, level);
            }
            Ok(reply)
        }
        (Script::LimitRefund, ..) => {
            script::run_refund(keys, args, &mut |command| commands::run(keyspace, command))
        }
        (Script::LimitEvents, ..) => events::count(keyspace, keys, args),
        (Script::Lock, [lock, number], [token, ttl, least, number_ttl]) => {
            let holder = keyspace.text(lock)?;
            let is_mine = holder.as_ref() == Some(token);
            if holder.is_some() && !is_mine {
                let left = commands::run(keyspace, &["PTTL".into(), lock.clone()])?;
                return Ok(Reply::Array(vec![Reply::Int(0), left]));
            }
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            let number_expires_at = expiry::after_millis(keyspace, number_ttl)?;
            let held = keyspace.text(number)?;
            let held = held.and_then(|text| integer(&text)).unwrap_or(0);
            // Even where the number of this taking was evicted.
            let next = if is_mine && held > 0 {
                held
            } else {
                held.saturating_add(1).max(integer_or_error(least)?)
            };
            keyspace.set_text(lock, token, Some(expires_at));
            keyspace.set_text(number, next.to_string().as_bytes(), Some(number_expires_at));
            Ok(Reply::Array(vec![Reply::Int(1), Reply::Int(next)]))
        }
        (Script::Extend, [lock], [token, ttl]) => {
            if keyspace.text(lock)?.as_ref() != Some(token) {
                return Ok(Reply::Int(0));
            }
            let until = expiry::after_millis(keyspace, ttl)?;
            let new = keyspace.left(lock, until);
            let current = keyspace.deadline(lock);
            if current.is_none_or(|current| keyspace.left(lock, current) < new) {
                keyspace.set_deadline(lock, Some(until));
            }
            Ok(Reply::Int(1))
        }
        (Script::IfEqual, [key], [text, command @ ..]) => {
            if keyspace.text(key)?.as_ref() == Some(text) {
                writes::on_key(keyspace, key, command)
            } else {
                Ok(Reply::Int(0))
            }
        }
        (Script::Put | Script::GiveUp | Script::Change | Script::Rotate, ..) => {
            writes::run(keyspace, script, keys, args)
        }
        _ => Err(writes::wrong_number()),
    }
}

/// A check that gets this is decided as in an outage, by a table of its own; whose budget is used up is known here and
/// gets a refusal.
pub(super) fn full_of_budgets() -> Error {
    let text = "OOM the embedded engine holds as many budgets of limits as it may, and none has units left";
    Error::new(ErrorKind::TooLarge, text)
}
