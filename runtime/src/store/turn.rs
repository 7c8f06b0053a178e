//! What the caller of a request and its delivery agree on.

use super::batch::Replies;
use crate::error::{Error, ErrorKind};
use crate::sync;
use std::sync::Mutex;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A request as its caller and its delivery see it. Who was first, the delivery that sends or the caller that gives up,
/// decides whether a caller may be told that nothing left.
#[derive(Default)]
pub(crate) struct Turn {
    state: AtomicU8,
    answers: Mutex<Answers>,
    /// Whether the caller polls the delivery, within its own time limit.
    #[cfg(not(target_arch = "wasm32"))]
    keeps_time: AtomicBool,
}

enum Answers {
    /// They are to come, and this is to be woken then.
    Awaited(Option<Waker>),
    Here(Replies),
    /// They were taken, or none will come, or nobody waits.
    Over,
}

impl Default for Answers {
    fn default() -> Self {
        Self::Awaited(None)
    }
}

const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;

impl Turn {
    /// Whether the commands may leave; from then on they cannot be withdrawn.
    pub(crate) fn leave(&self) -> bool {
        let taken = self
            .state
            .compare_exchange(0, SENT, Ordering::AcqRel, Ordering::Acquire);
        matches!(taken, Ok(_) | Err(SENT))
    }

    /// Whether the commands stay here.
    pub(crate) fn withdraw(&self) -> bool {
        self.state
            .compare_exchange(0, WITHDRAWN, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Whether nobody waits for what is to come: its caller went away, or was answered when it withdrew.
    pub(crate) fn is_given_up(&self) -> bool {
        let is_withdrawn = self.state.load(Ordering::Acquire) == WITHDRAWN;
        match *sync::lock(&self.answers) {
            Answers::Awaited(_) => false,
            Answers::Here(_) => is_withdrawn,
            Answers::Over => true,
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn keep_time(&self, keeps: bool) {
        self.keeps_time.store(keeps, Ordering::Relaxed);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn keeps_time(&self) -> bool {
        self.keeps_time.load(Ordering::Relaxed)
    }

    /// Gives the caller its answers, if it still waits; without any, none will come.
    pub(crate) fn answer(&self, replies: Option<Replies>) {
        let waker = {
            let mut answers = sync::lock(&self.answers);
            match &mut *answers {
                Answers::Awaited(waker) => {
                    let waker = waker.take();
                    *answers = replies.map_or(Answers::Over, Answers::Here);
                    waker
                }
                Answers::Here(_) | Answers::Over => None,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The answers; nothing if none will come.
    pub(crate) fn poll_answers(&self, cx: &mut Context<'_>) -> Poll<Option<Replies>> {
        let mut answers = sync::lock(&self.answers);
        match &mut *answers {
            Answers::Awaited(Some(waker)) if waker.will_wake(cx.waker()) => Poll::Pending,
            Answers::Awaited(waker) => {
                let before = waker.replace(cx.waker().clone());
                drop(answers);
                // Only now: it may own a task, whose futures may come back here when they are dropped.
                drop(before);
                Poll::Pending
            }
            Answers::Here(_) | Answers::Over => {
                match std::mem::replace(&mut *answers, Answers::Over) {
                    Answers::Here(replies) => Poll::Ready(Some(replies)),
                    Answers::Awaited(_) | Answers::Over => Poll::Ready(None),
                }
            }
        }
    }

    /// The answers, if they are here.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn take_answers(&self) -> Option<Replies> {
        match std::mem::replace(&mut *sync::lock(&self.answers), Answers::Over) {
            Answers::Here(replies) => Some(replies),
            Answers::Awaited(_) | Answers::Over => None,
        }
    }

    /// The caller waits no more.
    pub(crate) fn abandon(&self) {
        let left = std::mem::replace(&mut *sync::lock(&self.answers), Answers::Over);
        drop(left);
    }
}

/// What a caller is told who has waited for so long.
pub(crate) fn late(within: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("no answer within {within:?}; raise the time budget or look at the connection"),
    )
}
