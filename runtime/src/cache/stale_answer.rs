//! The answer to a call of a function whose values may be old: its body runs in the call, or in the background.
//!
//! As in [`answer`](super::answer), only what depends on types is here.

use super::answer::{Progress, TypedCall};
use super::background::BackgroundTask;
use super::background_load::{self, BackgroundBody, BodyEnd};
use super::cacheable::Cacheable;
use super::call::CachedCall;
use super::call_status::Reporting;
use super::load::Load;
use super::return_kind::ReturnKind;
use crate::runtime::{self, BoxFuture};
use crate::value::{self, Read, TypedValue, Write};
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Where a body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the call, with what the caller lent.
    Call,
    /// In a task of its own, with arguments that it owns.
    Background,
}

/// A body that was started.
pub enum Started<F, R> {
    /// In the call.
    Call(F),
    /// To run in a task.
    Background(BoxFuture<R>),
}

impl<F, R> std::fmt::Debug for Started<F, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Started")
    }
}

pin_project! {
    /// The answer to a call of a cached function with a stale window.
    pub struct StaleAnswer<K: ReturnKind, F, S> {
        // Before the body, as in `Answer`.
        call: TypedCall<K>,
        read: Read<K::Value>,
        write: Write<K::Value>,
        start: Option<S>,
        around: fn(BackgroundTask) -> BackgroundTask,
        #[pin]
        body: Option<F>,
    }
}

impl<K: ReturnKind, F, S> StaleAnswer<K, F, S> {
    pub(crate) fn new(
        (call, reporting): (Option<CachedCall>, Reporting),
        Cacheable {
            kind,
            read,
            write,
            keep,
            share,
            take,
            ..
        }: Cacheable<K>,
        unless: fn(&K::Value) -> bool,
        around: fn(BackgroundTask) -> BackgroundTask,
        start: S,
    ) -> Self {
        let call = TypedCall {
            progress: Progress::Called(call),
            reporting,
            kind,
            value: TypedValue::shared_as(read, write, keep),
            share,
            take,
            unless,
        };
        Self {
            call,
            read,
            write,
            start: Some(start),
            around,
            body: None,
        }
    }
}

impl<K: ReturnKind, F, S> std::fmt::Debug for StaleAnswer<K, F, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaleAnswer")
    }
}

impl<K, F, S> Future for StaleAnswer<K, F, S>
where
    K: ReturnKind + Send + 'static,
    F: Future<Output = K::Return>,
    S: FnOnce(Place) -> Started<F, K::Return>,
{
    type Output = K::Return;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<K::Return> {
        let mut this = self.project();
        loop {
            let polled = this.call.poll_cache(cx);
            if let Some(load) = this.call.progress.take_background()
                && let Some(start) = this.start.take()
                && let Started::Background(body) = start(Place::Background)
            {
                let body = TypedBody {
                    kind: this.call.kind,
                    read: *this.read,
                    write: *this.write,
                    unless: this.call.unless,
                    body,
                };
                runtime::spawn((this.around)(task(load, body)));
            }
            if let Some(polled) = polled {
                return polled;
            }
            if this.body.is_none()
                && let Some(start) = this.start.take()
                && let Started::Call(body) = start(Place::Call)
            {
                this.body.set(Some(body));
            }
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                // What was started in the background is waited for.
                continue;
            };
            let watched = this.call.progress.watch(cx);
            let polled = body.poll(&mut watched.context());
            watched.returned();
            let Poll::Ready(returned) = polled else {
                return Poll::Pending;
            };
            if let Some(returned) = this.call.returned_or_stale(returned) {
                return Poll::Ready(returned);
            }
        }
    }
}

impl<K: ReturnKind> TypedCall<K> {
    /// As [`TypedCall::returned`]; in the place of an error, an old value.
    fn returned_or_stale(&mut self, returned: K::Return) -> Option<K::Return> {
        match self.kind.split(returned) {
            Ok(value) => self.returned(self.kind.success(value)),
            Err(_) if self.progress.fails_over(&self.reporting) => self.answer(),
            Err(error) => self.returned(self.kind.failure(error)),
        }
    }
}

/// Boxed: the future of a body of its own type is compiled several times over in a task.
fn task<K: ReturnKind + Send + 'static>(load: Box<Load>, body: TypedBody<K>) -> BackgroundTask {
    Box::pin(background_load::run(load, Box::new(body)))
}

/// A body in the background, with what is known of its type.
struct TypedBody<K: ReturnKind> {
    kind: K,
    read: Read<K::Value>,
    write: Write<K::Value>,
    unless: fn(&K::Value) -> bool,
    body: BoxFuture<K::Return>,
}

impl<K: ReturnKind> BackgroundBody for TypedBody<K> {
    fn poll(&mut self, cx: &mut Context<'_>, load: &Load) -> Poll<BodyEnd> {
        let Poll::Ready(returned) = self.body.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        let Ok(value) = self.kind.split(returned) else {
            return Poll::Ready(BodyEnd::Failed);
        };
        let keeps = (self.unless)(&value);
        let mut typed = TypedValue::new(self.read, self.write);
        typed.set(value);
        Poll::Ready(match load.plain_form(&typed) {
            Some(plain) => BodyEnd::Returned { plain, keeps },
            None => BodyEnd::Unstorable,
        })
    }

    fn reads(&mut self, plain: &[u8]) -> bool {
        let mut value = None;
        value::read_plain(plain, &mut |json| (self.read)(json, &mut value)).is_ok()
    }
}
