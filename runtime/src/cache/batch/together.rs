//! Steps that belong to several loads.

use crate::cache::flight::Leader;
use crate::cache::liveness::{BodyPoll, Watch};
use crate::cache::load::Load;
use crate::runtime::BoxFuture;
use pin_project_lite::pin_project;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

pin_project! {
    /// A step of several loads: those who wait for any of them see that it is polled.
    pub(crate) struct Together<F> {
        watches: Vec<Watch>,
        #[pin]
        step: F,
    }
}

impl<F> Together<F> {
    pub(super) fn new<'a>(loads: impl Iterator<Item = &'a Load>, step: F) -> Self {
        let leaders = loads.filter_map(|load| load.leader.as_ref());
        Self {
            watches: leaders.map(Leader::watch).collect(),
            step,
        }
    }
}

impl<F: Future> Future for Together<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polls: Vec<BodyPoll<'_>> = this.watches.iter().map(|watch| watch.start(cx)).collect();
        let polled = this.step.poll(cx);
        // In the other order than they began.
        polls.into_iter().rev().for_each(BodyPoll::returned);
        polled
    }
}

/// Waits for at least one; those that are ready, taken out.
pub(super) async fn any<A, B, T>(waits: &mut Vec<(A, B, BoxFuture<T>)>) -> Vec<(A, B, T)> {
    poll_fn(|cx| {
        let mut ready = Vec::new();
        let mut at = 0;
        while at < waits.len() {
            match waits[at].2.as_mut().poll(cx) {
                Poll::Ready(output) => {
                    let (a, b, _) = waits.swap_remove(at);
                    ready.push((a, b, output));
                }
                Poll::Pending => at += 1,
            }
        }
        if ready.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready(ready)
        }
    })
    .await
}

/// Waits for all of them, in their order.
pub(super) async fn all<T>(futures: Vec<BoxFuture<T>>) -> Vec<T> {
    let mut waits: Vec<(usize, (), BoxFuture<T>)> = futures
        .into_iter()
        .enumerate()
        .map(|(at, future)| (at, (), future))
        .collect();
    let mut done = Vec::with_capacity(waits.len());
    while !waits.is_empty() {
        done.extend(any(&mut waits).await);
    }
    done.sort_unstable_by_key(|(at, ..)| *at);
    done.into_iter().map(|(.., output)| output).collect()
}
