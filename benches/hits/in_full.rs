//! What a hit in a store promises, by hand, each part in the cheapest way that was found. A miss does no more than the
//! benchmark needs.
//!
//! A hit
//! - asks the circuit breaker before it, and tells it what came of it;
//! - joins the flight of its key: callers of one key share one read, and only those who came before it left;
//! - leaves with all who come in the same turn of the scheduler, as one command; who is alone leaves at once, and polls the
//!   exchange itself, which becomes a task where that caller goes away;
//! - has an end, by the timer of its exchange: who waits for one has come before it left, or has the time of the first who
//!   waits for the next;
//! - is sent again, if it did not arrive, a few times and after pauses that grow and differ. Keys are kept for it, not
//!   bodies;
//! - brings the guard of the value, for the fill that might follow;
//! - looks whether an invalidation of this process is still to be delivered;
//! - looks whether the value is an envelope or stands for null;
//! - counts hits, commands, requests, bytes, and how long the store took.

mod resp;
mod rest;

use crate::contestant::Contestant;
use crate::subject::{User, load};
use bytes::Bytes;
use foldhash::fast::RandomState;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
pub(crate) use resp::Resp;
pub(crate) use rest::Rest;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

pub(crate) const NAME: &str = "its promises by hand";

/// Most keys that leave together.
const MOST: usize = 1_000;
/// Most exchanges under way that have several keys.
const AT_ONCE: usize = 4;
const RETRIES: u32 = 5;
const BACKOFF: Duration = Duration::from_millis(50);

/// What exchanges keys for values.
pub(crate) trait Wire: Send + Sync + 'static {
    /// One exchange.
    fn read(
        &self,
        keys: &[Waiting],
        meter: &Meter,
    ) -> impl Future<Output = Result<Vec<Observed>, Failed>> + Send;
}

/// How a read failed.
pub(crate) enum Failed {
    /// It did not arrive, or the answer did not.
    Lost,
    /// It would fail again.
    Refused,
}

/// The value of a key, and its guard.
#[derive(Clone, Default)]
pub(crate) struct Observed {
    pub(crate) value: Option<Bytes>,
    pub(crate) guard: Option<Bytes>,
}

/// A key whose callers wait, and where they do.
pub(crate) struct Waiting {
    pub(crate) key: Arc<str>,
    place: usize,
}

#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) hits: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    retries: AtomicU64,
    /// How long exchanges took, in two buckets for each doubling.
    times: Times,
}

struct Times([AtomicU64; 128]);

impl Default for Times {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; 128])
    }
}

impl Times {
    fn record(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(2);
        let power = nanos.ilog2();
        let bucket = 2 * power + u32::from(nanos >> (power - 1) & 1 == 1);
        add(&self.0[bucket as usize % 128], 1);
    }
}

pub(crate) fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

/// Closed while `open_until` is 0; in ms since it was made otherwise.
struct Breaker {
    began: Instant,
    failures: AtomicU64,
    open_until: AtomicU64,
}

impl Breaker {
    fn is_closed(&self) -> bool {
        match self.open_until.load(Ordering::Relaxed) {
            0 => true,
            until => self.began.elapsed().as_millis() >= u128::from(until),
        }
    }

    fn hear(&self, reached: bool) {
        if !reached {
            if self.failures.fetch_add(1, Ordering::Relaxed) >= 4 {
                let until = self.began.elapsed().as_millis() + 1_000;
                let until = u64::try_from(until).unwrap_or(u64::MAX);
                self.open_until.store(until, Ordering::Relaxed);
            }
        } else if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.open_until.store(0, Ordering::Relaxed);
        }
    }
}

pub(crate) struct InFull<W>(Arc<Shared<W>>);

struct Shared<W> {
    wire: W,
    patience: Duration,
    breaker: Breaker,
    meter: Meter,
    /// How many invalidations are to be delivered.
    owed: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where the callers of a key wait.
    flights: HashMap<Arc<str>, usize, RandomState>,
    places: Vec<Place>,
    free: Vec<usize>,
    /// What leaves with the next exchange.
    queue: Vec<Waiting>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Whether a task is about to take them.
    boards: bool,
    /// Whether the last task took several.
    gathers: bool,
    under_way: usize,
}

/// Where the callers wait who came before the read of their key left.
#[derive(Default)]
struct Place {
    callers: u32,
    has_left: bool,
    waker: Option<Waker>,
    more: Vec<Waker>,
    outcome: Outcome,
}

#[derive(Clone, Default)]
enum Outcome {
    #[default]
    None,
    Failed,
    Read(Observed),
}

impl<W: Wire> InFull<W> {
    pub(crate) fn new(patience: Duration, wire: W) -> Self {
        Self(Arc::new(Shared {
            wire,
            patience,
            breaker: Breaker {
                began: Instant::now(),
                failures: AtomicU64::new(0),
                open_until: AtomicU64::new(0),
            },
            meter: Meter::default(),
            owed: AtomicU64::new(0),
            state: Mutex::default(),
        }))
    }

    /// The one before it has stored every user.
    pub(crate) fn contestant(self) -> Contestant {
        Contestant::new(NAME, async move |id| self.get(id).await)
    }

    async fn get(&self, id: u64) -> User {
        let mut text = [0; 25];
        text[..5].copy_from_slice(b"hand:");
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(id).as_bytes();
        let end = 5 + digits.len();
        text[5..end].copy_from_slice(digits);
        let key = std::str::from_utf8(&text[..end]).unwrap_or_default();
        let found = match self.0.join(key) {
            Some(call) => call.await,
            None => None,
        };
        let Some(observed) = found else {
            return load(id);
        };
        self.0.opened(&observed).unwrap_or_else(|| {
            // Here what is loaded would be stored, if the guard is the same.
            std::hint::black_box(&observed.guard);
            load(id)
        })
    }
}

impl<W: Wire> Shared<W> {
    /// The user in what was read.
    fn opened(&self, observed: &Observed) -> Option<User> {
        let value = observed.value.as_deref()?;
        if value.starts_with(b"{\"millpond\":") {
            // Here it would be opened; the benchmark stores none.
            return None;
        }
        if value == b"__NULL__" {
            return None;
        }
        let user = serde_json::from_str(std::str::from_utf8(value).ok()?).ok()?;
        add(&self.meter.hits, 1);
        Some(user)
    }

    /// A place among those who wait for this key; nothing if the store is not to be asked.
    fn join(self: &Arc<Self>, key: &str) -> Option<Call<W>> {
        if !self.breaker.is_closed() || self.owed.load(Ordering::Relaxed) != 0 {
            return None;
        }
        let mut state = self.lock();
        if let Some(&place) = state.flights.get(key)
            && let there = &mut state.places[place]
            && !there.has_left
        {
            there.callers += 1;
            return Some(self.call(place, None));
        }
        let place = state.place();
        let key: Arc<str> = key.into();
        state.flights.insert(Arc::clone(&key), place);
        let waiting = Waiting { key, place };
        if state.under_way == 0 && state.queue.is_empty() && !state.gathers {
            state.places[place].has_left = true;
            state.under_way += 1;
            drop(state);
            let exchange = Arc::clone(self).exchange(vec![waiting], Instant::now());
            return Some(self.call(place, Some(exchange.boxed())));
        }
        if state.queue.is_empty() {
            state.since = Some(Instant::now());
        }
        state.queue.push(waiting);
        let boards = state.boards || state.under_way >= AT_ONCE;
        if !boards {
            state.boards = true;
            drop(state);
            tokio::spawn(Arc::clone(self).board());
        }
        Some(self.call(place, None))
    }

    fn call(self: &Arc<Self>, place: usize, exchange: Option<BoxFuture<'static, ()>>) -> Call<W> {
        Call {
            shared: Arc::clone(self),
            place: Some(place),
            exchange,
        }
    }

    /// Takes whoever waits when this first runs.
    async fn board(self: Arc<Self>) {
        let (keys, since) = {
            let mut state = self.lock();
            let mut keys = std::mem::take(&mut state.queue);
            if keys.len() > MOST {
                state.queue = keys.split_off(MOST);
            }
            // A read that nobody waits for is of no use.
            keys.retain(|waiting| !state.forget(waiting));
            for waiting in &keys {
                state.places[waiting.place].has_left = true;
            }
            state.boards = false;
            state.gathers = keys.len() > 1;
            state.under_way += 1;
            (keys, state.since.unwrap_or_else(Instant::now))
        };
        self.exchange(keys, since).await;
    }

    /// Reads these keys, as often as it takes within the time that those have who came at `since`.
    async fn exchange(self: Arc<Self>, keys: Vec<Waiting>, since: Instant) {
        // None if all went away, and then it ends at once.
        let read = timeout_at(since + self.patience, self.attempts(&keys, since));
        let observed = read.await.ok().flatten();
        self.settle(&keys, observed);
    }

    async fn attempts(&self, keys: &[Waiting], since: Instant) -> Option<Vec<Observed>> {
        let mut failures = 0;
        while !keys.is_empty() {
            let result = self.wire.read(keys, &self.meter).await;
            self.breaker.hear(!matches!(result, Err(Failed::Lost)));
            match result {
                Ok(observed) => {
                    self.meter.times.record(since.elapsed());
                    return Some(observed);
                }
                Err(Failed::Lost) if failures < RETRIES => {}
                // One of them may be too large, or what came garbled.
                Err(Failed::Refused) if keys.len() > 1 => {
                    let (first, second) = keys.split_at(keys.len() / 2);
                    let mut observed = Box::pin(self.attempts(first, since)).await?;
                    observed.extend(Box::pin(self.attempts(second, since)).await?);
                    return Some(observed);
                }
                Err(_) => return None,
            }
            let longest = BACKOFF * 2_u32.pow(failures);
            let random = RandomState::default().hash_one(failures);
            let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
            sleep(longest.mul_f64(0.5 + share / 2.0)).await;
            failures += 1;
            add(&self.meter.retries, 1);
        }
        None
    }

    /// Ends the flights of these keys.
    fn settle(self: &Arc<Self>, keys: &[Waiting], observed: Option<Vec<Observed>>) {
        let mut observed = observed.into_iter().flatten();
        let mut wakers = Vec::new();
        let mut state = self.lock();
        for Waiting { key, place } in keys {
            if state.flights.get(key) == Some(place) {
                state.flights.remove(key);
            }
            let there = &mut state.places[*place];
            let outcome = observed.next().map_or(Outcome::Failed, Outcome::Read);
            if there.callers == 0 {
                *there = Place::default();
                state.free.push(*place);
                continue;
            }
            there.outcome = outcome;
            wakers.extend(there.waker.take());
            wakers.append(&mut there.more);
        }
        state.under_way -= 1;
        let boards = !state.queue.is_empty() && !state.boards;
        state.boards |= boards;
        drop(state);
        if boards {
            tokio::spawn(Arc::clone(self).board());
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// One for a first caller.
    fn place(&mut self) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.places[place].callers = 1;
        place
    }

    /// Ends the flight of a key if all its callers went away.
    fn forget(&mut self, Waiting { key, place }: &Waiting) -> bool {
        let is_abandoned = self.places[*place].callers == 0;
        if is_abandoned {
            self.flights.remove(key);
            self.places[*place] = Place::default();
            self.free.push(*place);
        }
        is_abandoned
    }

    /// One caller less, who takes the outcome along.
    fn leave(&mut self, place: usize) -> Option<Observed> {
        let there = &mut self.places[place];
        there.callers -= 1;
        let outcome = if there.callers > 0 {
            there.outcome.clone()
        } else {
            std::mem::take(&mut there.outcome)
        };
        // Where there is no outcome yet, whoever brings it frees the place.
        if there.callers == 0 && !matches!(outcome, Outcome::None) {
            *there = Place::default();
            self.free.push(place);
        }
        match outcome {
            Outcome::Read(observed) => Some(observed),
            Outcome::None | Outcome::Failed => None,
        }
    }
}

/// One caller.
struct Call<W: Wire> {
    shared: Arc<Shared<W>>,
    /// Nothing once it has its answer.
    place: Option<usize>,
    /// Which this caller polls.
    exchange: Option<BoxFuture<'static, ()>>,
}

impl<W: Wire> Future for Call<W> {
    type Output = Option<Observed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(exchange) = &mut this.exchange {
            if exchange.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.exchange = None;
        }
        let Some(place) = this.place else {
            return Poll::Ready(None);
        };
        let mut state = this.shared.lock();
        let there = &mut state.places[place];
        if matches!(there.outcome, Outcome::None) {
            match &mut there.waker {
                Some(waker) if waker.will_wake(cx.waker()) => {}
                Some(_) => there.more.push(cx.waker().clone()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        }
        this.place = None;
        Poll::Ready(state.leave(place))
    }
}

impl<W: Wire> Drop for Call<W> {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            tokio::spawn(exchange);
        }
        if let Some(place) = self.place {
            self.shared.lock().leave(place);
        }
    }
}
