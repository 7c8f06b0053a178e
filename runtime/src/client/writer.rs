//! The numbers under which a process writes.

use crate::random;
use bytes::Bytes;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The numbers of this process's writes. They rise, and no two processes have the same name.
#[derive(Debug)]
pub(crate) struct Writes {
    /// Chosen by the first write: in the Workers runtime, there are no random numbers before a request.
    process: OnceLock<Bytes>,
    newest: AtomicU64,
}

/// Who writes: a process, and which of its writes.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    process: Bytes,
    pub(super) number: u64,
}

impl Writes {
    pub(crate) fn new() -> Self {
        Self {
            process: OnceLock::new(),
            newest: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> Writer {
        self.numbered(self.newest.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// The writer of a number that was given out before.
    pub(super) fn numbered(&self, number: u64) -> Writer {
        Writer {
            process: self
                .process
                .get_or_init(|| format!("{:016x}", random::random_u64()).into())
                .clone(),
            number,
        }
    }
}

impl Writer {
    pub(super) fn process(&self) -> Bytes {
        self.process.clone()
    }

    pub(super) fn number(&self) -> Bytes {
        self.number.to_string().into()
    }

    /// What a guard says of a value that this write stored.
    pub(super) fn word(&self) -> Bytes {
        [&self.process[..], b".", &self.number()[..]]
            .concat()
            .into()
    }
}
