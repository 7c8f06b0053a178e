//! Until when callers wait for what is in the queue. One task looks at all of them: a timer for each would cost about as
//! much as sending it does.

use crate::runtime::Instant;
use crate::store::turn::Turn;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// As few entries are not looked through for those that are over.
const FEW: usize = 64;

#[derive(Default)]
pub(super) struct Deadlines {
    /// In order.
    entries: VecDeque<Deadline>,
    /// Beyond so many, those that are over are taken out.
    most: usize,
    /// Whether a task looks at them.
    is_kept: bool,
}

pub(super) struct Deadline {
    pub(super) at: Instant,
    pub(super) within: Duration,
    pub(super) turn: Arc<Turn>,
}

impl Deadlines {
    /// Whether one of this time can be taken: all that are here come before it, so that whoever waits for them does not
    /// wait for too long.
    pub(super) fn admits(&self, at: Instant) -> bool {
        self.entries.back().is_none_or(|last| last.at <= at)
    }

    /// Takes one that [is admitted](Self::admits). Whether somebody has to begin to look at them.
    pub(super) fn push(&mut self, deadline: Deadline) -> bool {
        if self.entries.len() >= self.most.max(FEW) {
            self.entries.retain(|deadline| deadline.turn.is_awaited());
            self.most = 2 * self.entries.len();
        }
        self.entries.push_back(deadline);
        !std::mem::replace(&mut self.is_kept, true)
    }

    /// Those that callers have waited for in vain, and the time of the next; without one, nobody looks at them any more.
    pub(super) fn due(&mut self, now: Instant) -> (Vec<Deadline>, Option<Instant>) {
        let mut late = Vec::new();
        while let Some(first) = self.entries.pop_front() {
            if !first.turn.is_awaited() {
                continue;
            }
            if first.at > now {
                let next = first.at;
                self.entries.push_front(first);
                return (late, Some(next));
            }
            late.push(first);
        }
        self.is_kept = false;
        (late, None)
    }

    /// Nobody looks at them any more.
    pub(super) fn is_left(&mut self) {
        self.is_kept = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ms: u64) -> Deadline {
        Deadline {
            at: Instant::now() + Duration::from_millis(ms),
            within: Duration::from_millis(ms),
            turn: Arc::default(),
        }
    }

    #[test]
    fn those_that_were_answered_are_forgotten() {
        let mut deadlines = Deadlines::default();
        let waits = after(1_000);
        let turn = Arc::clone(&waits.turn);
        assert!(deadlines.push(waits));
        for _ in 0..100_000 {
            let deadline = after(2_000);
            deadline.turn.abandon();
            assert!(deadlines.admits(deadline.at));
            assert!(!deadlines.push(deadline));
            assert!(deadlines.entries.len() <= 2 * FEW);
        }
        let later = Instant::now() + Duration::from_secs(10);
        let (late, next) = deadlines.due(later);
        assert_eq!((late.len(), next), (1, None));
        assert!(Arc::ptr_eq(&late[0].turn, &turn));
        assert!(deadlines.push(after(1_000)), "somebody has to begin");
    }

    #[test]
    fn only_what_comes_later_is_admitted() {
        let mut deadlines = Deadlines::default();
        let last = after(1_000);
        let at = last.at;
        assert!(deadlines.push(last));
        assert!(deadlines.admits(at));
        assert!(!deadlines.admits(at - Duration::from_millis(1)));
        let (late, next) = deadlines.due(at - Duration::from_millis(1));
        assert_eq!((late.len(), next), (0, Some(at)));
        assert!(!deadlines.push(after(2_000)), "somebody is at it");
        assert_eq!(deadlines.due(at).0.len(), 1);
    }
}
