//! How a leader ends, and whom that lets go.

use std::task::Waker;

/// What becomes of the waiters when a leader is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// There is something to share, or a value is in the cache: one waiter looks on behalf of those
    /// who came too late for it.
    Landed,
    /// The body failed, in a way that concerns its own caller only: two waiters go. So each failure
    /// doubles the bodies under way, until a source that fails for `n` callers at once has failed
    /// each of them after `log2 n + 1` bodies, one after another; nothing waits for a whole round
    /// to end, or one slow body would hold up all who come after it.
    Failed,
    /// The leader's caller went away, or is not polled: another takes its place.
    Abandoned,
}

/// What the end of a leader leaves to do.
pub(super) struct Ended {
    pub(super) wakers: Vec<Waker>,
    pub(super) is_over: bool,
}

/// Never with a lock held: a waker may run a task, or drop one.
pub(super) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}
