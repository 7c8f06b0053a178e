//! A batch on its way, as whoever sent it sees it.

#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::alone::Alone;
use super::batch::Replies;
#[cfg(any(feature = "upstash", feature = "redis"))]
use super::batch::all_failed;
#[cfg(any(feature = "upstash", feature = "redis"))]
use super::breaker::passage::Passage;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::queued::Queued;
#[cfg(any(feature = "upstash", feature = "redis"))]
use crate::error::Error;
use crate::runtime::BoxFuture;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The replies to a batch. Dropped, it stops the waiting, never a request that others share.
pub(crate) struct Sending {
    way: Way,
    /// Nothing once there are replies, or where no circuit breaker is in front.
    #[cfg(any(feature = "upstash", feature = "redis"))]
    passage: Option<Passage>,
}

enum Way {
    Boxed(BoxFuture<Replies>),
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    Alone(Alone),
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    Queued(Queued),
}

impl Sending {
    pub(crate) fn boxed(replies: BoxFuture<Replies>) -> Self {
        Self::by(Way::Boxed(replies))
    }

    /// The same error for each of so many commands.
    #[cfg(any(feature = "upstash", feature = "redis"))]
    pub(crate) fn failed(error: &Error, commands: usize) -> Self {
        let replies = all_failed(error, commands);
        Self::boxed(Box::pin(std::future::ready(replies)))
    }

    /// By a read that leaves without others, in no box of its own.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(crate) fn alone(read: Alone) -> Self {
        Self::by(Way::Alone(read))
    }

    /// By a read that leaves with others.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(crate) fn queued(read: Queued) -> Self {
        Self::by(Way::Queued(read))
    }

    fn by(way: Way) -> Self {
        Self {
            way,
            #[cfg(any(feature = "upstash", feature = "redis"))]
            passage: None,
        }
    }

    /// The same, through the circuit breaker.
    #[cfg(any(feature = "upstash", feature = "redis"))]
    pub(crate) fn through(self, passage: Passage) -> Self {
        Self {
            passage: Some(passage),
            ..self
        }
    }
}

impl Future for Sending {
    type Output = Replies;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match &mut self.way {
            Way::Boxed(replies) => replies.as_mut().poll(cx),
            #[cfg(all(
                any(feature = "upstash", feature = "redis"),
                not(target_arch = "wasm32")
            ))]
            Way::Alone(read) => Pin::new(read).poll(cx),
            #[cfg(all(
                any(feature = "upstash", feature = "redis"),
                not(target_arch = "wasm32")
            ))]
            Way::Queued(read) => Pin::new(read).poll(cx),
        };
        #[cfg(any(feature = "upstash", feature = "redis"))]
        if let Poll::Ready(replies) = &polled
            && let Some(passage) = self.passage.take()
        {
            passage.leave(replies);
        }
        polled
    }
}
