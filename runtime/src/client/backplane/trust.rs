//! Whether this process hears of every invalidation.

use crate::clock::{Clock, Coarse};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Which subscription stands, and until when its last proof counts. Asked by every local hit.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// 0 without one.
    subscription: AtomicU64,
    until: AtomicCoarse,
    /// How many there were.
    last: AtomicU64,
}

impl Trust {
    /// The subscription that stands, 0 without one. What is read from now on is read after it was confirmed.
    pub(crate) fn subscription(&self) -> u64 {
        self.subscription.load(Ordering::SeqCst)
    }

    /// Whether what was read under that subscription can be believed without a look at the store.
    #[inline]
    pub(crate) fn holds(&self, subscription: u64, now: Coarse) -> bool {
        subscription != 0
            && self.subscription.load(Ordering::Acquire) == subscription
            && !is_past(self.until.load(), now)
    }

    /// Whether a subscription stands and is proved.
    pub(crate) fn stands_at(&self, now: Coarse) -> bool {
        self.holds(self.subscription(), now)
    }

    /// What was read before may have been moved.
    pub(super) fn begin_anew(&self) {
        if self.subscription() != 0 {
            let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
            self.subscription.store(number, Ordering::SeqCst);
        }
    }

    /// A subscription was confirmed that was asked for at this time.
    pub(super) fn begin(&self, clock: &Clock, departed: Coarse, silence: Duration) {
        self.until.store(end_of(clock, departed, silence));
        let number = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        self.subscription.store(number, Ordering::SeqCst);
    }

    /// A proof came that was asked for at this time.
    pub(crate) fn prove(&self, clock: &Clock, departed: Coarse, silence: Duration) {
        self.until.store(end_of(clock, departed, silence));
    }

    /// It ended, or something was heard that is not understood: what was read before is to be looked at again.
    pub(super) fn end(&self) {
        self.subscription.store(0, Ordering::SeqCst);
    }
}

/// When something that began then is over, by either clock: rather a tick too early than too late.
fn end_of(clock: &Clock, then: Coarse, life: Duration) -> Coarse {
    let life = clock.last_age(life);
    Coarse {
        monotonic: then.monotonic.saturating_add(life),
        wall: then.wall.saturating_add(life),
    }
}

/// Whether a time has come, by the clock that says more.
#[inline]
fn is_past(time: Coarse, now: Coarse) -> bool {
    now.monotonic >= time.monotonic || now.wall >= time.wall
}

/// A time that is replaced as a whole by one of its writers. A reader may see one clock of an older time beside the
/// other one of a newer.
#[derive(Debug, Default)]
struct AtomicCoarse {
    monotonic: AtomicU64,
    wall: AtomicU64,
}

impl AtomicCoarse {
    #[inline]
    fn load(&self) -> Coarse {
        Coarse {
            monotonic: self.monotonic.load(Ordering::Acquire),
            wall: self.wall.load(Ordering::Acquire),
        }
    }

    fn store(&self, time: Coarse) {
        self.monotonic.store(time.monotonic, Ordering::Release);
        self.wall.store(time.wall, Ordering::Release);
    }
}
