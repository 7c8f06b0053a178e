//! Whether a leader is alive: it is when somebody polls it soon after it was woken. A future that
//! `select!` keeps, or one on a runtime that nobody drives, is not.

use super::span::{Entered, LoadSpan};
use crate::runtime::real_ms;
use crate::sync;
use bytes::Bytes;
use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

thread_local! {
    /// The leaders that are being polled on this thread, outermost first.
    static LEADING: RefCell<Vec<Arc<Liveness>>> = const { RefCell::new(Vec::new()) };
}

/// Whether a leader of this key is being polled right now, further up on this thread's stack.
pub(crate) fn leads(flights: u64, key: &[u8]) -> bool {
    // While a thread ends there may be nothing to look into.
    let led = LEADING.try_with(|leaders| {
        leaders
            .borrow()
            .iter()
            .any(|leader| leader.flights == flights && &*leader.key == key)
    });
    led.unwrap_or(false)
}

/// Whether a leader of any key is, at least.
pub(crate) fn is_leading() -> bool {
    LEADING
        .try_with(|leaders| !leaders.borrow().is_empty())
        .unwrap_or(false)
}

/// The leaders whose bodies the calling code is a part of, outermost first.
pub(crate) fn leading() -> Vec<Arc<Liveness>> {
    LEADING
        .try_with(|leaders| leaders.borrow().clone())
        .unwrap_or_default()
}

/// The sign of life of one leader.
pub(crate) struct Liveness {
    flights: u64,
    key: Bytes,
    task: Mutex<Option<Waker>>,
    /// When it was woken without having been polled since, in ms of [`real_ms`]; 0 if it was polled.
    woken: AtomicU64,
    polling: AtomicBool,
    panicked: AtomicBool,
}

impl Liveness {
    pub(crate) fn new(flights: u64, key: Bytes) -> Self {
        Self {
            flights,
            key,
            task: Mutex::default(),
            woken: AtomicU64::new(0),
            polling: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        }
    }

    /// The task was woken to lead: from now on it counts as stalled if nobody polls it.
    pub(crate) fn called(&self, task: Waker) {
        self.woken.store(real_ms(), Ordering::SeqCst);
        self.set_task(task);
    }

    /// The task that polls the leader from now on.
    pub(crate) fn set_task(&self, task: Waker) {
        let mut known = sync::lock(&self.task);
        let before = known.replace(task);
        drop(known);
        // Only now: it may own a task, whose futures may come back here when they are dropped.
        drop(before);
    }

    /// Wakes the task that polls the leader, or nothing where it was never polled.
    pub(crate) fn waker(&self) -> Waker {
        let task = sync::lock(&self.task);
        task.clone().unwrap_or_else(|| Waker::noop().clone())
    }

    /// Whether the step that was polled last panicked.
    pub(crate) fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::SeqCst)
    }

    /// Woken, and not polled for this long.
    pub(crate) fn is_stalled(&self, limit: Duration) -> bool {
        let woken = self.woken.load(Ordering::SeqCst);
        woken != 0
            && !self.polling.load(Ordering::SeqCst)
            && u128::from(real_ms().saturating_sub(woken)) >= limit.as_millis()
    }

    /// Wakes the leader for no other reason than to see it polled.
    pub(crate) fn wake_to_see(self: &Arc<Self>) {
        if !self.polling.load(Ordering::SeqCst) && self.woken.load(Ordering::SeqCst) == 0 {
            self.wake_by_ref();
        }
    }
}

impl Wake for Liveness {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = self
            .woken
            .compare_exchange(0, real_ms(), Ordering::SeqCst, Ordering::SeqCst);
        let task = sync::lock(&self.task).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Polls that waiters can see.
pub(crate) struct Watch {
    liveness: Arc<Liveness>,
    waker: Waker,
}

impl Watch {
    pub(crate) fn new(liveness: Arc<Liveness>) -> Self {
        let waker = Waker::from(Arc::clone(&liveness));
        Self { liveness, waker }
    }

    /// One poll.
    pub(crate) fn start(&self, cx: &Context<'_>) -> BodyPoll<'_> {
        let task = &self.liveness.task;
        let task = sync::lock(task);
        let is_known = task.as_ref().is_some_and(|task| task.will_wake(cx.waker()));
        drop(task);
        if !is_known {
            self.liveness.set_task(cx.waker().clone());
        }
        BodyPoll {
            waker: &self.waker,
            polling: Some(Polling::start(&self.liveness)),
            span: None,
        }
    }
}

/// One poll, from its start until it returns, and the waker for it. Dropped before, it has panicked.
pub(crate) struct BodyPoll<'a> {
    waker: &'a Waker,
    polling: Option<Polling<'a>>,
    span: Option<Entered<'a>>,
}

impl<'a> BodyPoll<'a> {
    /// One that nobody waits for.
    pub(crate) fn unwatched(cx: &'a Context<'_>) -> Self {
        Self {
            waker: cx.waker(),
            polling: None,
            span: None,
        }
    }

    /// In the span of its load.
    pub(crate) fn within(mut self, span: &'a LoadSpan) -> Self {
        self.span = Some(span.enter());
        self
    }

    pub(crate) fn context(&self) -> Context<'a> {
        Context::from_waker(self.waker)
    }

    pub(crate) fn returned(self) {
        if let Some(polling) = self.polling {
            polling.returned();
        }
    }
}

pin_project! {
    /// A step of a load, polled under watch where others may wait for it.
    pub(crate) struct Watched<F> {
        watch: Option<Watch>,
        #[pin]
        step: F,
    }
}

impl<F> Watched<F> {
    pub(crate) fn new(watch: Option<Watch>, step: F) -> Self {
        Self { watch, step }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let Some(watch) = this.watch else {
            return this.step.poll(cx);
        };
        let poll = watch.start(cx);
        let polled = this.step.poll(&mut poll.context());
        poll.returned();
        polled
    }
}

/// Marks a poll, until it returns or panics.
struct Polling<'a>(&'a Liveness);

impl<'a> Polling<'a> {
    fn start(liveness: &'a Arc<Liveness>) -> Self {
        liveness.polling.store(true, Ordering::SeqCst);
        liveness.woken.store(0, Ordering::SeqCst);
        let _ = LEADING.try_with(|leaders| leaders.borrow_mut().push(Arc::clone(liveness)));
        Self(liveness)
    }

    fn returned(self) {
        self.end();
        mem::forget(self);
    }

    fn end(&self) {
        let ended = LEADING.try_with(|leaders| leaders.borrow_mut().pop());
        self.0.polling.store(false, Ordering::SeqCst);
        drop(ended);
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.panicked.store(true, Ordering::SeqCst);
        self.end();
    }
}
