//! What is cached: a number that changes, read by bodies that take their time.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Why a body failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source failed")
    }
}

impl std::error::Error for Failed {}

/// What a body does after it has read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Well,
    InAnError,
    InAPanic,
    /// The first one panics.
    FirstPanics,
}

pub(crate) struct Source {
    version: AtomicU64,
    bodies: AtomicU64,
    began: watch::Sender<u64>,
    /// Whether bodies may return.
    gate: watch::Sender<bool>,
    takes: Duration,
    ends: Ends,
    has_panicked: AtomicBool,
}

impl Source {
    /// Bodies wait until it is opened.
    pub(crate) fn gated(ends: Ends) -> Self {
        Self::new(Duration::ZERO, ends, false)
    }

    /// Bodies take this long.
    pub(crate) fn timed(takes: Duration, ends: Ends) -> Self {
        Self::new(takes, ends, true)
    }

    fn new(takes: Duration, ends: Ends, is_open: bool) -> Self {
        Self {
            version: AtomicU64::new(1),
            bodies: AtomicU64::new(0),
            began: watch::Sender::new(0),
            gate: watch::Sender::new(is_open),
            takes,
            ends,
            has_panicked: AtomicBool::new(false),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    pub(crate) fn change(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn bodies(&self) -> u64 {
        self.bodies.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Waits until a body has read.
    pub(crate) async fn began(&self) {
        // The sender is this one.
        let _ = self.began.subscribe().wait_for(|began| *began > 0).await;
    }

    /// The body.
    pub(crate) async fn load(&self) -> Result<u64, Failed> {
        self.bodies.fetch_add(1, Ordering::SeqCst);
        let read = self.version();
        self.began.send_modify(|began| *began += 1);
        let _ = self.gate.subscribe().wait_for(|is_open| *is_open).await;
        tokio::time::sleep(self.takes).await;
        match self.ends {
            Ends::Well => Ok(read),
            Ends::InAnError => Err(Failed),
            Ends::FirstPanics if self.has_panicked.swap(true, Ordering::SeqCst) => Ok(read),
            Ends::InAPanic | Ends::FirstPanics => panic!("the source panics"),
        }
    }
}
