//! The Lua scripts as native Rust: same keys, same arguments, same replies.

use super::commands::{self, expiry};
use super::keyspace::Keyspace;
use crate::error::Error;
use crate::limit::script;
use crate::store::command::{Reply, Script, sha1_hex};
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
        (Script::Put, [value, guard], [nonce, guard_ttl, new, ttl]) => {
            let guard_expires_at = expiry::after_millis(keyspace, guard_ttl)?;
            let expires_at = expiry::after_millis(keyspace, ttl)?;
            keyspace.set_text(guard, nonce, Some(guard_expires_at));
            keyspace.set_text(value, new, Some(expires_at));
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
        (Script::Fill | Script::Put | Script::Update, ..) => Err(server_error(
            "ERR wrong number of keys or arguments for a script",
        )),
    }
}
