//! What a load does with an old value: returns it at once, keeps it for where the body fails, or waits for a while
//! for a body in the background.

use super::background::Progress;
use super::call_status::{self, CallStatus, Tier};
use super::flight::{FlightResult, Leader};
use super::load::Load;
use super::span::LoadSpan;
use super::staleness::Freshness;
use crate::client::outage::Step;
use crate::clock::milliseconds;
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

    pub(super) fn is_pausing(&self) -> bool {
        let now = self.cache.client.settings.clock.monotonic();
        self.cache.retries.is_pausing(&self.full.text(), now)
    }

    pub(super) fn is_loading_already(&self) -> bool {
        self.cache.backgrounds.is_running(&self.full.text())
    }

    /// Whether the old value may still be returned after this time.
    fn is_usable_for(&self, time: Duration) -> bool {
        let Some(times) = self.found.times else {
            return false;
        };
        let mut now = self.cache.client.time();
        let time = milliseconds(time);
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
        again.span = LoadSpan::behind(self.key.prefix(), &self.span);
        again.background = Some(begun);
        Some(Box::new(again))
    }

    /// The body is to run while this old value is at hand.
    pub(super) fn has_stale(&mut self, plain: Bytes) {
        self.stale = Some(plain);
    }

    /// The body failed. Where an old value may stand in, it does, and whoever waits gets it too.
    pub(super) fn failed_over(&mut self) -> Option<CallStatus> {
        let stale = self.stale.take()?;
        self.has_no_value();
        self.note_failure();
        if !self.is_usable_for(Duration::ZERO) {
            self.counters.misses.add(1);
            return None;
        }
        self.counters.load_errors.add(1);
        Some(self.give_stale(stale))
    }

    /// The call ends with the value that was found.
    pub(super) fn ends_with_found(&self, result: &'static str) {
        self.span.found(|| self.found_age());
        self.span.ends(result, "store");
    }

    /// The old value is returned, and shared with those for whom it is as current as for this caller.
    pub(super) fn give_stale(&mut self, stale: Bytes) -> CallStatus {
        self.counters.stale.add(1);
        let age = self.found_age();
        self.ends_with_found("stale");
        if let Some(leader) = self.leader.take() {
            leader.share(FlightResult::Old(stale, age), self.found.read);
        }
        CallStatus::Stale { age }
    }

    /// How old the value is at most that was found.
    pub(super) fn found_age(&self) -> Option<Duration> {
        call_status::age(self.found.times, self.cache.client.time().latest)
    }

    /// What a call comes to that returns the value that was found.
    pub(super) fn found_status(&self, is_null: bool) -> CallStatus {
        let age = self.found_age();
        if self.found.freshness.is_fresh() {
            CallStatus::found(is_null, Tier::Store, age)
        } else {
            CallStatus::Stale { age }
        }
    }

    /// The next try comes after a pause.
    pub(super) fn note_failure(&self) {
        let now = self.cache.client.settings.clock.monotonic();
        self.cache.retries.failed(&self.full.text(), now);
        self.say_load_failed();
    }

    /// A body failed, or has just failed and is not tried: the call returns an old value.
    pub(super) fn say_load_failed(&self) {
        let outages = &self.cache.client.outages;
        outages.failed_for(Step::Load, self.key.prefix(), None);
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
        Ok((load, Awaiting::new(self, follow, soft)))
    }

    /// The wait for the body is over: what was loaded is returned, or else the old value.
    pub(super) fn awaited(
        mut self,
        loaded: Option<Bytes>,
        reads: &mut dyn FnMut(&[u8]) -> bool,
    ) -> CallStatus {
        if let Some(loaded) = loaded.filter(|loaded| reads(loaded)) {
            self.counters.misses.add(1);
            self.span.ends("miss", "body");
            self.share(FlightResult::Value(loaded));
            return CallStatus::Loaded;
        }
        match self.stale.take() {
            Some(stale) => self.give_stale(stale),
            None => CallStatus::Loaded,
        }
    }
}

/// A call that waits for the body in the background while it has an old value.
pub(super) struct Awaiting(BoxFuture<(Box<Load>, Option<Bytes>)>);

impl Awaiting {
    /// Waits no longer than this.
    pub(super) fn new(
        caller: Box<Load>,
        mut follow: watch::Receiver<Progress>,
        soft: Duration,
    ) -> Self {
        let span = caller.span.clone();
        Self(Box::pin(span.around(async move {
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
        })))
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<(Box<Load>, Option<Bytes>)> {
        self.0.as_mut().poll(cx)
    }
}
