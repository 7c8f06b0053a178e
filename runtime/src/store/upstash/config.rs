//! How to reach a database over HTTP, and how patiently.

use crate::secret::Secret;
use crate::settings::CredentialNames;
use crate::store::auto_pipeline::BACKLOG;
use std::time::Duration;

/// Largest answer that is read, in bytes. Upstash itself stops at 10 MB a command by default.
#[cfg(not(target_arch = "wasm32"))]
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Less where all requests of an isolate have 128 MB together.
#[cfg(target_arch = "wasm32")]
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// How to reach a database.
#[derive(Clone, Debug)]
pub(crate) struct UpstashConfig {
    /// `https://<name>.upstash.io`, a path in front of the protocol's own included. It can hold a
    /// password until it was checked.
    pub(crate) url: Secret,
    pub(crate) token: Secret,
    /// Where they were found; nothing if they were given in code.
    pub(crate) names: Option<CredentialNames>,
    /// Repeats after a failure, within the time budget of the caller.
    pub(crate) retries: u32,
    /// The pause before the first repeat; each one after that is twice as long.
    pub(crate) backoff: Duration,
    /// Whether a read sees the writes that were answered before it in the same runtime, on any
    /// replica. Writes of several runtimes pass each other, and the token of the last answer stands.
    pub(crate) read_your_writes: bool,
    /// Whether calls that are made while others are under way leave together.
    pub(crate) pipelining: bool,
    /// Whether the token may go over plain http to another machine.
    pub(crate) plain_http: bool,
    pub(crate) connect_timeout: Duration,
    /// Bytes of commands that may wait or be under way.
    pub(crate) backlog: usize,
    /// In bytes.
    pub(crate) largest_answer: usize,
}

impl UpstashConfig {
    pub(crate) fn new(url: Secret, token: Secret) -> Self {
        Self {
            url,
            token,
            names: None,
            retries: 5,
            backoff: Duration::from_millis(50),
            read_your_writes: true,
            pipelining: true,
            plain_http: false,
            connect_timeout: Duration::from_secs(3),
            backlog: BACKLOG,
            largest_answer: LARGEST_ANSWER,
        }
    }
}
