//! Single flight: one load per key and process. Every caller joins the flight of its key; the
//! first leads, the others wait, and a leader that goes away or stalls hands over.
//!
//! A result is shared only with callers who cannot have seen a newer state of the world: each
//! departure (the read, the body, the fill) moves a count, and a result carries the count up to
//! which it may be shared. Whoever came later starts again, all of them in one new flight.

use super::pulse::{Pulse, Watch, Watched};
use crate::random;
use crate::runtime;
use bytes::Bytes;
use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often a waiter looks after its leader, and how long a leader may be woken but not polled.
pub(crate) const STALL: Duration = Duration::from_millis(100);

/// A crowd of waiters looks more rarely: one of them is enough, and all of them would be a load.
const TICK_PER_WAITER: Duration = Duration::from_millis(2);
const MAX_TICK: Duration = Duration::from_secs(10);

/// How often a task goes to the back of the queue before it calls a leader dead.
const QUEUES: usize = 8;

/// The most bodies of one key at a time after its loads failed.
const MAX_WAVE: u32 = 32;

const SHARDS: usize = 32;

/// An error of the function's own type, for waiters to clone.
pub(crate) type SharedError = Arc<Mutex<dyn Any + Send>>;

/// What a flight came to.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// The plain form of a value.
    Value(Bytes),
    /// An error that can be cloned.
    Error(SharedError),
}

#[derive(Clone)]
struct Landing {
    /// For whom: callers who joined while the count was below.
    outcome: Option<(Outcome, usize)>,
    /// Where the others are now; without it they look the key up again.
    next: Option<Arc<Flight>>,
}

/// One attempt to get the value of a key, by at most `width` leaders.
pub(crate) struct Flight {
    key: Arc<str>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Leaders allowed in all; more than one only after failures.
    width: u32,
    /// Bodies per wave that the next flight may run if this one fails.
    next_width: u32,
    started: u32,
    leaders: Vec<Arc<Pulse>>,
    /// Waiters by the count of departures at which they joined; its length is that count plus one.
    waiting: Vec<usize>,
    landed: Option<Landing>,
    /// An invalidation took the flight out of the table.
    detached: bool,
}

impl Flight {
    fn new(key: Arc<str>, width: u32, next_width: u32, waiting: usize) -> Arc<Self> {
        let state = State {
            width,
            next_width,
            started: 0,
            leaders: Vec::new(),
            waiting: vec![waiting],
            landed: None,
            detached: false,
        };
        Arc::new(Self {
            key,
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&self) -> usize {
        self.waiting.len() - 1
    }

    fn idle(&self) -> bool {
        self.leaders.is_empty() && self.waiting.iter().all(|&n| n == 0)
    }

    fn claim(&mut self, flights: &Arc<Flights>, flight: &Arc<Flight>) -> Option<Lease> {
        if self.landed.is_some() || self.detached || self.started >= self.width {
            return None;
        }
        let pulse = Arc::new(Pulse::new(flights.id, Arc::clone(&flight.key)));
        self.started += 1;
        self.leaders.push(Arc::clone(&pulse));
        Some(Lease {
            flights: Arc::clone(flights),
            flight: Arc::clone(flight),
            pulse,
            done: false,
        })
    }

    fn remove_leader(&mut self, pulse: &Arc<Pulse>) -> bool {
        let before = self.leaders.len();
        self.leaders.retain(|leader| !Arc::ptr_eq(leader, pulse));
        self.leaders.len() < before
    }
}

type Shard = HashMap<Arc<str>, Arc<Flight>>;

/// The flights under way in one `Millpond`.
pub(crate) struct Flights {
    id: u64,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Flights {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            id: random::random_u64(),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task that is being polled leads this key: it must not wait for itself.
    pub(crate) fn leads(&self, key: &str) -> bool {
        super::pulse::leads(self.id, key)
    }

    /// Whether a call is looking this key up, or loading it.
    pub(crate) fn is_loading(&self, key: &str) -> bool {
        self.shard(key).contains_key(key)
    }

    /// Leads the flight of this key, or waits in it.
    pub(crate) fn join(self: &Arc<Self>, key: &str) -> Role {
        let mut shard = self.shard(key);
        let flight = if let Some(flight) = shard.get(key) {
            Arc::clone(flight)
        } else {
            let name: Arc<str> = key.into();
            let flight = Flight::new(Arc::clone(&name), 1, 1, 0);
            shard.insert(name, Arc::clone(&flight));
            flight
        };
        let mut state = flight.state();
        if let Some(lease) = state.claim(self, &flight) {
            return Role::Lead(lease);
        }
        let joined = state.count();
        state.waiting[joined] += 1;
        drop(state);
        drop(shard);
        Role::Wait(Waiter {
            flights: Arc::clone(self),
            flight,
            joined,
        })
    }

    /// Takes the flight of this key out of the table: who comes from now on starts anew, and what
    /// the flight loads is not stored.
    pub(crate) fn detach(&self, key: &str) {
        let flight = self.shard(key).remove(key);
        if let Some(flight) = flight {
            flight.state().detached = true;
            flight.changed.notify_waiters();
        }
    }

    /// Takes every flight out of the table whose key this holds for.
    pub(crate) fn detach_where(&self, matches: impl Fn(&str) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for (_, flight) in shard.extract_if(|key, _| matches(key)) {
                flight.state().detached = true;
                flight.changed.notify_waiters();
            }
        }
    }

    /// Ends a flight. Waiters for whom there is nothing are moved to a new one, which stands in
    /// the table before anybody else can join, so that a single read serves them all.
    fn land(&self, flight: &Arc<Flight>, outcome: Option<(Outcome, usize)>, width: (u32, u32)) {
        let mut shard = self.shard(&flight.key);
        let mut state = flight.state();
        if state.landed.is_some() {
            return;
        }
        let before = outcome.as_ref().map_or(0, |(_, before)| *before);
        let left: usize = state.waiting.iter().skip(before).sum();
        let current = shard
            .get(&flight.key)
            .is_some_and(|there| Arc::ptr_eq(there, flight));
        let mut next = None;
        if current {
            shard.remove(&flight.key);
            if left > 0 {
                let flight = Flight::new(Arc::clone(&flight.key), width.0, width.1, left);
                shard.insert(Arc::clone(&flight.key), Arc::clone(&flight));
                next = Some(flight);
            }
        }
        state.landed = Some(Landing { outcome, next });
        drop(state);
        drop(shard);
        flight.changed.notify_waiters();
    }

    /// Removes a flight that nobody leads and nobody waits for.
    fn tidy(&self, flight: &Arc<Flight>) {
        let mut shard = self.shard(&flight.key);
        let unused = flight.state().idle();
        if unused
            && shard
                .get(&flight.key)
                .is_some_and(|there| Arc::ptr_eq(there, flight))
        {
            shard.remove(&flight.key);
        }
    }

    /// How many flights are under way.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|s| s.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }
}

/// What a caller is in the flight of its key.
pub(crate) enum Role {
    Lead(Lease),
    Wait(Waiter),
}

/// The right, and the duty, to get the value. Dropping it hands over to a waiter.
pub(crate) struct Lease {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    pulse: Arc<Pulse>,
    done: bool,
}

impl Lease {
    /// Runs a step of the load so that waiters see whether it is being polled.
    pub(crate) fn watch<F: Future>(&self, step: F) -> Watched<F> {
        Watched::new(Arc::clone(&self.pulse), step)
    }

    /// The same for the body, which is polled by whoever knows its type.
    pub(crate) fn watch_body(&self) -> Watch {
        Watch::new(Arc::clone(&self.pulse))
    }

    /// Marks a departure. Callers who joined while the count was below what comes back may share
    /// what is learned from here on.
    pub(crate) fn depart(&self) -> usize {
        let mut state = self.flight.state();
        state.waiting.push(0);
        state.count()
    }

    /// Whether the key was invalidated here, or the lead was taken over, since the flight began.
    pub(crate) fn is_detached(&self) -> bool {
        let state = self.flight.state();
        state.detached
            || !state
                .leaders
                .iter()
                .any(|leader| Arc::ptr_eq(leader, &self.pulse))
    }

    /// Ends the flight with something to share, up to a departure.
    pub(crate) fn share(mut self, outcome: Outcome, before: usize) {
        self.done = true;
        if self.resign() {
            self.flights
                .land(&self.flight, Some((outcome, before)), (1, 1));
        }
    }

    /// Ends the flight with nothing to share: the waiters start again with a read.
    pub(crate) fn restart(mut self) {
        self.done = true;
        if self.resign() {
            self.flights.land(&self.flight, None, (1, 1));
        }
    }

    /// The load failed. When the last leader fails, the waiters run bodies of their own, in waves.
    pub(crate) fn fail(mut self) {
        self.done = true;
        if !self.resign() {
            return;
        }
        let state = self.flight.state();
        let width = state.next_width;
        let over = state.leaders.is_empty()
            && (state.started >= state.width || state.waiting.iter().all(|&n| n == 0));
        drop(state);
        if over {
            let next = (width * 2).min(MAX_WAVE);
            self.flights.land(&self.flight, None, (width, next));
        }
    }

    /// Leaves the list of leaders; false when a waiter took over before.
    fn resign(&self) -> bool {
        self.flight.state().remove_leader(&self.pulse)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.done && self.resign() {
            hand_over(&self.flights, &self.flight);
        }
    }
}

/// Gives a leader's place back and wakes who may take it.
fn hand_over(flights: &Flights, flight: &Arc<Flight>) {
    flight.state().started -= 1;
    flight.changed.notify_waiters();
    flights.tidy(flight);
}

/// A place in somebody else's flight.
pub(crate) struct Waiter {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    joined: usize,
}

/// How a wait ended.
pub(crate) enum Waited {
    Shared(Outcome),
    /// The lead is here now.
    Lead(Lease),
    /// Look the key up again.
    Again,
    /// Too long; go alone.
    GaveUp,
}

impl Waiter {
    /// Waits until there is something to do, no longer than `limit`. Cancel safe.
    pub(crate) async fn wait(mut self, limit: Duration) -> Waited {
        let start = tokio::time::Instant::now();
        loop {
            let flight = Arc::clone(&self.flight);
            let mut changed = std::pin::pin!(flight.changed.notified());
            changed.as_mut().enable();
            match self.look() {
                Look::Done(waited) => return waited,
                Look::Moved => continue,
                Look::Stay => {}
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Waited::GaveUp;
            }
            let tick = STALL + random::up_to((TICK_PER_WAITER * self.crowd()).min(MAX_TICK));
            if runtime::timeout(left.min(tick), changed).await.is_none() {
                self.look_after_leaders().await;
            }
        }
    }

    /// How many wait here.
    fn crowd(&self) -> u32 {
        let waiting: usize = self.flight.state().waiting.iter().sum();
        u32::try_from(waiting).unwrap_or(u32::MAX)
    }

    fn look(&mut self) -> Look {
        let flight = Arc::clone(&self.flight);
        let mut state = flight.state();
        if let Some(landing) = &state.landed {
            if let Some((outcome, before)) = &landing.outcome
                && self.joined < *before
            {
                return Look::Done(Waited::Shared(outcome.clone()));
            }
            let Some(next) = &landing.next else {
                return Look::Done(Waited::Again);
            };
            self.flight = Arc::clone(next);
            self.joined = 0;
            return Look::Moved;
        }
        if state.detached && state.leaders.is_empty() {
            return Look::Done(Waited::Again);
        }
        match state.claim(&self.flights, &flight) {
            Some(lease) => Look::Done(Waited::Lead(lease)),
            None => Look::Stay,
        }
    }

    /// Deposes leaders that were woken and are not polled; wakes the others to see whether they
    /// still can be.
    async fn look_after_leaders(&self) {
        let leaders = self.flight.state().leaders.clone();
        for leader in leaders {
            if !leader.is_stalled(STALL) {
                leader.poke();
                continue;
            }
            // On a busy runtime the leader may only be further back in the queue than this task.
            for _ in 0..QUEUES {
                tokio::task::yield_now().await;
            }
            if leader.is_stalled(STALL) && self.flight.state().remove_leader(&leader) {
                hand_over(&self.flights, &self.flight);
            }
        }
    }
}

enum Look {
    Done(Waited),
    Moved,
    Stay,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // A waiter may have been moved to the next flight, and the next, without having noticed.
        let mut flight = Arc::clone(&self.flight);
        let mut joined = self.joined;
        loop {
            let mut state = flight.state();
            let next = match &state.landed {
                None => {
                    if let Some(waiting) = state.waiting.get_mut(joined) {
                        *waiting = waiting.saturating_sub(1);
                    }
                    break;
                }
                Some(Landing {
                    outcome: Some((_, before)),
                    ..
                }) if joined < *before => break,
                Some(Landing { next: None, .. }) => break,
                Some(Landing {
                    next: Some(next), ..
                }) => Arc::clone(next),
            };
            drop(state);
            flight = next;
            joined = 0;
        }
        self.flights.tidy(&flight);
    }
}
