//! Scripts that carry Upstash's own flag, `allow-key-locking`, rewritten for a plain Redis, which does not
//! know it: the flag goes from the first line, what Upstash refuses under it is refused by a wrapper around
//! `redis.call`, and the SHA-1 that the client knows stands for that of the rewritten text.

use crate::resp::{Command, Reply};
use crate::rules::name;
use bytes::Bytes;
use sha1::{Digest, Sha1};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const FLAG: &str = "allow-key-locking";

/// Refuses undeclared keys and `FLUSH*`, as Upstash does under the flag.
const LOCKING: &str = include_str!("locking.lua");

/// SHA-1 of a script as its client wrote it -> SHA-1 of what Redis got.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    rewritten: Mutex<HashMap<String, String>>,
}

impl Scripts {
    /// The command as Redis takes it.
    pub(crate) fn translate(&self, command: &Command) -> Command {
        let mut command = command.clone();
        match name(&command).as_str() {
            "EVAL" | "EVAL_RO" => self.rewrite(command.get_mut(1)),
            "EVALSHA" | "EVALSHA_RO" => self.map(command.get_mut(1)),
            "SCRIPT" if is_sub(&command, "LOAD") => self.rewrite(command.get_mut(2)),
            "SCRIPT" if is_sub(&command, "EXISTS") => command
                .iter_mut()
                .skip(2)
                .for_each(|sha| self.map(Some(sha))),
            _ => {}
        }
        command
    }

    /// The reply as the client expects it: `SCRIPT LOAD` gives the SHA-1 of the client's own text.
    pub(crate) fn reply(original: &Command, reply: Reply) -> Reply {
        match (original.get(2), reply) {
            (Some(script), Reply::Bulk(_))
                if name(original) == "SCRIPT" && is_sub(original, "LOAD") =>
            {
                Reply::Bulk(sha1_hex(script).into())
            }
            (_, reply) => reply,
        }
    }

    fn rewrite(&self, script: Option<&mut Bytes>) {
        let Some(script) = script else { return };
        if let Some(plain) = without_flag(script) {
            let mut rewritten = self
                .rewritten
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            rewritten.insert(sha1_hex(script), sha1_hex(plain.as_bytes()));
            *script = plain.into();
        }
    }

    fn map(&self, sha: Option<&mut Bytes>) {
        let Some(sha) = sha else { return };
        let rewritten = self
            .rewritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = rewritten.get(&String::from_utf8_lossy(sha).to_lowercase()) {
            *sha = known.clone().into();
        }
    }
}

// A shebang without flags stays one: it changes how Redis runs a script. The wrapper stands on the line of
// the first statement, so that errors name the lines of the client's text.
fn without_flag(script: &[u8]) -> Option<String> {
    let script = std::str::from_utf8(script).ok()?;
    let (shebang, body) = script.split_once('\n')?;
    let (engine, flags) = shebang.strip_prefix("#!")?.split_once(" flags=")?;
    let (locking, kept): (Vec<&str>, Vec<&str>) =
        flags.split(',').partition(|flag| flag.trim() == FLAG);
    let wrapper = if locking.is_empty() {
        String::new()
    } else {
        LOCKING.replace('\n', " ")
    };
    Some(if kept.is_empty() {
        format!("#!{engine}\n{wrapper}{body}")
    } else {
        format!("#!{engine} flags={}\n{wrapper}{body}", kept.join(","))
    })
}

fn is_sub(command: &Command, sub: &str) -> bool {
    command
        .get(1)
        .is_some_and(|argument| argument.eq_ignore_ascii_case(sub.as_bytes()))
}

fn sha1_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha1::digest(bytes)
        .iter()
        .fold(String::with_capacity(40), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
