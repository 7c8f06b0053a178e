//! What the caller of a request and its delivery agree on.

#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU8, Ordering};

/// Who was first: the delivery that sends, or the caller that gives up. It decides whether a caller may be
/// told that nothing left.
#[derive(Default)]
pub(crate) struct Turn {
    state: AtomicU8,
    /// Whether the caller polls the delivery, within its own time limit.
    #[cfg(not(target_arch = "wasm32"))]
    keeps_time: AtomicBool,
}

const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Turn {
    /// Whether the commands may leave; from then on they cannot be withdrawn.
    pub(crate) fn leave(&self) -> bool {
        let taken = self
            .state
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire);
        matches!(taken, Ok(_) | Err(SENT))
    }

    /// Whether the commands stay here.
    pub(crate) fn withdraw(&self) -> bool {
        self.state
            .compare_exchange(0, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn keep_time(&self, keeps: bool) {
        self.keeps_time.store(keeps, Ordering::Relaxed);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn keeps_time(&self) -> bool {
        self.keeps_time.load(Ordering::Relaxed)
    }
}
