//! Until when something may take, and who keeps the time.

use super::turn::Turn;
use crate::runtime::Instant;
#[cfg(not(target_arch = "wasm32"))]
use crate::runtime::sleep_until;
#[cfg(target_arch = "wasm32")]
use crate::runtime::timeout_at;
use std::future::Future;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) struct Until {
    pub(crate) instant: Instant,
    /// While this caller polls and has a timer of its own, a second one would only cost.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(dead_code, reason = "each delivery is a task there")
    )]
    keeper: Option<Arc<Turn>>,
}

impl Until {
    pub(crate) fn new(instant: Instant, keeper: Option<Arc<Turn>>) -> Self {
        Self { instant, keeper }
    }

    /// The same with another end.
    #[cfg(feature = "upstash")]
    pub(crate) fn at(self, instant: Instant) -> Self {
        Self { instant, ..self }
    }

    /// Waits for the future until then, by the timers of the current runtime, which must have some.
    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn wait_for<F: Future>(self, future: F) -> Option<F::Output> {
        timeout_at(self.instant, future).await
    }

    /// Waits for the future until then, by the timers of the current runtime, which must have some.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) async fn wait_for<F: Future>(self, future: F) -> Option<F::Output> {
        use std::task::Poll;
        let mut future = std::pin::pin!(future);
        let mut timer = std::pin::pin!(None);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            if self.keeper.as_ref().is_some_and(|turn| turn.keeps_time()) {
                return Poll::Pending;
            }
            if timer.is_none() {
                timer.set(Some(sleep_until(self.instant)));
            }
            match timer.as_mut().as_pin_mut() {
                Some(timer) => timer.poll(cx).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }
}
