//! What a load does with an old value: returns it at once, keeps it for where the body fails, or waits for a while
//! for a body in the background.

use super::background::Progress;
use super::flight::{FlightResult, Leader};
use super::load::Load;
use super::staleness::Freshness;
use crate::runtime::{self, BoxFuture};
use bytes::Bytes;
use std::mem;
use std::time::Duration;
use tokio::sync::watch;

/// What to do about a value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFound {
    /// Return it.
    Return,
    /// Run the body, and return it if that fails.
    Run,
    /// Run the body in the background, and return it if that takes longer than this.
    RunFor(Duration),
}

impl Load {
    pub(super) fn on_found(&self) -> OnFound {
        let in_background = runtime::in_runtime();
        match self.found.freshness {
            Freshness::Fresh | Freshness::Ahead => OnFound::Return,
            Freshness::Revalidate if in_background => OnFound::Return,
            _ if self.is_pausing() || self.is_loading_already() => OnFound::Return,
            Freshness::IfError if in_background && runtime::has_timers() => {
                let soft = self.policy.windows().soft_timeout;
                // Near the end of the window only an error of the body's own could be returned after the wait.
                soft.filter(|soft| self.is_usable_for(*soft))
                    .map_or(OnFound::Run, OnFound::RunFor)
            }
            _ => OnFound::Run,
        }
    }

    fn is_pausing(&self) -> bool {
        let now = self.cache.client.settings.clock.monotonic();
        self.cache.retries.is_pausing(&self.full.text(), now)
    }

    fn is_loading_already(&self) -> bool {
        self.cache.backgrounds.is_running(&self.full.text())
    }

    /// Whether the old value may still be returned after this time.
    fn is_usable_for(&self, time: Duration) -> bool {
        let Some(times) = self.found.times else {
            return false;
        };
        let mut now = self.cache.client.time();
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        now.latest = now.latest.saturating_add(time);
        self.policy.windows().judge(times, now) != Freshness::Expired
    }

    /// The load of the same key in the background, unless one is running or the last one has just failed.
    pub(super) fn again(&self) -> Option<Box<Self>> {
        if !runtime::in_runtime() || self.is_pausing() {
            return None;
        }
        let begun = self.cache.backgrounds.begin(&self.full.text())?;
        let mut again = self.without_leader();
        again.background = Some(begun);
        Some(Box::new(again))
    }

    /// The body is to run while this old value is at hand.
    pub(super) fn with_stale(mut self, plain: Bytes) -> Self {
        self.stale = Some(plain);
        self
    }

    /// The body failed. Where an old value may stand in, it does, and whoever waits gets it too.
    pub(super) fn failed_over(&mut self) -> bool {
        let Some(stale) = self.stale.take() else {
            return false;
        };
        self.has_no_value();
        self.note_failure();
        if !self.is_usable_for(Duration::ZERO) {
            self.counters.misses.add(1);
            return false;
        }
        self.counters.load_errors.add(1);
        self.give_stale(stale);
        true
    }

    /// The old value is returned, and shared with those for whom it is as current as for this caller.
    pub(super) fn give_stale(&mut self, stale: Bytes) {
        self.counters.stale.add(1);
        if let Some(leader) = self.leader.take() {
            leader.share(FlightResult::Value(stale), self.found.read);
        }
    }

    /// The next try comes after a pause.
    pub(super) fn note_failure(&self) {
        let now = self.cache.client.settings.clock.monotonic();
        let is_first = self.cache.retries.failed(&self.full.text(), now);
        let prefix = self.key.prefix();
        if is_first {
            tracing::warn!(prefix, "a load failed, and an old value is used");
        } else {
            tracing::debug!(prefix, "a load failed again, and an old value is used");
        }
    }
}

impl Load {
    /// The body runs in the background, and this call waits for it for a while.
    pub(super) fn split(
        mut self: Box<Self>,
        soft: Duration,
    ) -> Result<(Box<Self>, Awaiting), Box<Self>> {
        let Some(mut load) = self.again() else {
            return Err(self);
        };
        let Some(background) = &load.background else {
            return Err(self);
        };
        let follow = background.follow();
        load.observed = self.observed.take();
        load.sampled = mem::take(&mut self.sampled);
        load.lease = self.lease.take();
        if let Some(lease) = &mut load.lease {
            lease.in_background();
        }
        self.departed = self.departs(Leader::body_departs);
        Ok((load, Awaiting::new(*self, follow, soft)))
    }

    /// The wait for the body is over: what was loaded is returned, or else the old value.
    pub(super) fn awaited(mut self, loaded: Option<Bytes>, reads: &mut dyn FnMut(&[u8]) -> bool) {
        if let Some(loaded) = loaded.filter(|loaded| reads(loaded)) {
            self.counters.misses.add(1);
            self.share(FlightResult::Value(loaded));
        } else if let Some(stale) = self.stale.take() {
            self.give_stale(stale);
        }
    }
}

/// A call that waits for the body in the background while it has an old value.
pub(super) struct Awaiting(BoxFuture<(Load, Option<Bytes>)>);

impl Awaiting {
    /// Waits no longer than this.
    pub(super) fn new(caller: Load, mut follow: watch::Receiver<Progress>, soft: Duration) -> Self {
        Self(Box::pin(async move {
            let is_over = |progress: &Progress| matches!(progress, Progress::Done(_));
            let over = async {
                // An error says that the load is over.
                let _ = follow.wait_for(is_over).await;
            };
            caller.watched(runtime::timeout(soft, over)).await;
            let progress = follow.borrow().clone();
            let loaded = match progress {
                Progress::Loaded(plain) | Progress::Done(Some(plain)) => Some(plain),
                Progress::Running | Progress::Done(None) => None,
            };
            (caller, loaded)
        }))
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<(Load, Option<Bytes>)> {
        self.0.as_mut().poll(cx)
    }
}
