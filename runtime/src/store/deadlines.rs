//! Until when reads are waited for, looked at by one task for all of them. A timer of the runtime for each would cost a call
//! of the system: it wakes the thread that sleeps until a later one, be that the thread that asks.

use super::batch::Replies;
use super::turn::{Turn, late};
use crate::runtime::{self, Instant};
use crate::sync;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout_at;

/// What may be late by so much, as a timer of Tokio may.
const TOLERANCE: Duration = Duration::from_millis(1);

/// The number of a deadline that was over when it was asked for.
const OVER: u64 = u64::MAX;

/// As few are not looked through for those that are over.
const FEW: usize = 64;

/// Memory for more of them is given back once there are none.
const MOST_SPARE: usize = 4_096;

/// The deadlines of one runtime, whose task belongs to none: it also tells who waits on a runtime that is stuck.
#[derive(Default)]
pub(crate) struct Deadlines {
    queue: Mutex<Queue>,
    /// Wakes the task for one that is earlier than when it would look.
    earlier: Arc<Notify>,
    /// Whether callers were answered that they are late, since somebody asked.
    has_answered: AtomicBool,
}

#[derive(Default)]
struct Queue {
    /// In order of time, and of number.
    entries: VecDeque<Entry>,
    next_number: u64,
    /// With so many of them, those that are over are taken out.
    most: usize,
    /// When the task looks next; nothing without one.
    looks_at: Option<Instant>,
}

struct Entry {
    number: u64,
    at: Instant,
    waits: Waits,
}

enum Waits {
    /// It is over.
    Nobody,
    /// A caller whose request others deliver, for so long.
    Caller(Arc<Turn>, Duration),
    /// Who polls an exchange, which is woken then.
    Poll(Option<Waker>),
}

/// One of them, until it is dropped.
pub(crate) struct Deadline {
    deadlines: Arc<Deadlines>,
    number: u64,
}

impl Deadlines {
    /// A deadline that whoever polls is woken at. None where a timer has to do it: for one that is earlier than others, and
    /// where a test holds the clock.
    pub(crate) fn begin(self: &Arc<Self>, at: Instant) -> Option<Deadline> {
        let now = runtime::now();
        if !runtime::is_real(now) {
            return None;
        }
        let number = if at > now {
            self.push(at, || Waits::Poll(None))?
        } else {
            OVER
        };
        Some(Deadline {
            deadlines: Arc::clone(self),
            number,
        })
    }

    /// One at which a caller who asked just now is answered that it is late. Whether it is taken: see [`Self::begin`].
    pub(crate) fn answer_after(
        self: &Arc<Self>,
        asked: Instant,
        within: Duration,
        turn: &Arc<Turn>,
    ) -> bool {
        let waits = || Waits::Caller(Arc::clone(turn), within);
        runtime::is_real(asked) && self.push(asked + within, waits).is_some()
    }

    /// Whether callers were answered since this was asked last.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.swap(false, Ordering::AcqRel)
    }

    fn push(self: &Arc<Self>, at: Instant, waits: impl FnOnce() -> Waits) -> Option<u64> {
        let mut queue = self.lock();
        queue.forget();
        let at = match queue.entries.back() {
            Some(last) if at + TOLERANCE < last.at => return None,
            Some(last) => at.max(last.at),
            None => at,
        };
        let number = queue.next_number;
        let looks_at = queue.looks_at;
        if looks_at.is_none_or(|looks_at| looks_at > at) {
            queue.looks_at = Some(at);
        }
        if looks_at.is_none() && !self.keep() {
            queue.looks_at = None;
            return None;
        }
        queue.next_number += 1;
        let waits = waits();
        queue.entries.push_back(Entry { number, at, waits });
        drop(queue);
        if looks_at.is_some_and(|looks_at| looks_at > at) {
            self.earlier.notify_one();
        }
        Some(number)
    }

    /// Begins the task; whether somebody runs it.
    fn keep(self: &Arc<Self>) -> bool {
        let (deadlines, earlier) = (Arc::downgrade(self), Arc::clone(&self.earlier));
        runtime::spawn_with_timers(async move {
            while let Some(this) = deadlines.upgrade() {
                let Some(next) = this.tell(runtime::now()) else {
                    return;
                };
                drop(this);
                let _ = timeout_at(next, earlier.notified()).await;
            }
        })
    }

    /// Tells those who are late; the time of the next, if there is one. Without one the task ends.
    fn tell(&self, now: Instant) -> Option<Instant> {
        let mut all = Vec::new();
        let next = {
            let mut queue = self.lock();
            loop {
                queue.forget();
                let next = queue.entries.front().map(|first| first.at);
                if next.is_none_or(|next| next > now) {
                    queue.looks_at = next;
                    break next;
                }
                let first = queue.entries.pop_front();
                all.extend(first.map(|entry| entry.waits));
            }
        };
        // Only now: what is woken may come back here. And it may panic, which is no matter of the others.
        for waits in all {
            let _ = catch_unwind(AssertUnwindSafe(|| match waits {
                Waits::Caller(turn, within) => {
                    turn.answer(Some(Replies::from([Err(late(within))])));
                    // What has not left need not leave. In this order: who takes it out must not answer first.
                    turn.withdraw();
                    self.has_answered.store(true, Ordering::Release);
                }
                Waits::Poll(Some(waker)) => waker.wake(),
                Waits::Poll(None) | Waits::Nobody => {}
            }));
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        sync::lock(&self.queue)
    }
}

impl Queue {
    /// Takes out what is over: at both ends, and elsewhere once there are many.
    fn forget(&mut self) {
        while self.entries.front().is_some_and(Entry::is_over) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(Entry::is_over) {
            self.entries.pop_back();
        }
        if self.entries.len() > self.most.max(FEW) {
            self.entries.retain(|entry| !entry.is_over());
            self.most = 2 * self.entries.len();
        }
        if self.entries.is_empty() && self.entries.capacity() > MOST_SPARE {
            self.entries = VecDeque::new();
        }
    }

    fn entry(&mut self, number: u64) -> Option<&mut Entry> {
        let found = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number);
        self.entries.get_mut(found.ok()?)
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        match &self.waits {
            Waits::Nobody => true,
            // Neither its caller nor its delivery has it any more.
            Waits::Caller(turn, _) => Arc::strong_count(turn) == 1,
            Waits::Poll(_) => false,
        }
    }
}

impl Deadline {
    /// Whether it is over, and else wakes this then.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut queue = self.deadlines.lock();
        let Some(entry) = queue.entry(self.number) else {
            return Poll::Ready(());
        };
        let before = match &mut entry.waits {
            Waits::Poll(Some(waker)) if waker.will_wake(cx.waker()) => None,
            Waits::Poll(waker) => waker.replace(cx.waker().clone()),
            Waits::Nobody | Waits::Caller(..) => None,
        };
        drop(queue);
        // Only now: it may own a task, whose futures may come back here when they are dropped.
        drop(before);
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let before = {
            let mut queue = self.deadlines.lock();
            let entry = queue.entry(self.number);
            let before = entry.map(|entry| std::mem::replace(&mut entry.waits, Waits::Nobody));
            queue.forget();
            before
        };
        drop(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::future::poll_fn;
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(20);

    /// It is not taken where others had their turn for a ms while the clock was looked at.
    fn begin(deadlines: &Arc<Deadlines>, at: Instant) -> Deadline {
        let taken = (0..1_000).find_map(|_| deadlines.begin(at));
        taken.expect("it is taken")
    }

    fn answer_after(deadlines: &Arc<Deadlines>, within: Duration, turn: &Arc<Turn>) {
        let taken = (0..1_000).any(|_| deadlines.answer_after(runtime::now(), within, turn));
        assert!(taken);
    }

    async fn over(deadline: &Deadline) {
        let over = poll_fn(|cx| deadline.poll(cx));
        timeout(LONG, over).await.expect("it is over in time");
    }

    async fn answered(turn: &Turn) -> Replies {
        let answers = poll_fn(|cx| turn.poll_answers(cx));
        let answers = timeout(LONG, answers).await.expect("an answer in time");
        answers.expect("an answer")
    }

    fn count(deadlines: &Deadlines) -> usize {
        deadlines.lock().entries.len()
    }

    #[tokio::test]
    async fn who_waits_is_told_in_order() {
        let deadlines = Arc::new(Deadlines::default());
        let now = runtime::now();
        let first = begin(&deadlines, now + SHORT);
        let turn = Arc::new(Turn::default());
        answer_after(&deadlines, 2 * SHORT, &turn);
        let last = begin(&deadlines, runtime::now() + 3 * SHORT);
        over(&first).await;
        assert!(runtime::now() >= now + SHORT);
        let error = answered(&turn).await.remove(0).unwrap_err();
        assert!(runtime::now() >= now + 2 * SHORT);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(
            error.to_string().contains("no answer within 40ms"),
            "{error}"
        );
        assert!(turn.is_given_up(), "it need not leave");
        over(&last).await;
        assert!(runtime::now() >= now + 3 * SHORT);
        drop((first, last));
        assert_eq!(count(&deadlines), 0);
        // The task is gone, and another begins.
        over(&begin(&deadlines, runtime::now() + SHORT)).await;
    }

    #[tokio::test]
    async fn what_is_past_is_over_at_once() {
        let deadlines = Arc::new(Deadlines::default());
        let _later = begin(&deadlines, runtime::now() + LONG);
        let past = begin(&deadlines, runtime::now());
        assert!(past.poll(&Context::from_waker(Waker::noop())).is_ready());
        drop(past);
        assert_eq!(count(&deadlines), 1);
    }

    #[tokio::test]
    async fn one_that_would_be_told_too_late_is_not_taken() {
        let deadlines = Arc::new(Deadlines::default());
        let now = runtime::now();
        let first = begin(&deadlines, now + LONG);
        assert!(deadlines.begin(now + SHORT).is_none());
        assert!(!deadlines.answer_after(now, SHORT, &Arc::default()));
        drop(first);
        // Its task sleeps until then, and is woken for this.
        over(&begin(&deadlines, now + SHORT)).await;
        let later = begin(&deadlines, now + LONG + SHORT);
        assert!(deadlines.begin(now + LONG).is_none());
        // As exact as a timer.
        let about = now + LONG + SHORT - TOLERANCE / 2;
        drop(begin(&deadlines, about));
        drop(later);
    }

    #[tokio::test]
    async fn what_is_over_takes_no_room() {
        let deadlines = Arc::new(Deadlines::default());
        let stuck = begin(&deadlines, runtime::now() + LONG);
        let mut last = None;
        for _ in 0..10_000 {
            // The one before it is over only now.
            last = Some(begin(&deadlines, runtime::now() + LONG));
            assert!(count(&deadlines) <= FEW + 2);
        }
        drop((stuck, last));

        let deadlines = Arc::new(Deadlines::default());
        for _ in 0..10_000 {
            let now = runtime::now();
            let polled = begin(&deadlines, now + LONG);
            let turn = Arc::new(Turn::default());
            answer_after(&deadlines, LONG, &turn);
            drop((turn, polled));
            assert!(count(&deadlines) <= 1);
        }
        let held = begin(&deadlines, runtime::now() + LONG);
        let many: Vec<_> = (0..10_000)
            .map(|_| begin(&deadlines, runtime::now() + LONG))
            .collect();
        drop(many);
        assert_eq!(count(&deadlines), 1);
        drop(held);
        assert_eq!(count(&deadlines), 0);
        assert!(deadlines.lock().entries.capacity() <= MOST_SPARE);
    }

    #[tokio::test]
    async fn the_number_of_one_that_is_over_serves_another() {
        let deadlines = Arc::new(Deadlines::default());
        let late = begin(&deadlines, runtime::now());
        over(&late).await;
        let next = begin(&deadlines, runtime::now() + SHORT);
        drop(late);
        assert_eq!(count(&deadlines), 1, "it is not that of who was late");
        over(&next).await;
    }

    #[tokio::test]
    async fn a_waker_that_panics_harms_nobody_else() {
        struct Panics;
        impl std::task::Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("on purpose");
            }
        }
        let deadlines = Arc::new(Deadlines::default());
        let at = runtime::now() + SHORT;
        let (first, second) = (begin(&deadlines, at), begin(&deadlines, at));
        let waker = Waker::from(Arc::new(Panics));
        assert!(first.poll(&Context::from_waker(&waker)).is_pending());
        over(&second).await;
        over(&begin(&deadlines, runtime::now() + SHORT)).await;
    }

    #[tokio::test]
    async fn a_clock_that_a_test_begins_to_hold_is_kept_by_its_own_timers_from_then_on() {
        let deadlines = Arc::new(Deadlines::default());
        let before = begin(&deadlines, runtime::now() + LONG);
        tokio::time::pause();
        tokio::time::advance(LONG).await;
        assert!(deadlines.begin(runtime::now() + LONG).is_none());
        // The same time as before, by a clock that was moved.
        tokio::time::resume();
        assert!(deadlines.begin(runtime::now() + LONG).is_none());
        let less = LONG / 2;
        assert!(!deadlines.answer_after(runtime::now(), less, &Arc::default()));
        drop(before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_a_test_holds_is_kept_by_its_own_timers() {
        let deadlines = Arc::new(Deadlines::default());
        assert!(deadlines.begin(runtime::now() + LONG).is_none());
    }
}
