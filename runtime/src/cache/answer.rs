//! The answer to one call: what the cache has, else what the body returns, which is then stored.
//!
//! [`Progress`] knows no type of the function's and is compiled once. What stands around it is
//! compiled again for every function, so it does as little as it can; it polls the body itself,
//! since a body behind `dyn Future` could not be `Send` for some functions and not for others.

use super::cacheable::Cacheable;
use super::call::CachedCall;
use super::call_status::{self, BypassReason, CallStatus, Reporting, Tier};
use super::enter::Entering;
use super::flight::SharedError;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
use super::glance::Glance;
use super::liveness::BodyPoll;
use super::load::{Entered, Load};
use super::old_value::{Awaiting, OnFound};
use super::return_kind::ReturnKind;
use crate::runtime::BoxFuture;
use crate::value::{self, ErasedValue, TypedValue};
use pin_project_lite::pin_project;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The default of `unless`.
pub fn never<T: ?Sized>(_value: &T) -> bool {
    false
}

pin_project! {
    /// The answer to a call of a cached function.
    pub struct Answer<K: ReturnKind, F> {
        // Before the body: a call that is dropped hands its load over first, and then runs the
        // destructors of the body.
        call: TypedCall<K>,
        #[pin]
        body: F,
    }
}

impl<K: ReturnKind, F> Answer<K, F> {
    /// The answer to this call, or without one what the body returns.
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
        body: F,
    ) -> Self {
        let call = TypedCall {
            // No function of its own: it would be called, and move the call twice.
            progress: Progress::Called(call),
            reporting,
            kind,
            value: TypedValue::shared_as(read, write, keep),
            share,
            take,
            unless,
        };
        Self { call, body }
    }
}

impl<K: ReturnKind, F> std::fmt::Debug for Answer<K, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer")
    }
}

impl<K: ReturnKind, F: Future<Output = K::Return>> Future for Answer<K, F> {
    type Output = K::Return;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<K::Return> {
        let mut this = self.project();
        loop {
            if let Some(polled) = this.call.poll_cache(cx) {
                return polled;
            }
            let watched = this.call.progress.watch(cx);
            let polled = this.body.as_mut().poll(&mut watched.context());
            watched.returned();
            let Poll::Ready(returned) = polled else {
                return Poll::Pending;
            };
            if let Some(returned) = this.call.returned(returned) {
                return Poll::Ready(returned);
            }
        }
    }
}

/// What depends on the return type of the function, but not on its body.
pub(super) struct TypedCall<K: ReturnKind> {
    pub(super) progress: Progress,
    pub(super) reporting: Reporting,
    pub(super) kind: K,
    /// What was found, or what the body returned while it is being stored. Never an error: it need
    /// not be `Send`, so it does not outlive a poll.
    pub(super) value: TypedValue<K::Value>,
    pub(super) share: fn(&K::Error) -> Option<SharedError>,
    pub(super) take: fn(&SharedError) -> Option<K::Error>,
    pub(super) unless: fn(&K::Value) -> bool,
}

impl<K: ReturnKind> TypedCall<K> {
    /// Goes on with everything but the body; nothing comes back when the body is to be polled.
    pub(super) fn poll_cache(&mut self, cx: &mut Context<'_>) -> Option<Poll<K::Return>> {
        match self.progress.poll(cx, &mut self.value, &self.reporting) {
            Step::Pending => Some(Poll::Pending),
            Step::Body => None,
            Step::Answered => self.answer().map(Poll::Ready),
            Step::Failed(error) => {
                let Some(error) = (self.take)(&error) else {
                    self.reporting.bypassed(BypassReason::Unusable);
                    return None;
                };
                self.reporting.say(|| CallStatus::Shared);
                Some(Poll::Ready(self.kind.failure(error)))
            }
        }
    }

    pub(super) fn answer(&mut self) -> Option<K::Return> {
        let value = self.value.take()?;
        Some(self.kind.success(value))
    }

    /// The body returned; nothing comes back when its value is to be stored first.
    pub(super) fn returned(&mut self, returned: K::Return) -> Option<K::Return> {
        let Some(load) = self.progress.end_load(&self.reporting) else {
            return Some(returned);
        };
        match self.kind.split(returned) {
            Err(error) => {
                load.failed((self.share)(&error));
                Some(self.kind.failure(error))
            }
            Ok(value) => {
                let keeps = (self.unless)(&value);
                self.value.set(value);
                if self.progress.store(load, &self.value, keeps) {
                    None
                } else {
                    self.answer()
                }
            }
        }
    }
}

/// How far a call is.
pub(super) enum Progress {
    Called(Option<CachedCall>),
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    Glancing(Box<Glance>),
    Entering(BoxFuture<Entered>),
    /// The body runs, for the cache.
    Loading(Box<Load>),
    /// The body runs, and the cache has nothing to do with it.
    Alone,
    Storing(BoxFuture<()>),
    /// A value was returned, and is to be loaded again in the background.
    Again(Box<Load>),
    /// An old value is at hand, and the body is to run in the background while the call waits for it.
    ToAwait(Box<Load>, Awaiting),
    /// The call waits for the body in the background.
    Awaiting(Awaiting),
}

/// What the frame of the function does next.
enum Step {
    Pending,
    /// Polls the body.
    Body,
    /// Returns the value that was read.
    Answered,
    /// Returns the error of another caller's load, or polls the body.
    Failed(SharedError),
}

impl Progress {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        value: &mut dyn ErasedValue,
        reporting: &Reporting,
    ) -> Step {
        loop {
            match self {
                Self::Called(called) => {
                    // A hit moves nothing.
                    if let Some(call) = called
                        && let Some(opened) = call.peek()
                        && value::read_plain(&opened.plain, &mut |json| value.read(json)).is_ok()
                    {
                        call.counters.commands.add(1);
                        let is_null = call.hit_at_once(&opened);
                        reporting.say(|| {
                            let now = call.cache.client.time().latest;
                            let age = call_status::age(opened.times(), now);
                            CallStatus::found(is_null, Tier::Store, age)
                        });
                        return Step::Answered;
                    }
                    let Some(call) = called.take() else {
                        *self = Self::Alone;
                        return Step::Body;
                    };
                    // Boxed, as the store below: cached functions call cached functions, and each
                    // would hold all of it.
                    match call.enter(cx.waker()) {
                        Ok(Entering::Load(entering)) => *self = Self::Entering(entering),
                        #[cfg(all(
                            any(feature = "upstash", feature = "redis"),
                            not(target_arch = "wasm32")
                        ))]
                        Ok(Entering::Glance(glance)) => *self = Self::Glancing(glance),
                        Err(reason) => {
                            *self = Self::Alone;
                            reporting.bypassed(reason);
                            return Step::Body;
                        }
                    }
                }
                #[cfg(all(
                    any(feature = "upstash", feature = "redis"),
                    not(target_arch = "wasm32")
                ))]
                Self::Glancing(glance) => {
                    if glance.poll(cx).is_pending() {
                        return Step::Pending;
                    }
                    let Self::Glancing(glance) = mem::replace(self, Self::Alone) else {
                        return Step::Body;
                    };
                    let found = glance.end(|plain| {
                        value::read_plain(plain, &mut |json| value.read(json)).is_ok()
                    });
                    match found {
                        Ok(is_null) => {
                            reporting.say(|| CallStatus::found(is_null, Tier::Store, None));
                            return Step::Answered;
                        }
                        Err(entering) => *self = Self::Entering(entering),
                    }
                }
                Self::Entering(entering) => match entering.as_mut().poll(cx) {
                    Poll::Pending => return Step::Pending,
                    Poll::Ready(entered) => {
                        *self = Self::Alone;
                        return self.entered(entered, value, reporting);
                    }
                },
                Self::Loading(_) | Self::Alone | Self::Again(_) | Self::ToAwait(..) => {
                    return Step::Body;
                }
                Self::Awaiting(awaiting) => match awaiting.poll(cx) {
                    Poll::Pending => return Step::Pending,
                    Poll::Ready((caller, loaded)) => {
                        *self = Self::Alone;
                        let status = caller.awaited(loaded, &mut |plain| {
                            value::read_plain(plain, &mut |json| value.read(json)).is_ok()
                        });
                        reporting.say(|| status);
                        return Step::Answered;
                    }
                },
                Self::Storing(storing) => match storing.as_mut().poll(cx) {
                    Poll::Pending => return Step::Pending,
                    Poll::Ready(()) => {
                        *self = Self::Alone;
                        return Step::Answered;
                    }
                },
            }
        }
    }

    fn entered(
        &mut self,
        entered: Entered,
        value: &mut dyn ErasedValue,
        reporting: &Reporting,
    ) -> Step {
        let mut load = match entered {
            Entered::Load(load) => load,
            Entered::Alone(reason) => {
                reporting.bypassed(reason);
                return Step::Body;
            }
            Entered::Failed(error) => return Step::Failed(error),
            Entered::Shared(plain, status) => {
                if value::read_plain(&plain, &mut |json| value.read(json)).is_ok() {
                    reporting.say(|| status);
                    return Step::Answered;
                }
                reporting.bypassed(BypassReason::Unusable);
                return Step::Body;
            }
            Entered::Found(plain, mut load) => {
                match value::read_plain(&plain, &mut |json| value.read(json)) {
                    Ok(()) => match load.on_found() {
                        OnFound::Return => {
                            let null = value::is_null(&plain);
                            reporting.say(|| load.found_status(null));
                            if let Some(again) = load.hit(plain, null, value.shared()) {
                                *self = Self::Again(again);
                            }
                            return Step::Answered;
                        }
                        OnFound::Run => load.has_stale(plain),
                        OnFound::RunFor(soft) => {
                            load.has_stale(plain);
                            match load.split(soft) {
                                Ok((load, awaiting)) => {
                                    *self = Self::ToAwait(load, awaiting);
                                    return Step::Body;
                                }
                                Err(same) => load = same,
                            }
                        }
                    },
                    Err(what) => load.garbage(&what),
                }
                load
            }
        };
        load.begin_body();
        *self = Self::Loading(load);
        Step::Body
    }

    /// The context in which the body is polled: where others wait for its load, they see that it is.
    pub(super) fn watch<'a>(&'a self, cx: &'a Context<'_>) -> BodyPoll<'a> {
        match self {
            Self::Loading(load) => load.watch(cx),
            _ => BodyPoll::unwatched(cx),
        }
    }

    /// The load whose body returned, if it was one.
    fn end_load(&mut self, reporting: &Reporting) -> Option<Box<Load>> {
        match mem::replace(self, Self::Alone) {
            Self::Loading(load) => {
                load.end_body();
                reporting.say(|| load.loaded_status());
                Some(load)
            }
            _ => None,
        }
    }

    /// The load that is to run in the background, if one is.
    pub(super) fn take_background(&mut self) -> Option<Box<Load>> {
        match mem::replace(self, Self::Alone) {
            Self::Again(load) => Some(load),
            Self::ToAwait(load, awaiting) => {
                *self = Self::Awaiting(awaiting);
                Some(load)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Whether an old value stands in for the error of the body.
    pub(super) fn fails_over(&mut self, reporting: &Reporting) -> bool {
        let Self::Loading(load) = self else {
            return false;
        };
        let Some(status) = load.failed_over() else {
            return false;
        };
        reporting.say(|| status);
        *self = Self::Alone;
        true
    }

    /// Stores what the body returned, or `keeps` it from being stored; whether there is something to
    /// wait for.
    fn store(&mut self, mut load: Box<Load>, value: &dyn ErasedValue, keeps: bool) -> bool {
        load.has_loaded();
        let span = load.span.clone();
        if let Some(keeper) = load.keeper {
            (keeper.will_keep)(&mut load, value.shared());
        }
        match load.plain_form(value) {
            Some(plain) if keeps && !load.replaces_value() => load.keep(plain),
            Some(plain) => {
                *self = Self::Storing(Box::pin(span.around(load.store(plain, keeps))));
                return true;
            }
            None => load.not_stored(),
        }
        false
    }
}
