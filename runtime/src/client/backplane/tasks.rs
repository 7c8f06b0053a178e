//! What callers and the tasks that listen tell each other.

use super::state::BackplaneState;
use super::trust::Trust;
use crate::error::Error;
use crate::sync;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Tasks {
    /// Whether values are kept here since the last proof.
    pub(super) wanted: AtomicBool,
    /// Until when, in real ms, the one that listens counts as alive; 0 without one.
    pub(super) alive: AtomicU64,
    /// How many there were.
    pub(super) turn: AtomicU64,
    pub(super) woken: Notify,
    /// Why there is no subscription, where one is wanted.
    pub(super) error: Mutex<Option<Error>>,
}

impl Tasks {
    pub(super) fn state(&self, trust: &Trust) -> BackplaneState {
        if !self.were_begun() {
            BackplaneState::Unused
        } else if trust.subscription() != 0 {
            // Where nobody keeps anything, no proofs are asked for; where one does not come, the subscription ends.
            BackplaneState::Trusted
        } else {
            BackplaneState::Untrusted(sync::lock(&self.error).clone())
        }
    }

    /// Whether values were kept here that others could invalidate.
    pub(super) fn were_begun(&self) -> bool {
        self.turn.load(Ordering::Relaxed) != 0
    }
}
