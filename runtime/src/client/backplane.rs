//! Invalidations between processes: what this one moves is published, and what others move is heard, so that
//! values that are kept in the process (`local`) need no look at the store while the subscription is proved.

mod member;
mod message;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod subscriber;
mod trust;

use crate::error::Error;
use crate::random;
use crate::stats::Counter;
use crate::sync;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
pub(crate) use trust::Trust;

/// What the channel is called, behind the namespace.
const CHANNEL: &str = "millpond:moved";

/// Whether this process hears of the invalidations of others.
pub(crate) enum BackplaneState {
    /// It keeps no values that others could invalidate.
    Unused,
    Trusted,
    /// Why, if it is known.
    Untrusted(Option<Error>),
}

pub(crate) struct Backplane {
    pub(crate) trust: Arc<Trust>,
    /// What this `Millpond` calls itself on the channel, chosen when it is first needed.
    id: OnceLock<String>,
    channel: String,
    /// Whether values are kept here since the last proof.
    wanted: AtomicBool,
    /// Until when, in real ms, the subscriber counts as alive; 0 without one.
    alive: AtomicU64,
    /// How many tasks there were.
    turn: AtomicU64,
    woken: tokio::sync::Notify,
    /// Why there is no subscription, where one is wanted.
    error: Mutex<Option<Error>>,
    /// Messages that were none of this channel.
    pub(crate) foreign: Counter,
}

impl Backplane {
    /// `suffix`: what stands behind the name of the channel.
    pub(super) fn new(namespace: Option<&str>, suffix: &str) -> Self {
        Self {
            trust: Arc::default(),
            id: OnceLock::new(),
            channel: match namespace {
                Some(namespace) => format!("{namespace}:{CHANNEL}{suffix}"),
                None => format!("{CHANNEL}{suffix}"),
            },
            wanted: AtomicBool::new(false),
            alive: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            woken: tokio::sync::Notify::new(),
            error: Mutex::default(),
            foreign: Counter::default(),
        }
    }

    fn id(&self) -> &str {
        self.id.get_or_init(random::nonce)
    }

    pub(crate) fn state(&self) -> BackplaneState {
        if self.turn.load(Ordering::SeqCst) == 0 {
            BackplaneState::Unused
        } else if self.trust.subscription() != 0 {
            // Where nobody keeps anything, no proofs are asked for; where one does not come, the subscription ends.
            BackplaneState::Trusted
        } else {
            BackplaneState::Untrusted(sync::lock(&self.error).clone())
        }
    }
}
