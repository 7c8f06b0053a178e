//! A read that waits to leave with others, or has left with them, as its caller sees it. Who delivers it tells whether it is
//! late, too.

use super::alone::gone;
use super::batch::Replies;
use super::turn::Turn;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Nothing once there is an answer.
pub(crate) struct Queued(Option<Arc<Turn>>);

impl Queued {
    pub(crate) fn new(turn: Arc<Turn>) -> Self {
        Self(Some(turn))
    }
}

impl Future for Queued {
    type Output = Replies;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Replies> {
        let Some(turn) = &self.0 else {
            return Poll::Ready(gone());
        };
        let replies = turn.poll_answers(cx);
        if replies.is_ready() {
            self.0 = None;
        }
        replies.map(|replies| replies.unwrap_or_else(gone))
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.abandon();
        }
    }
}
