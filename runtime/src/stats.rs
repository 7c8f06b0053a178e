//! Counters: what happened in the cache, and what it cost on the wire.

use std::sync::atomic::{AtomicU64, Ordering};

/// What went over the wire; an engine counts as it sends and receives.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Commands sent, repeats included; a script call is one.
    pub(crate) commands: Counter,
    /// HTTP requests sent; for RESP, batches written.
    pub(crate) requests: Counter,
    /// Bytes of request bodies (RESP: of commands as encoded).
    pub(crate) bytes_sent: Counter,
    /// Bytes of answers.
    pub(crate) bytes_received: Counter,
    /// Repeats after a failure.
    pub(crate) retries: Counter,
}

/// A number that only goes up.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
