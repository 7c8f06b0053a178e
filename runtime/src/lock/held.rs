//! A lock that was taken: extended while its guard lives, given back afterwards.

use super::release::{if_ours, release_later};
use super::target::LockTarget;
use crate::client::outage::Step;
use crate::clock::Moment;
use crate::error::Error;
use crate::key::{FullKey, Key};
use crate::reply::int;
use crate::runtime;
use crate::store::command::{Command, Effect, Script};
use crate::sync;
use crate::ttl::lifetime;
use bytes::Bytes;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// What the guard and the task that extends the lock have in common.
pub(super) struct HeldLock {
    target: LockTarget,
    full: FullKey,
    token: Bytes,
    number: u64,
    since: Moment,
    /// Until when the lock is certainly ours, by the clocks of this process.
    until: Mutex<Moment>,
    lost: watch::Sender<bool>,
    /// Where it was taken: its guard may go away on a thread that has no runtime.
    runtime: runtime::RuntimeHandle,
}

impl HeldLock {
    /// `sent`: when the command left. The server counts from a later moment, so the lock is ours for as long by
    /// our own clocks.
    pub(super) fn new(
        target: &LockTarget,
        full: FullKey,
        token: Bytes,
        number: i64,
        sent: Moment,
    ) -> Self {
        Self {
            target: target.clone(),
            full,
            token,
            number: u64::try_from(number).unwrap_or(0),
            since: sent,
            until: Mutex::new(sent.after(sure(target.options.first(target.ttl)))),
            lost: watch::Sender::new(false),
            runtime: runtime::RuntimeHandle::here(),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.target.key
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    fn until(&self) -> MutexGuard<'_, Moment> {
        sync::lock(&self.until)
    }

    fn now(&self) -> Moment {
        self.target.client.settings.clock.now()
    }

    /// For how much longer this process has it while it runs.
    fn left(&self) -> Duration {
        let until = self.until().monotonic;
        until.saturating_sub(self.now().monotonic)
    }

    /// For how much longer it is certainly ours. A server counts on while this machine is suspended, and its
    /// monotonic clock stands still; then the lock is in doubt until it is extended. An embedded engine goes by
    /// the monotonic clock itself.
    fn certainly_left(&self) -> Duration {
        if self.target.client.is_embedded() {
            return self.left();
        }
        let until = self.until().wall;
        self.left().min(until.saturating_sub(self.now().wall))
    }

    /// How long it has been ours.
    fn age(&self) -> Duration {
        let clock = &self.target.client.settings.clock;
        if self.target.client.is_embedded() {
            clock.monotonic().saturating_sub(self.since.monotonic)
        } else {
            clock.age(self.since)
        }
    }

    fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    pub(super) fn is_held(&self) -> bool {
        !self.is_lost() && !self.certainly_left().is_zero()
    }

    fn lose(&self) {
        self.lost.send_replace(true);
    }

    /// Runs a command if the lock still has our token: what it answered, or 0.
    async fn if_ours(&self, command: &[Bytes]) -> Result<i64, Error> {
        let command = if_ours(&self.full, &self.token, command);
        int(&self
            .target
            .client
            .on_key(&self.target.key, &self.full, command)
            .await?)
    }

    /// Gives the lock at least this lifetime from now; false if it is not ours any more.
    pub(super) async fn extend(&self, ttl: Duration) -> Result<bool, Error> {
        let life = lifetime(ttl)?;
        if self.is_lost() {
            return Ok(false);
        }
        let sent = self.now();
        let command = Command::script(
            Script::Extend,
            Effect::Repeatable,
            [self.full.value.clone()],
            [self.token.clone(), life],
        );
        let ours = int(&self
            .target
            .client
            .on_key(&self.target.key, &self.full, command)
            .await?)?
            == 1;
        if ours {
            // Two extensions may be answered in another order than they ran, and neither takes
            // anything away.
            let mut until = self.until();
            *until = until.later(sent.after(sure(ttl)));
        } else {
            self.lose();
        }
        Ok(ours)
    }

    /// The lifetime of the next extension; none where the holder may have the lock no longer.
    fn next_life(&self) -> Option<Duration> {
        let rest = match self.target.options.longest {
            _ if !self.target.options.extended => return None,
            None => return Some(self.target.ttl),
            Some(longest) => longest.saturating_sub(self.age()),
        };
        let life = self.target.ttl.min(rest);
        // More than what `sure` leaves out, or it would be extended again and again at the end.
        let worth = self.target.ttl / 50 + Duration::from_millis(2);
        (life > self.certainly_left() + worth).then_some(life)
    }

    /// How long the lock can do without an extension: until a third of its lifetime is over.
    fn ease(&self) -> Duration {
        self.certainly_left()
            .saturating_sub(self.target.ttl / 3 * 2)
    }

    /// Extends the lock until the guard goes away or the lock does.
    pub(super) async fn keep(&self, mut guard: oneshot::Receiver<()>) {
        let mut pause = self.ease();
        loop {
            let left = self.left();
            let pace = (self.target.ttl / 10).min(left);
            if runtime::timeout(pause.max(pace), &mut guard)
                .await
                .is_some()
            {
                return;
            }
            let left = self.left();
            if left.is_zero() {
                // Whatever the server says: we could not be sure of it in between.
                self.lose();
                return;
            }
            pause = self.ease();
            if !pause.is_zero() {
                // It was extended by hand.
                continue;
            }
            let Some(life) = self.next_life() else {
                pause = left;
                continue;
            };
            match runtime::timeout(left, self.extend(life)).await {
                Some(Ok(true)) => pause = self.ease(),
                Some(Ok(false)) => return,
                Some(Err(error)) => {
                    let prefix = self.target.key.prefix();
                    self.target
                        .client
                        .outages
                        .failed(Step::Lock, prefix, &error);
                }
                // Its time is up, which the next look finds.
                None => {}
            }
        }
    }
}

/// The ends of a lock.
impl HeldLock {
    /// Waits until the lock is lost.
    pub(super) async fn lost(&self) {
        let mut lost = self.lost.subscribe();
        // The sender lives as long as this.
        let mut told = pin!(async { drop(lost.wait_for(|lost| *lost).await) });
        loop {
            // Where it is not extended, nothing takes a doubt away.
            let left = if self.target.options.extended {
                self.left()
            } else {
                self.certainly_left()
            };
            if left.is_zero() {
                // Nobody else may be there to see it: the runtime that extended the lock may be gone.
                self.lose();
            }
            if runtime::timeout(left, told.as_mut()).await.is_some() {
                return;
            }
        }
    }

    /// Gives the lock back; false if it was not ours any more.
    pub(super) async fn release(&self) -> Result<bool, Error> {
        let released = self.if_ours(&[Bytes::from_static(b"DEL")]).await;
        self.lose();
        self.target.free();
        Ok(released? == 1)
    }

    pub(super) fn release_in_background(&self) {
        self.lose();
        release_later(&self.runtime, &self.target, &self.full, &self.token, None);
    }
}

/// What of a lifetime can be counted on, since clocks do not run alike: all but 1 % and 2 ms.
fn sure(ttl: Duration) -> Duration {
    ttl.saturating_sub(ttl / 100 + Duration::from_millis(2))
}
