//! The scope of a request, as a layer of tower.

use super::{SCOPE, Scope};
use crate::pond::Millpond;
use crate::runtime::{InRequest, in_request};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::futures::TaskLocalFuture;
use tower_layer::Layer;
use tower_service::Service;

/// A tower layer that makes a [`Millpond`] the current one for every request: what
/// [`scope`](Millpond::scope) is for a future. It fits every service of tower, such as those of axum and
/// tonic. Needs the feature `tower`, which `axum` brings.
///
/// It applies to what a handler awaits. A task that it starts does not inherit it; use
/// [`spawn`](Millpond::spawn) there.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ScopeLayer, cached};
/// use tower_layer::Layer;
/// use tower_service::Service;
///
/// #[cached(prefix = "answer")]
/// async fn answer() -> Result<u32, std::convert::Infallible> { Ok(42) }
///
/// # #[derive(Clone)]
/// # struct Handler;
/// # impl Service<()> for Handler {
/// #     type Response = u32;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::pin::Pin<Box<dyn Future<Output = Result<u32, Self::Error>> + Send>>;
/// #     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, (): ()) -> Self::Future { Box::pin(answer()) }
/// # }
/// let pond = Millpond::memory();
/// let mut service = ScopeLayer::new(pond.clone()).layer(Handler);
/// assert_eq!(service.call(()).await, Ok(42));
/// assert_eq!(pond.stats().cache.loads, 1);
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct ScopeLayer {
    pond: Millpond,
}

impl ScopeLayer {
    /// Requests get this as the current cache.
    ///
    /// ```
    /// let layer = millpond::ScopeLayer::new(millpond::Millpond::memory());
    /// ```
    pub fn new(pond: Millpond) -> Self {
        Self { pond }
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> ScopeService<S> {
        ScopeService {
            inner,
            pond: self.pond.clone(),
        }
    }
}

/// What [`ScopeLayer`] makes of a service.
#[derive(Clone, Debug)]
pub struct ScopeService<S> {
    inner: S,
    pond: Millpond,
}

impl<S, R> Service<R> for ScopeService<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ScopeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let scope = Scope::new(self.pond.clone(), false);
        let inner = &mut self.inner;
        let future = SCOPE.sync_scope(scope.clone(), || inner.call(request));
        ScopeFuture {
            inner: Box::pin(in_request(SCOPE.scope(scope, future))),
        }
    }
}

/// The response of a [`ScopeService`].
pub struct ScopeFuture<F> {
    inner: Pin<Box<InRequest<TaskLocalFuture<Scope, F>>>>,
}

impl<F: Future> Future for ScopeFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<F> std::fmt::Debug for ScopeFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScopeFuture").finish_non_exhaustive()
    }
}
