//! What the REST interface refuses although Redis would take it, in the words of Upstash.

use crate::resp::{Command, Reply};
use std::collections::HashSet;

// They belong to a connection, and over REST there is none, or they have an endpoint of their own.
const BOUND_TO_A_CONNECTION: [&str; 20] = [
    "AUTH",
    "CLIENT",
    "DISCARD",
    "EXEC",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "PSYNC",
    "PUNSUBSCRIBE",
    "QUIT",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "SYNC",
    "UNSUBSCRIBE",
    "UNWATCH",
    "WATCH",
];

// They block, or they administer a server that Upstash administers itself.
const UNAVAILABLE: [&str; 29] = [
    "BGREWRITEAOF",
    "BGSAVE",
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "CLUSTER",
    "CONFIG",
    "DEBUG",
    "FAILOVER",
    "LATENCY",
    "MIGRATE",
    "MODULE",
    "MOVE",
    "REPLCONF",
    "REPLICAOF",
    "ROLE",
    "SAVE",
    "SHUTDOWN",
    "SLAVEOF",
    "SLOWLOG",
    "SWAPDB",
    "SYNC",
    "WAIT",
    "WAITAOF",
];

/// The error that a command gets without Redis being asked.
pub(crate) fn refused(command: &Command, limit: usize) -> Option<String> {
    let name = name(command);
    if BOUND_TO_A_CONNECTION.contains(&name.as_str()) {
        return Some(format!(
            "ERR Command \"{name}\" is not allowed in REST or it has a special context path"
        ));
    }
    if UNAVAILABLE.contains(&name.as_str()) || blocks(&name, command) {
        return Some(unavailable(&name));
    }
    too_large(command.iter().map(bytes::Bytes::len).sum(), limit)
}

/// The error for a request or an answer over the limit.
pub(crate) fn too_large(actual: usize, limit: usize) -> Option<String> {
    (actual > limit).then(|| {
        format!(
            "ERR max request size exceeded. Limit: {limit} bytes, Actual: {actual} bytes. \
             See https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for details"
        )
    })
}

// Source: <https://upstash.com/docs/redis/troubleshooting/max_key_size_exceeded>.
const MAX_KEY_BYTES: usize = 32 * 1024;

/// Whether it is worth asking Redis which arguments of a command are keys.
pub(crate) fn may_have_a_large_key(command: &Command) -> bool {
    command
        .iter()
        .any(|argument| argument.len() > MAX_KEY_BYTES)
}

/// The error for a key over the limit, from the answer to `COMMAND GETKEYS`.
pub(crate) fn key_too_large(keys: &Reply) -> Option<String> {
    // A command without keys has an error for an answer.
    let Reply::Array(keys) = keys else {
        return None;
    };
    let actual = keys.iter().find_map(|key| match key {
        Reply::Bulk(key) if key.len() > MAX_KEY_BYTES => Some(key.len()),
        _ => None,
    })?;
    Some(format!(
        "ERR max key size exceeded. Limit: {MAX_KEY_BYTES} bytes, Actual: {actual} bytes"
    ))
}

/// Upstash words an unknown command differently from Redis.
pub(crate) fn worded(reply: Reply, command: &Command) -> Reply {
    match reply {
        Reply::Error(text) if text.starts_with("ERR unknown command") => {
            Reply::Error(unavailable(&name(command)))
        }
        other => other,
    }
}

/// The name of a command in capitals.
pub(crate) fn name(command: &Command) -> String {
    command
        .first()
        .map(|name| String::from_utf8_lossy(name).to_uppercase())
        .unwrap_or_default()
}

/// The commands that may write, from the answer to `COMMAND`, which does not say it of scripts.
pub(crate) fn writers(catalogue: &Reply) -> HashSet<String> {
    let Reply::Array(commands) = catalogue else {
        return HashSet::new();
    };
    let flagged = commands.iter().filter_map(|entry| {
        let Reply::Array(fields) = entry else {
            return None;
        };
        let (name, Reply::Array(flags)) = (fields.first()?, fields.get(2)?) else {
            return None;
        };
        let writes = flags
            .iter()
            .filter_map(Reply::text)
            .any(|flag| flag == "write");
        writes.then(|| name.text().unwrap_or_default().to_uppercase())
    });
    let scripts = ["EVAL", "EVALSHA", "FCALL"].map(str::to_owned);
    flagged.chain(scripts).collect()
}

fn unavailable(name: &str) -> String {
    format!(
        "ERR Command is not available: '{name}'. \
         See https://upstash.com/docs/redis/overall/rediscompatibility for details"
    )
}

fn blocks(name: &str, command: &Command) -> bool {
    matches!(name, "XREAD" | "XREADGROUP")
        && command
            .iter()
            .take_while(|argument| !argument.eq_ignore_ascii_case(b"streams"))
            .any(|argument| argument.eq_ignore_ascii_case(b"block"))
}
