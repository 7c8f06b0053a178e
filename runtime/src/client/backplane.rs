//! Invalidations between processes: what this one moves is published, and what others move is heard, so that
//! values that are kept in the process (`local`) need no look at the store while the subscription is proved.

mod message;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod subscriber;
mod trust;

use super::Client;
use super::outage::Step;
use crate::error::{Error, ErrorKind};
use crate::key::FullKey;
use crate::random;
use crate::reply;
use crate::runtime;
use crate::stats::Counter;
use crate::store::command::{Command, Reply};
use crate::sync;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
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

impl Client {
    /// Sends commands, and behind them what tells other processes of the keys that they move: the replies to them, and
    /// what came of telling. Where that is an error it should be done again, since others may believe what they keep.
    pub(crate) async fn send_and_tell<'a>(
        &self,
        mut commands: Vec<Command>,
        keys: impl Iterator<Item = &'a FullKey>,
        within: Duration,
    ) -> (Vec<Result<Reply, Error>>, Result<(), Error>) {
        let backplane = &self.backplane;
        let told = keys.filter(|key| self.is_told(key));
        let told = message::publish(&backplane.channel, || backplane.id(), told);
        if told.is_empty() {
            return (self.send(commands, within).await, Ok(()));
        }
        let start = runtime::now();
        let own = commands.len();
        // On a cluster it would not leave behind what moves the keys.
        let replies = if self.cluster {
            let mut replies = self.send(commands, within).await;
            let left = within.saturating_sub(start.elapsed());
            replies.extend(self.send(told, left).await);
            replies
        } else {
            commands.extend(told);
            self.send(commands, within).await
        };
        let mut replies = replies;
        let answers = replies.split_off(own);
        (replies, self.heard(answers))
    }

    /// Where the server refuses it for good, that is logged, and others believe what they keep for as long as `local`
    /// says.
    fn heard(&self, answers: Vec<Result<Reply, Error>>) -> Result<(), Error> {
        for answer in answers {
            match answer.and_then(|answer| reply::int(&answer)) {
                Ok(_) => self.outages.succeeded(Step::Publication),
                Err(error) => {
                    self.outages.failed(Step::Publication, "", &error);
                    if !matches!(error.kind(), ErrorKind::Server | ErrorKind::Auth) {
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn is_told(&self, key: &FullKey) -> bool {
        let keeps_values = || self.backplane.turn.load(Ordering::Relaxed) != 0;
        let by_itself = || key.is_near || key.is_tag() && keeps_values();
        !self.is_embedded() && self.settings.backplane.unwrap_or_else(by_itself)
    }

    /// A value is kept in this process. Where a request ends, so would a subscription: there is none.
    #[cfg(not(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    )))]
    #[expect(clippy::unused_self, reason = "as where there are subscriptions")]
    pub(crate) fn listens(self: &Arc<Self>) {}

    /// For how long a proof of the subscription counts. Over REST each proof costs a command.
    pub(crate) fn backplane_silence(&self) -> Duration {
        let store = self.store.as_ref();
        let of_engine = || store.map_or(Duration::ZERO, |store| store.silence());
        self.settings.backplane_silence.unwrap_or_else(of_engine)
    }
}
