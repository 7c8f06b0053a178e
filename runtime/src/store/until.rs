//! Until when something may take, and who keeps the time.

#[cfg(not(target_arch = "wasm32"))]
use super::deadlines::{Deadline, Deadlines};
use super::turn::Turn;
use crate::runtime::Instant;
#[cfg(not(target_arch = "wasm32"))]
use crate::runtime::sleep_until;
#[cfg(target_arch = "wasm32")]
use crate::runtime::timeout_at;
#[cfg(not(target_arch = "wasm32"))]
use pin_project_lite::pin_project;
use std::future::Future;
#[cfg(not(target_arch = "wasm32"))]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::task::{Context, Poll};
#[cfg(not(target_arch = "wasm32"))]
use tokio::time::Sleep;

#[derive(Clone)]
pub(crate) struct Until {
    pub(crate) instant: Instant,
    /// While this caller polls and has a timer of its own, a second one would only cost.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(dead_code, reason = "each delivery is a task there")
    )]
    keeper: Option<Arc<Turn>>,
    /// Where one task keeps the time for many.
    #[cfg(not(target_arch = "wasm32"))]
    deadlines: Option<Arc<Deadlines>>,
    /// Whether a caller waits for just that, and for no longer.
    #[cfg(feature = "upstash")]
    is_final: bool,
}

impl Until {
    pub(crate) fn new(instant: Instant, keeper: Option<Arc<Turn>>) -> Self {
        Self {
            instant,
            keeper,
            #[cfg(not(target_arch = "wasm32"))]
            deadlines: None,
            #[cfg(feature = "upstash")]
            is_final: false,
        }
    }

    /// The end of what a caller polls without a timer of its own.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn of_caller(instant: Instant) -> Self {
        Self {
            #[cfg(feature = "upstash")]
            is_final: true,
            ..Self::new(instant, None)
        }
    }

    /// The same, kept together with others.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn among(self, deadlines: Option<&Arc<Deadlines>>) -> Self {
        Self {
            deadlines: deadlines.map(Arc::clone),
            ..self
        }
    }

    #[cfg(feature = "upstash")]
    pub(crate) fn is_final(&self) -> bool {
        self.is_final
    }

    /// The same with another end, for which there is a timer.
    #[cfg(feature = "upstash")]
    pub(crate) fn at(self, instant: Instant) -> Self {
        Self {
            #[cfg(not(target_arch = "wasm32"))]
            deadlines: self.deadlines.filter(|_| instant == self.instant),
            instant,
            ..self
        }
    }

    /// Waits for the future until then, by the timers of the current runtime, which must have some.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn wait_for<F: Future>(self, future: F) -> Option<F::Output> {
        timeout_at(self.instant, future).await
    }

    /// Waits for the future until then, by the timers of the current runtime, which must have some.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_for<F: Future>(self, future: F) -> Wait<F> {
        Wait {
            until: self,
            future,
            timer: Timer::None,
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
pin_project! {
    /// See [`Until::wait_for`]. An `async fn` would hold the future twice: as its argument, and where it is polled.
    pub(crate) struct Wait<F> {
        until: Until,
        #[pin]
        future: F,
        #[pin]
        timer: Timer,
    }
}

#[cfg(not(target_arch = "wasm32"))]
pin_project! {
    #[project = TimerProjection]
    enum Timer {
        None,
        Shared { deadline: Deadline },
        Own { #[pin] sleep: Sleep },
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<F: Future> Future for Wait<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        let Until {
            instant,
            keeper,
            deadlines,
            ..
        } = this.until;
        if keeper.as_ref().is_some_and(|turn| turn.keeps_time()) {
            return Poll::Pending;
        }
        if matches!(*this.timer, Timer::None) {
            let shared = deadlines.as_ref().and_then(|it| it.begin(*instant));
            this.timer.set(match shared {
                Some(deadline) => Timer::Shared { deadline },
                None => Timer::Own {
                    sleep: sleep_until(*instant),
                },
            });
        }
        match this.timer.project() {
            TimerProjection::Shared { deadline } => deadline.poll(cx).map(|()| None),
            TimerProjection::Own { sleep } => sleep.poll(cx).map(|()| None),
            TimerProjection::None => Poll::Pending,
        }
    }
}
