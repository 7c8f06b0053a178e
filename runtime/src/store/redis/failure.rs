//! What it means that no connection was opened, or that one gave an error instead of replies.

use super::watched::{is_too_large, never_left};
use super::wire::error_text;
use crate::error::{Error, ErrorKind};
use crate::store::repeat::{Failure, Stage};
use crate::store::server_error::{not_run, presentable, server_error};
use crate::store::transport::Kind;
use redis::RedisError;
use std::time::Duration;

pub(super) fn too_slow(host: &str, limit: Duration) -> Failure {
    Failure {
        stage: Stage::NotSent,
        error: Error::new(
            ErrorKind::Unavailable,
            format!("could not connect to {host} within {limit:?}; check the network"),
        ),
    }
}

pub(super) fn unreached(host: &str, error: &RedisError) -> Failure {
    let detail = error.detail().map(presentable).unwrap_or_default();
    let code = error.code().unwrap_or_default();
    let refused = error.kind() == redis::ErrorKind::AuthenticationFailed
        || matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM");
    if refused {
        return Failure::lasting(Error::new(
            ErrorKind::Auth,
            format!("{host} refused the user name or password of the Redis URL ({detail})"),
        ));
    }
    if error.kind() == redis::ErrorKind::InvalidClientConfig {
        return Failure::lasting(Error::new(
            ErrorKind::Config,
            format!("the Redis URL does not fit {host} ({detail})"),
        ));
    }
    Failure {
        stage: Stage::NotSent,
        error: Error::with_source(
            ErrorKind::Unavailable,
            format!("could not connect to {host}; check the Redis URL and the network"),
            error.clone(),
        ),
    }
}

/// `may_divide`: several commands left together, and any of their replies may be the cause.
pub(super) fn broken(host: &str, kind: Kind, may_divide: bool, error: &RedisError) -> Failure {
    if matches!(error.kind(), redis::ErrorKind::Server(_)) {
        let text = error_text(error);
        return Failure {
            stage: match not_run(&text) {
                Some(_) => Stage::NotSent,
                None => Stage::Lasting,
            },
            error: server_error(&text),
        };
    }
    let unavailable = |message| Error::with_source(ErrorKind::Unavailable, message, error.clone());
    match error.kind() {
        redis::ErrorKind::ClusterConnectionNotFound => Failure {
            stage: Stage::NotSent,
            error: unavailable(format!("no node of the cluster at {host} can be reached")),
        },
        redis::ErrorKind::Parse => Failure {
            stage: Stage::Lost,
            error: Error::new(
                ErrorKind::Protocol,
                format!("the answer of {host} is not RESP: this does not look like a Redis"),
            ),
        },
        redis::ErrorKind::Io if is_too_large(error) => Failure {
            stage: match kind {
                // Reads changed nothing, so they may be sent again in smaller exchanges.
                Kind::Reads => Stage::Refused,
                Kind::Writes if may_divide => Stage::Lost,
                Kind::Writes => Stage::Unread,
            },
            error: Error::new(
                ErrorKind::TooLarge,
                format!("a reply of {host} is too large to be read; read less at once"),
            ),
        },
        redis::ErrorKind::Io if never_left(error) => Failure {
            stage: Stage::Stale,
            error: unavailable(format!("{host} closed the connection")),
        },
        redis::ErrorKind::Io => Failure {
            stage: match kind {
                // Nobody looks whether the connection is open before a read leaves.
                Kind::Reads => Stage::StaleRead,
                Kind::Writes => Stage::Lost,
            },
            error: unavailable(format!(
                "the connection to {host} broke before the answer came"
            )),
        },
        _ => Failure::lasting(Error::new(
            ErrorKind::Protocol,
            format!("the client refused the command: {}", error.category()),
        )),
    }
}
