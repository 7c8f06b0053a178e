//! What a Redis error text means. All engines pass their texts through here, so one mistake has one
//! kind everywhere, and no text carries an argument back out.

use crate::error::{Cause, Error, ErrorKind};

/// Where Redis and Upstash start to repeat what they were sent.
const ECHOES: [&str; 4] = [
    ", with args beginning with",
    " Key was:",
    "Unsupported option ",
    " script: ",
];

/// Longest text of a server that goes into an error, in bytes.
const LONGEST: usize = 300;

/// An error reply as an [`Error`] of the fitting kind.
pub(crate) fn server_error(text: &str) -> Error {
    let shown = presentable(text);
    #[cfg(any(feature = "upstash", feature = "redis"))]
    if let Some(error) = super::respite::used_up(&shown) {
        return error;
    }
    // What stays after every repeat: the others know the node, and it does not answer.
    if text.starts_with("MOVED ") || text.starts_with("ASK ") {
        let message =
            format!("the node of the cluster that has this key cannot be reached ({shown})");
        return Error::new(ErrorKind::Unavailable, message);
    }
    let error = Error::new(kind_of(text), shown);
    match cause_of(text) {
        Some(cause) => error.caused_by(cause),
        None => error,
    }
}

/// Why a server ran nothing of a command, where trying again may do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// The server is not ready: it loads, or runs a long script, or has no room for writes just now.
    NotNow,
    /// The node is not the one that serves this command: a primary that became a replica, or a slot of
    /// a cluster that has moved.
    WrongNode,
}

/// Whether an error text says that nothing was done and that the same command may well succeed a moment
/// later. A script is among them: its first write is what such a node refuses.
/// Source: `src/server.c`, `createSharedObjects`, and `src/cluster.c`, `clusterRedirectClient`, of Redis 7.
pub(crate) fn not_run(text: &str) -> Option<NotRun> {
    if text.starts_with("READONLY Writes are temporarily rejected") {
        return Some(NotRun::NotNow);
    }
    match text.split(' ').next().unwrap_or_default() {
        "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" => Some(NotRun::NotNow),
        "READONLY" | "MASTERDOWN" | "UNBLOCKED" | "MOVED" | "ASK" => Some(NotRun::WrongNode),
        _ => None,
    }
}

/// The text without echoed arguments and of a bounded length.
pub(crate) fn presentable(text: &str) -> String {
    let end = ECHOES
        .iter()
        .filter_map(|echo| text.find(echo))
        .min()
        .unwrap_or(text.len());
    let kept = text.get(..end).unwrap_or(text);
    let mut shown: String = kept
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if shown.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|&at| shown.is_char_boundary(at));
        shown.truncate(end.unwrap_or_default());
        shown.push('…');
    }
    shown
}

fn cause_of(text: &str) -> Option<Cause> {
    if not_run(text).is_some() {
        Some(Cause::NotNow)
    } else if text.contains("is not an integer") {
        Some(Cause::NotANumber)
    } else if text.contains("would overflow") {
        Some(Cause::Overflow)
    } else {
        None
    }
}

fn kind_of(text: &str) -> ErrorKind {
    let has = |part: &str| text.contains(part);
    match text.split(' ').next().unwrap_or_default() {
        "WRONGTYPE" => ErrorKind::WrongType,
        "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorKind::Auth,
        _ if has("max request size exceeded")
            || has("max single record size exceeded")
            || has("max key size exceeded")
            || has("string exceeds maximum allowed size") =>
        {
            ErrorKind::TooLarge
        }
        _ if has("unknown command")
            || has("Command is not available")
            || has("is not allowed in REST") =>
        {
            ErrorKind::Unsupported
        }
        _ => ErrorKind::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_never_repeats_the_arguments_that_were_sent() {
        let error =
            server_error("ERR unknown command 'FOO', with args beginning with: 'secret' 'b'");
        assert_eq!(error.to_string(), "ERR unknown command 'FOO'");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let error = server_error(&format!("ERR {}", "ä".repeat(10_000)));
        assert!(error.to_string().len() <= LONGEST + '…'.len_utf8());
    }

    #[test]
    fn control_characters_do_not_reach_a_log_line() {
        assert_eq!(
            server_error("ERR a\r\nfake log line").to_string(),
            "ERR a  fake log line"
        );
    }

    #[test]
    fn what_a_server_did_not_run_is_told_from_what_it_did() {
        let replica = "READONLY You can't write against a read only replica.";
        assert_eq!(not_run(replica), Some(NotRun::WrongNode));
        assert_eq!(not_run("MOVED 1 127.0.0.1:1"), Some(NotRun::WrongNode));
        let upstash = "READONLY Writes are temporarily rejected";
        assert_eq!(not_run(upstash), Some(NotRun::NotNow));
        assert_eq!(not_run("LOADING Redis is loading"), Some(NotRun::NotNow));
        for ran in [
            "ERR no such key",
            "OOM command not allowed",
            "BUSYGROUP x",
            "",
        ] {
            assert_eq!(not_run(ran), None, "{ran}");
        }
    }

    #[test]
    fn kinds_follow_the_texts() {
        let kinds = [
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                ErrorKind::WrongType,
            ),
            ("WRONGPASS invalid or missing auth token", ErrorKind::Auth),
            (
                "ERR max request size exceeded. Limit: 10485760 bytes, Actual: 11245919 bytes",
                ErrorKind::TooLarge,
            ),
            (
                "ERR Command is not available: 'X'. See https://upstash.com",
                ErrorKind::Unsupported,
            ),
            (
                "ERR value is not an integer or out of range",
                ErrorKind::Server,
            ),
        ];
        for (text, kind) in kinds {
            assert_eq!(server_error(text).kind(), kind, "{text}");
        }
    }
}
