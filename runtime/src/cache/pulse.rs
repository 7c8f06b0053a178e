//! Whether a leader is alive: it is when somebody polls it soon after it was woken. A future that
//! `select!` keeps, or one on a runtime that nobody drives, is not.

use pin_project_lite::pin_project;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

thread_local! {
    /// The keys whose leaders are being polled on this thread, outermost first.
    static LEADING: RefCell<Vec<(u64, Arc<str>)>> = const { RefCell::new(Vec::new()) };
}

/// Whether a leader of this key is being polled right now, further up on this thread's stack.
pub(crate) fn leads(flights: u64, key: &str) -> bool {
    // While a thread ends there may be nothing to look into.
    let led = LEADING.try_with(|keys| {
        keys.borrow()
            .iter()
            .any(|(id, led)| *id == flights && &**led == key)
    });
    led.unwrap_or(false)
}

/// The sign of life of one leader.
pub(crate) struct Pulse {
    flights: u64,
    key: Arc<str>,
    task: Mutex<Option<Waker>>,
    /// When it was woken without having been polled since, in ms of [`now`]; 0 if it was polled.
    woken: AtomicU64,
    polling: AtomicBool,
}

/// Real milliseconds since the first use, at least 1: whether a thread is alive is not a matter of
/// any manual or paused clock.
pub(crate) fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1)
}

impl Pulse {
    pub(crate) fn new(flights: u64, key: Arc<str>) -> Self {
        Self {
            flights,
            key,
            task: Mutex::default(),
            woken: AtomicU64::new(0),
            polling: AtomicBool::new(false),
        }
    }

    /// Woken, and not polled for this long.
    pub(crate) fn is_stalled(&self, limit: Duration) -> bool {
        let woken = self.woken.load(Ordering::SeqCst);
        woken != 0
            && !self.polling.load(Ordering::SeqCst)
            && u128::from(now().saturating_sub(woken)) >= limit.as_millis()
    }

    /// Wakes the leader for no other reason than to see it polled.
    pub(crate) fn poke(self: &Arc<Self>) {
        if !self.polling.load(Ordering::SeqCst) && self.woken.load(Ordering::SeqCst) == 0 {
            self.wake_by_ref();
        }
    }
}

impl Wake for Pulse {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = self
            .woken
            .compare_exchange(0, now(), Ordering::SeqCst, Ordering::SeqCst);
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Polls that waiters can see.
pub(crate) struct Watch {
    pulse: Arc<Pulse>,
    waker: Waker,
}

impl Watch {
    pub(crate) fn new(pulse: Arc<Pulse>) -> Self {
        let waker = Waker::from(Arc::clone(&pulse));
        Self { pulse, waker }
    }

    /// One poll.
    pub(crate) fn start(&self, cx: &Context<'_>) -> BodyPoll<'_> {
        let task = &self.pulse.task;
        let mut task = task.lock().unwrap_or_else(PoisonError::into_inner);
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        BodyPoll {
            waker: &self.waker,
            polling: Some(Polling::start(&self.pulse)),
        }
    }
}

/// One poll, from its start until this is dropped, and the waker for it.
pub(crate) struct BodyPoll<'a> {
    waker: &'a Waker,
    polling: Option<Polling<'a>>,
}

impl<'a> BodyPoll<'a> {
    /// One that nobody waits for.
    pub(crate) fn unwatched(cx: &'a Context<'_>) -> Self {
        Self {
            waker: cx.waker(),
            polling: None,
        }
    }

    pub(crate) fn context(&self) -> Context<'a> {
        Context::from_waker(self.waker)
    }

    /// The poll has returned.
    pub(crate) fn returned(self) {
        drop(self.polling);
    }
}

pin_project! {
    /// A step of a leader, polled under watch.
    pub(crate) struct Watched<F> {
        watch: Watch,
        #[pin]
        step: F,
    }
}

impl<F> Watched<F> {
    pub(crate) fn new(pulse: Arc<Pulse>, step: F) -> Self {
        let watch = Watch::new(pulse);
        Self { watch, step }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let poll = this.watch.start(cx);
        let polled = this.step.poll(&mut poll.context());
        poll.returned();
        polled
    }
}

/// Marks a poll, until it returns or panics.
struct Polling<'a>(&'a Pulse);

impl<'a> Polling<'a> {
    fn start(pulse: &'a Pulse) -> Self {
        pulse.polling.store(true, Ordering::SeqCst);
        pulse.woken.store(0, Ordering::SeqCst);
        let _ = LEADING.try_with(|keys| {
            keys.borrow_mut()
                .push((pulse.flights, Arc::clone(&pulse.key)));
        });
        Self(pulse)
    }
}

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        let _ = LEADING.try_with(|keys| keys.borrow_mut().pop());
        self.0.polling.store(false, Ordering::SeqCst);
    }
}
