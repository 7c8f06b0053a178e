//! A caller who waits for what another loads.

use super::departure::Ticket;
use super::ending::Ending;
use super::leader::Leader;
use super::result::FlightResult;
use super::ring;
use super::state::{Flight, Polled};
use super::table::Table;
use crate::cache::liveness::Liveness;
use crate::runtime::{self, Instant, real_ms};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a waiter looks after its leaders, and how long a leader may be woken but not polled.
const STALL: Duration = Duration::from_millis(100);

/// In a crowd each waiter looks more rarely, or their timers alone would be a load.
const TICK_PER_WAITER: Duration = Duration::from_millis(2);
const MAX_TICK: Duration = Duration::from_secs(10);

/// How often a task goes to the back of the queue before it calls a leader dead, or the cache slow:
/// on a busy runtime what it waits for may only be further back in the queue.
const QUEUES: u32 = 8;

/// How long a call may wait: in all for others, and for the cache, be it in a flight or by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) until: Instant,
    pub(crate) cache: Duration,
}

/// How a wait ended.
pub(crate) enum Waited {
    Shared(FlightResult),
    /// The lead is here now.
    Leads(Leader),
    /// Too long, or for oneself; go alone.
    GoesAlone,
}

/// A place in somebody else's flight.
pub(crate) struct Waiter {
    table: Arc<Table>,
    flight: Arc<Flight>,
    ticket: Ticket,
    /// What the clock of the cache showed when the caller joined.
    joined: Duration,
    /// Whether the place has been left.
    done: bool,
}

impl Waiter {
    pub(super) fn new(
        table: Arc<Table>,
        flight: Arc<Flight>,
        ticket: Ticket,
        joined: Duration,
    ) -> Self {
        Self {
            table,
            flight,
            ticket,
            joined,
            done: false,
        }
    }

    /// Waits until there is something to do, while there is patience. Cancel safe.
    pub(crate) async fn wait(mut self, patience: &mut Patience) -> Waited {
        let Some(_known) = ring::enter(&self.flight, self.ticket) else {
            return Waited::GoesAlone;
        };
        let allowed = patience.cache;
        loop {
            let now = Instant::now();
            let (crowd, cache) = self.flight.crowd(now);
            let waited = cache.map(|cache| cache.saturating_sub(self.joined));
            let left = waited.map_or(Duration::MAX, |waited| allowed.saturating_sub(waited));
            let until = patience.until.saturating_duration_since(now);
            if until.is_zero() {
                return self.polled_once().await.unwrap_or(Waited::GoesAlone);
            }
            let limit = until.min(left).min(self.tick(crowd));
            let waited = runtime::timeout(limit, poll_fn(|cx| self.poll(cx))).await;
            let now = Instant::now();
            patience.cache = allowed.saturating_sub(self.waited_for_cache(now));
            match waited {
                Some(waited) => return waited,
                None if patience.cache.is_zero() => {
                    if let Some(waited) = self.without_the_cache().await {
                        return waited;
                    }
                }
                None if now < patience.until => self.look_after_leaders().await,
                None => {}
            }
        }
    }

    /// When to look after the leaders. Spread by the golden ratio, so that waiters who joined at the
    /// same time look at times that differ, without a random number for each.
    fn tick(&self, crowd: usize) -> Duration {
        let spread = self.ticket.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let fraction = f64::from(u32::try_from(spread).unwrap_or(0)) / f64::from(u32::MAX);
        let crowd = u32::try_from(crowd).unwrap_or(u32::MAX);
        let longest = TICK_PER_WAITER.saturating_mul(crowd).min(MAX_TICK);
        STALL + longest.mul_f64(fraction)
    }

    fn waited_for_cache(&self, now: Instant) -> Duration {
        self.flight.cache_time(now).saturating_sub(self.joined)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Waited> {
        loop {
            return match self.flight.poll(self.ticket, cx.waker()) {
                Polled::Stays => Poll::Pending,
                Polled::Has(result) => {
                    self.done = true;
                    Poll::Ready(Waited::Shared(result))
                }
                Polled::Leads(liveness) => Poll::Ready(self.lead(liveness)),
                Polled::Moved(next) => {
                    self.flight = next;
                    continue;
                }
            };
        }
    }

    fn lead(&mut self, liveness: Arc<Liveness>) -> Waited {
        self.done = true;
        let (table, flight) = (Arc::clone(&self.table), Arc::clone(&self.flight));
        Waited::Leads(Leader::new(table, flight, liveness))
    }

    /// What is there without waiting.
    async fn polled_once(&mut self) -> Option<Waited> {
        poll_fn(|cx| {
            Poll::Ready(match self.poll(cx) {
                Poll::Ready(waited) => Some(waited),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// The cache keeps everybody waiting, and this caller may wait for it no longer.
    async fn without_the_cache(&mut self) -> Option<Waited> {
        for _ in 0..QUEUES {
            tokio::task::yield_now().await;
            if let Some(waited) = self.polled_once().await {
                return Some(waited);
            }
        }
        let liveness = self.flight.go_without_the_cache(self.ticket)?;
        Some(self.lead(liveness))
    }

    /// Deposes leaders that were woken and are not polled; wakes the others to see whether they
    /// still can be.
    async fn look_after_leaders(&self) {
        let leaders = self.flight.leaders_to_look_after(Instant::now(), STALL);
        for leader in leaders {
            if !leader.is_stalled(STALL) {
                leader.wake_to_see();
                continue;
            }
            let began = real_ms();
            runtime::requeue(STALL).await;
            for _ in 0..QUEUES {
                tokio::task::yield_now().await;
            }
            let passed = Duration::from_millis(real_ms() - began);
            // Where one way through the queues takes so long, the leader may be behind a longer one.
            if leader.is_stalled(STALL.max(passed * QUEUES)) {
                self.table
                    .end(&self.flight, &leader, None, Ending::Abandoned);
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.table.leave(Arc::clone(&self.flight), self.ticket);
    }
}
