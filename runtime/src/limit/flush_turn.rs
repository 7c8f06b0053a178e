//! One task at a time waits to send the sums.

use crate::clock::milliseconds;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// After so many milliseconds, the task that should have sent them is taken to be on a runtime that
/// nobody drives.
const STALLED: u64 = 10_000;

/// Whose turn it is to wait and send: when it began, in milliseconds and not 0; 0 is nobody's.
#[derive(Debug, Default)]
pub(super) struct FlushTurn(AtomicU64);

impl FlushTurn {
    /// A turn, if nobody has one. A task whose runtime stands still loses its own to the next.
    pub(super) fn begin(&self, now: Duration) -> Option<u64> {
        let now = milliseconds(now);
        let now = now.saturating_add(1);
        let began = self.0.load(Ordering::Relaxed);
        if began != 0 && now.saturating_sub(began) < STALLED {
            return None;
        }
        let swap = self
            .0
            .compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed);
        swap.ok().map(|_| now)
    }

    /// Ends this turn, unless another has it by now.
    pub(super) fn end(&self, turn: u64) {
        let _ = self
            .0
            .compare_exchange(turn, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::FlushTurn;
    use std::time::Duration;

    #[test]
    fn a_task_that_stands_still_is_replaced_and_cannot_end_the_turn_of_the_next() {
        let turn = FlushTurn::default();
        let at = Duration::from_secs;
        let stalled = turn.begin(at(0)).unwrap();
        assert_eq!(turn.begin(at(9)), None);
        let next = turn.begin(at(10)).unwrap();
        turn.end(stalled);
        assert_eq!(turn.begin(at(11)), None);
        turn.end(next);
        assert!(turn.begin(at(11)).is_some());
    }
}
