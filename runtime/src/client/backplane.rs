//! Invalidations between processes: what this one moves is published, and what others move is heard, so that
//! values that are kept in the process (`local`) need no look at the store while the subscription is proved.

mod member;
mod message;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod said;
mod state;
#[cfg_attr(
    not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )),
    path = "backplane/no_subscriber.rs"
)]
mod subscriber;
#[cfg_attr(
    not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )),
    path = "backplane/no_tasks.rs"
)]
mod tasks;
#[cfg_attr(
    not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )),
    path = "backplane/no_trust.rs"
)]
mod trust;

use crate::random;
use crate::stats::Counter;
pub(crate) use state::BackplaneState;
use std::sync::{Arc, OnceLock};
use tasks::Tasks;
pub(crate) use trust::Trust;

/// What the channel is called, behind the namespace.
const CHANNEL: &str = "millpond:moved";

pub(crate) struct Backplane {
    pub(crate) trust: Arc<Trust>,
    /// What this `Millpond` calls itself on the channel, chosen when it is first needed.
    id: OnceLock<String>,
    channel: String,
    tasks: Tasks,
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
            tasks: Tasks::default(),
            foreign: Counter::default(),
        }
    }

    fn id(&self) -> &str {
        self.id.get_or_init(random::nonce)
    }

    pub(crate) fn state(&self) -> BackplaneState {
        self.tasks.state(&self.trust)
    }
}
