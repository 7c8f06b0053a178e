//! A read that left without others, as its caller sees it.

use super::batch::Replies;
use super::boxes::{Delivering, to_its_end};
use super::waiting::runtime_gone;
use crate::few::Few;
use crate::runtime::RuntimeHandle;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Such a read, as its caller sees it. Dropped, what has left is still listened for: a connection that an answer is due
/// on would be closed.
pub(crate) struct Alone {
    state: State,
    /// Its connections belong to this runtime, wherever the caller is polled.
    runtime: RuntimeHandle,
}

enum State {
    /// Nothing has left.
    New(Delivering<Replies>),
    Here(Delivering<Replies>),
    /// It is a task, since the caller is polled elsewhere.
    Elsewhere(oneshot::Receiver<Replies>),
    Over,
}

impl Alone {
    /// One that leaves when it is first polled.
    pub(crate) fn new(exchange: Delivering<Replies>) -> Self {
        Self {
            state: State::New(exchange),
            runtime: RuntimeHandle::here(),
        }
    }

    fn poll_here(
        &mut self,
        mut exchange: Delivering<Replies>,
        cx: &mut Context<'_>,
    ) -> Poll<Replies> {
        // As in a task: a panic of the client of HTTP or of Redis is not one of the caller's.
        match catch_unwind(AssertUnwindSafe(|| exchange.as_mut().poll(cx))) {
            Ok(Poll::Pending) => {
                self.state = State::Here(exchange);
                Poll::Pending
            }
            Ok(Poll::Ready(replies)) => {
                exchange.give_back();
                Poll::Ready(replies)
            }
            Err(_) => Poll::Ready(gone()),
        }
    }
}

impl Future for Alone {
    type Output = Replies;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Replies> {
        let this = &mut *self;
        let mut replies = match std::mem::replace(&mut this.state, State::Over) {
            // Polled as soon as it is made.
            State::New(exchange) => return this.poll_here(exchange, cx),
            State::Here(exchange) => {
                if this.runtime.is_current() {
                    return this.poll_here(exchange, cx);
                }
                let (caller, replies) = oneshot::channel();
                this.runtime.spawn_there(async move {
                    // The caller may have gone away.
                    let _ = caller.send(to_its_end(exchange).await);
                });
                replies
            }
            State::Elsewhere(replies) => replies,
            State::Over => return Poll::Ready(gone()),
        };
        match Pin::new(&mut replies).poll(cx) {
            Poll::Pending => {
                this.state = State::Elsewhere(replies);
                Poll::Pending
            }
            Poll::Ready(replies) => Poll::Ready(replies.unwrap_or_else(|_| gone())),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Here(exchange) => self.runtime.spawn_there(async move {
                drop(to_its_end(exchange).await);
            }),
            // There, too: others may have waited for this to be over, and what carries them is a task.
            State::New(exchange) => self.runtime.spawn_there(async move { drop(exchange) }),
            State::Elsewhere(_) | State::Over => {}
        }
    }
}

pub(crate) fn gone() -> Replies {
    Few::from([Err(runtime_gone())])
}
