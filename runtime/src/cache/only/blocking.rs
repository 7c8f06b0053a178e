//! Waiting on a thread, for callers that are no tasks.

#[cfg(not(target_arch = "wasm32"))]
mod parked;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use parked::wait;

/// There is one thread, which must not wait for itself.
#[cfg(target_arch = "wasm32")]
pub(crate) fn wait<F: Future>(future: F, _limit: std::time::Duration) -> Option<F::Output> {
    use std::task::{Context, Poll, Waker};

    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
