//! The time of the server, by which values become stale: all processes that share a value agree on it, whatever
//! their own clocks say.
//!
//! It is asked for every ten minutes and counted on from there. A question takes a while, so what is known is
//! the earliest and the latest that it can be: the end of a value's freshness is counted from the one, and
//! compared with the other, and no value is shown for longer than it may.

use crate::clock::{Moment, milliseconds};
use crate::sync;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How long an answer is good for: clocks drift.
const GOOD_FOR: u64 = 10 * 60_000;

/// An answer that took longer says too little to go by it for long: a connection was made meanwhile, or the server was
/// busy.
const SLOW: u64 = 50;

/// When to ask again after an answer that was slow, or none. Without one, the own clock stands in.
const ASKS_AGAIN: u64 = 10_000;

/// The wall clock was set if it went this much further than the monotonic one.
const STEP: u64 = 1_000;

/// What is known of the server's time.
#[derive(Debug, Default)]
pub(crate) struct ServerTime {
    /// How far the wall clock was ahead of the monotonic one at most, in ms.
    ahead: AtomicU64,
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// What the server said, in ms since the Unix epoch; nothing if it did not answer.
    server: Option<u64>,
    /// By the own clock.
    sent: u64,
    received: u64,
    ahead: u64,
}

/// The time of the server, in ms since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeRange {
    pub(crate) earliest: u64,
    pub(crate) latest: u64,
}

impl ServerTime {
    /// The own time, and how far it is ahead of the monotonic clock. It never goes back: a machine that was
    /// suspended knows by its wall clock, and one whose wall clock was set back by the other.
    fn own(&self, now: Moment) -> (u64, u64) {
        let monotonic = milliseconds(now.monotonic);
        let ahead = milliseconds(now.wall).saturating_sub(monotonic);
        let ahead = self.ahead.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        (monotonic.saturating_add(ahead), ahead)
    }

    /// The own time, which is that of an engine in this process.
    pub(super) fn of_this_process(&self, now: Moment) -> TimeRange {
        let (now, _) = self.own(now);
        TimeRange {
            earliest: now,
            latest: now,
        }
    }

    /// The server's time, as far as it is known; else the own.
    pub(super) fn of_server(&self, at: Moment) -> TimeRange {
        let (now, _) = self.own(at);
        let known = *sync::lock(&self.known);
        match known {
            Some(Known {
                server: Some(server),
                sent,
                received,
                ..
            }) => TimeRange {
                earliest: server.saturating_add(now.saturating_sub(received)),
                // The rest of the millisecond was cut off.
                latest: server
                    .saturating_add(1)
                    .saturating_add(now.saturating_sub(sent)),
            },
            _ => self.of_this_process(at),
        }
    }

    /// Whether what is known is too old.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        let (now, ahead) = self.own(now);
        let known = *sync::lock(&self.known);
        !known.is_some_and(|known| known.is_good(now, ahead))
    }

    /// What the server answered to a question, if it did.
    pub(super) fn learn(&self, server: Option<u64>, sent: Moment, received: Moment) {
        let ((sent, _), (received, ahead)) = (self.own(sent), self.own(received));
        *sync::lock(&self.known) = Some(Known {
            server,
            sent,
            received,
            ahead,
        });
    }
}

impl Known {
    fn is_good(&self, now: u64, ahead: u64) -> bool {
        let is_quick = self.received.saturating_sub(self.sent) <= SLOW;
        let good_for = if self.server.is_some() && is_quick {
            GOOD_FOR
        } else {
            ASKS_AGAIN
        };
        now.saturating_sub(self.received) < good_for && ahead.saturating_sub(self.ahead) < STEP
    }
}

#[cfg(test)]
mod tests {
    use super::{ServerTime, TimeRange};
    use crate::clock::Moment;
    use std::time::Duration;

    fn at(monotonic: u64, wall: u64) -> Moment {
        Moment {
            monotonic: Duration::from_millis(monotonic),
            wall: Duration::from_millis(wall),
        }
    }

    #[test]
    fn the_time_of_the_server_lies_between_question_and_answer() {
        let time = ServerTime::default();
        assert!(time.is_due(at(0, 1_000)));
        time.learn(Some(9_000), at(0, 1_000), at(30, 1_030));
        let range = TimeRange {
            earliest: 9_070,
            latest: 9_101,
        };
        assert_eq!(time.of_server(at(100, 1_100)), range);
        assert!(!time.is_due(at(100, 1_100)));
        assert!(time.is_due(at(700_000, 701_000)));
        // A wall clock that was set back changes nothing, one that was set forward is asked about.
        assert_eq!(time.of_server(at(100, 500)), range);
        assert!(!time.is_due(at(100, 500)));
        assert!(time.is_due(at(100, 3_100)));
    }

    #[test]
    fn an_answer_that_was_slow_or_none_is_asked_for_again_soon() {
        let time = ServerTime::default();
        time.learn(Some(9_000), at(0, 1_000), at(200, 1_200));
        assert!(!time.is_due(at(1_000, 2_000)));
        assert!(time.is_due(at(20_000, 21_000)));
        time.learn(None, at(20_000, 21_000), at(20_010, 21_010));
        assert_eq!(time.of_server(at(20_100, 21_100)).latest, 21_100);
        assert!(time.is_due(at(40_000, 41_000)));
    }
}
