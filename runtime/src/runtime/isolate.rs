//! An isolate of the Workers runtime, or another host of JavaScript: one thread, the timers and clocks of
//! JavaScript, and requests that must not wake each other.
//!
//! The Workers runtime ties every promise to the request that made it. A task that another request wakes
//! goes on in the name of that request: what it sends is cancelled when the other one ends, and then it
//! hangs. So whatever holds wakers is held once for each request. A request is what is polled inside of
//! [`in_request`], with the tasks that it spawns; a call outside shares with nobody.

use crate::sync;
use gloo_timers::future::TimeoutFuture;
use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::futures::TaskLocalFuture;

/// `performance.now()`. In the Workers runtime it stands still between two answers from outside.
pub(crate) use web_time::Instant;

pub(crate) use web_time::{Instant as RealInstant, SystemTime};

/// Work on any number of bytes is done here.
pub(crate) const MUCH: usize = usize::MAX;

/// The longest time that `setTimeout` can wait, which counts in an `i32`.
const LONGEST: u128 = i32::MAX as u128;

/// A future that owns what it needs.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + 'static>>;

/// One that borrows.
pub(crate) type BoxFutureOf<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A date of HTTP. JavaScript brings a parser, and one of our own would weigh 5 KB.
#[cfg(feature = "upstash")]
pub(crate) fn http_date(text: &str) -> Option<std::time::SystemTime> {
    let ms = js_sys::Date::parse(text);
    // It reads other texts as well, of which it takes most for a time of here.
    let is_one = ms.is_finite() && ms >= 0.0 && text.ends_with("GMT");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number that fits"
    )]
    is_one.then(|| std::time::UNIX_EPOCH + Duration::from_millis(ms as u64))
}

/// `Send` where there are threads.
pub(crate) trait MaybeSend {}

impl<T: ?Sized> MaybeSend for T {}

/// There is always an event loop.
pub(crate) fn in_runtime() -> bool {
    true
}

/// Runs a task in the name of the current request.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> bool {
    let background = Background::begin();
    wasm_bindgen_futures::spawn_local(in_request(async move {
        future.await;
        drop(background);
    }));
    true
}

/// Runs a task that [`background_done`] does not wait for.
pub(crate) fn spawn_unawaited(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(in_request(future));
}

/// A wait. Tasks have no budget here.
#[cfg(feature = "upstash")]
pub(crate) fn unconstrained<F: Future>(wait: F) -> F {
    wait
}

/// Does work here: there is no other thread.
pub(crate) async fn offload<T>(_bytes: usize, work: impl FnOnce() -> T) -> Option<T> {
    Some(work())
}

/// There is one queue, and who yields is at its end.
pub(crate) async fn requeue(_limit: Duration) {
    tokio::task::yield_now().await;
}

pub(crate) type Timer = TimeoutFuture;

/// A timer.
#[allow(
    clippy::unnecessary_wraps,
    reason = "a server may have no thread for timers"
)]
pub(crate) fn timer(duration: Duration) -> Option<Timer> {
    // Rounded up: a deadline must be over when its timer fires.
    let ms = duration.as_micros().div_ceil(1_000).min(LONGEST);
    Some(TimeoutFuture::new(u32::try_from(ms).unwrap_or(u32::MAX)))
}

/// A request to come back to.
#[derive(Clone)]
pub(crate) struct RuntimeHandle(Option<Request>);

impl RuntimeHandle {
    /// The current one, if there is one.
    pub(crate) fn here() -> Self {
        Self(Request::current())
    }

    /// Runs a task in the name of the current request, else of this one.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        match (&self.0, Request::current()) {
            (Some(request), None) => {
                REQUEST.sync_scope(request.clone(), || spawn(future));
            }
            _ => drop(spawn(future)),
        }
    }
}

tokio::task_local! {
    static REQUEST: Request;
}

/// What the calls of one request share.
#[derive(Clone)]
pub(crate) struct Request(Arc<Shared>);

struct Shared {
    /// By the number of the [`PerRequest`].
    parts: Mutex<HashMap<u64, Arc<dyn Any + Send + Sync>>>,
    /// How many tasks run in the background.
    background: watch::Sender<usize>,
}

impl Default for Request {
    fn default() -> Self {
        Self(Arc::new(Shared {
            parts: Mutex::default(),
            background: watch::Sender::new(0),
        }))
    }
}

impl Request {
    fn current() -> Option<Self> {
        REQUEST.try_with(Clone::clone).ok()
    }
}

/// A future that belongs to one request.
pub(crate) type InRequest<F> = TaskLocalFuture<Request, F>;

/// Polls a future as a part of the current request, or as a request of its own.
pub(crate) fn in_request<F: Future>(future: F) -> InRequest<F> {
    REQUEST.scope(Request::current().unwrap_or_default(), future)
}

/// What callers share through which one of them may wake another: each request has its own, and outside of
/// one each call.
pub(crate) struct PerRequest<T> {
    id: u64,
    made: PhantomData<fn() -> T>,
}

impl<T> Clone for PerRequest<T> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            made: PhantomData,
        }
    }
}

impl<T> std::fmt::Debug for PerRequest<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PerRequest")
    }
}

impl<T> Default for PerRequest<T> {
    fn default() -> Self {
        static NEWEST: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEWEST.fetch_add(1, Ordering::Relaxed),
            made: PhantomData,
        }
    }
}

impl<T: Send + Sync + 'static> PerRequest<T> {
    /// The one of the current request, made at first use.
    pub(crate) fn current(&self) -> Arc<T>
    where
        T: Default,
    {
        let made: Result<_, std::convert::Infallible> = self.current_or(|| Ok(T::default()));
        match made {
            Ok(made) => made,
            Err(never) => match never {},
        }
    }

    /// The one of the current request, made like this at first use.
    pub(crate) fn current_or<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let Some(request) = Request::current() else {
            return make().map(Arc::new);
        };
        let known = sync::lock(&request.0.parts).get(&self.id).cloned();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        let part: Arc<dyn Any + Send + Sync> = Arc::clone(&made) as _;
        sync::lock(&request.0.parts).insert(self.id, part);
        Ok(made)
    }
}

/// Counts a task in the background until it is dropped.
struct Background(Option<Request>);

impl Background {
    fn begin() -> Self {
        let request = Request::current();
        if let Some(request) = &request {
            request.0.background.send_modify(|count| *count += 1);
        }
        Self(request)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(request) = &self.0 {
            request.0.background.send_modify(|count| *count -= 1);
        }
    }
}

/// Waits until no task of this request runs in the background.
pub(crate) async fn background_done() {
    if let Some(request) = Request::current() {
        let mut background = request.0.background.subscribe();
        // It holds the sender.
        let _ = background.wait_for(|count| *count == 0).await;
    }
}
