//! One of something for each Tokio runtime. A socket is driven by the runtime that opened it, so
//! what is shared between runtimes hangs as soon as one of them stops being driven. At the edge it is
//! the request that drives what it began.

#[cfg(target_arch = "wasm32")]
mod requests;
#[cfg(not(target_arch = "wasm32"))]
mod runtimes;

#[cfg(target_arch = "wasm32")]
pub(crate) use requests::PerRuntime;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use runtimes::PerRuntime;

/// What can be told that its runtime is gone.
pub(crate) trait Local: Send + Sync + 'static {
    /// Lets everybody go who waits here; nothing will be driven any more.
    fn end(&self);

    /// Whether it can still be used.
    fn has_ended(&self) -> bool;
}
