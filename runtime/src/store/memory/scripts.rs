//! The Lua scripts as native Rust: same keys, same arguments, same replies.

use super::commands::{self, expiry};
use super::keyspace::Keyspace;
use super::number::{integer, integer_or_error};
use crate::error::Error;
use crate::hex::sha1_hex;
use crate::limit::script;
use crate::store::command::{Reply, Script};
use crate::store::server_error::server_error;
use bytes::Bytes;

pub(crate) fn run(
    keyspace: &mut Keyspace,
    script: Script,
    keys: &[Bytes],
    args: &[Bytes],
) -> Result<Reply, Error> {
    keyspace.admit(args, None)?;
    match (script, keys, args) {
        (Script::Fill, [value, guard], [seen_guard, seen_value, new, ttl]) => {
            let guard = keyspace.text(guard)?.unwrap_or_default();
            if guard != seen_guard {
                return Ok(Reply::Int(0));
            }
            let held = keyspace.text(value)?;
            if held.map_or_else(String::new, |held| sha1_hex(&held)) != *seen_value {
                return Ok(Reply::Int(0));
            }
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            keyspace.set_text(value, new, Some(expires_at));
            Ok(Reply::Int(1))
        }
        (Script::Put, keys, [nonce, guard_ttl, ttl, values @ ..]) => {
            let guard_expires_at = expiry::after_millis(keyspace, guard_ttl)?;
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            for ([value, guard], new) in keys.as_chunks::<2>().0.iter().zip(values) {
                keyspace.set_text(guard, nonce, Some(guard_expires_at));
                keyspace.set_text(value, new, Some(expires_at));
            }
            Ok(Reply::Int(1))
        }
        (Script::Update, [value, guard], [seen_guard, nonce, guard_ttl, new, ttl]) => {
            if keyspace.text(guard)?.unwrap_or_default() != seen_guard {
                return Ok(Reply::Int(0));
            }
            let guard_expires_at = expiry::after_millis(keyspace, guard_ttl)?;
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            keyspace.set_text(guard, nonce, Some(guard_expires_at));
            keyspace.set_text(value, new, Some(expires_at));
            Ok(Reply::Int(1))
        }
        (Script::LimitCheck, ..) => {
            script::run_check(keys, args, &mut |command| commands::run(keyspace, command))
        }
        (Script::LimitRefund, ..) => {
            script::run_refund(keys, args, &mut |command| commands::run(keyspace, command))
        }
        (Script::Create, [key], [ttl, command @ ..]) => {
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            let is_new = !keyspace.contains(key);
            let reply = on_key(keyspace, key, command)?;
            if is_new {
                keyspace.set_deadline(key, Some(expires_at));
            }
            Ok(reply)
        }
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
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            if keyspace.expires_at(lock).is_none_or(|at| at < expires_at) {
                keyspace.set_deadline(lock, Some(expires_at));
            }
            Ok(Reply::Int(1))
        }
        (Script::IfEqual, [key], [text, command @ ..]) => {
            if keyspace.text(key)?.as_ref() == Some(text) {
                on_key(keyspace, key, command)
            } else {
                Ok(Reply::Int(0))
            }
        }
        (Script::Rotate, [old, new], [ttl]) => {
            let Some(value) = keyspace.text(old)? else {
                return Ok(Reply::Int(keyspace.contains(new).into()));
            };
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            keyspace.set_text(new, &value, Some(expires_at));
            keyspace.remove(old);
            Ok(Reply::Int(1))
        }
        _ => Err(server_error(
            "ERR wrong number of keys or arguments for a script",
        )),
    }
}

/// A command that a script was given, on its key.
fn on_key(keyspace: &mut Keyspace, key: &Bytes, command: &[Bytes]) -> Result<Reply, Error> {
    let (name, rest) = command.split_at(command.len().min(1));
    commands::run(keyspace, &[name, std::slice::from_ref(key), rest].concat())
}
