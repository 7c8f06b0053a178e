//! A flight: who leads, who waits, and whom the end of a load lets go.

use super::departure::{Departure, Ticket};
use super::ending::{Ended, Ending, wake};
use super::leaders::Leaders;
use super::phase::Phase;
use super::result::FlightResult;
use super::waiters::{Left, Turn, Waiters};
use crate::cache::liveness::Liveness;
use crate::runtime::Instant;
use crate::sync;
use bytes::Bytes;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

/// The callers of one key: those who load it, and those who wait for them.
pub(crate) struct Flight {
    flights: u64,
    pub(super) key: Bytes,
    state: Mutex<State>,
}

struct State {
    leaders: Leaders,
    waiters: Waiters,
    /// When a waiter last looked after the leaders.
    looked: Instant,
    /// An invalidation took the flight out of the table: what it loads is not stored.
    detached: bool,
    /// Where an invalidation moved those to who joined after this departure.
    moved: Option<(Departure, Arc<Flight>)>,
}

/// How a poll of a waiter ends.
pub(super) enum Polled {
    Leads(Arc<Liveness>),
    Has(FlightResult),
    Moved(Arc<Flight>),
    Stays,
}

impl Flight {
    /// A flight that nobody is part of yet.
    pub(super) fn new(flights: u64, key: Bytes, now: Instant) -> Self {
        let state = State {
            leaders: Leaders::new(now),
            waiters: Waiters::new(),
            looked: now,
            detached: false,
            moved: None,
        };
        Self {
            flights,
            key,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }

    /// Joins at the end of the line; the reading of the clock says what the caller has waited for
    /// the cache later on. Where nobody leads, the caller does; also where a waiter was called to
    /// lead and has not begun, since the caller is younger, and is being polled.
    pub(super) fn join(&self, now: Instant) -> Joined {
        let mut state = self.state();
        let State {
            leaders, waiters, ..
        } = &mut *state;
        if let Some(called) = leaders.only_called()
            && waiters.take_back(called)
        {
            leaders.clear();
        }
        if state.leaders.is_empty() {
            return Joined::Leader(self.lead(&mut state, Phase::Called));
        }
        Joined::Waiter(state.waiters.join(), state.leaders.clock().reading(now))
    }

    fn lead(&self, state: &mut State, phase: Phase) -> Arc<Liveness> {
        let liveness = Arc::new(Liveness::new(self.flights, self.key.clone()));
        state.leaders.add(Arc::clone(&liveness), phase);
        liveness
    }

    /// The lead of a read that has left before anybody joins, and is woken by this.
    #[cfg(all(
        any(feature = "upstash", feature = "redis"),
        not(target_arch = "wasm32")
    ))]
    pub(super) fn reads(&self, task: Waker) -> Arc<Liveness> {
        let mut state = self.state();
        let departure = state.waiters.departure();
        let liveness = self.lead(&mut state, Phase::Reading(departure));
        drop(state);
        liveness.set_task(task);
        liveness
    }

    /// Calls waiters to lead; returns whom to wake.
    fn call(&self, state: &mut State, number: usize) -> Vec<Waker> {
        let mut wakers = Vec::new();
        // Nearly always nobody waits.
        let number = number.min(state.waiters.waiting());
        for _ in 0..number {
            let liveness = Arc::new(Liveness::new(self.flights, self.key.clone()));
            let Some(waker) = state.waiters.call(&liveness) else {
                break;
            };
            liveness.called(waker.clone());
            wakers.push(waker);
            state.leaders.add(liveness, Phase::Called);
        }
        wakers
    }

    /// A step of this leader leaves.
    pub(super) fn depart(
        &self,
        leader: &Arc<Liveness>,
        phase: fn(Departure) -> Phase,
    ) -> Departure {
        let mut state = self.state();
        let departure = state.waiters.departure();
        state.leaders.step(leader, |_| phase(departure));
        departure
    }

    /// The fill of this leader leaves, with the value of the body that it ran.
    pub(super) fn fill_departs(&self, leader: &Arc<Liveness>) -> Departure {
        let mut state = self.state();
        let departure = state.waiters.departure();
        let filling = |phase: Phase| Phase::Filling(phase.serves());
        state.leaders.step(leader, filling);
        departure
    }

    /// Whether the key was invalidated here, or the lead is somebody else's, since it began.
    pub(super) fn is_out_of_date(&self, leader: &Arc<Liveness>) -> bool {
        let state = self.state();
        state.detached || !state.leaders.has(leader)
    }

    /// Whether anybody waits who joined before this departure.
    pub(super) fn has_waiters(&self) -> bool {
        self.state().waiters.waiting() > 0
    }

    /// Gives this to everybody who joined before the departure; the leader goes on.
    pub(super) fn deliver(&self, leader: &Arc<Liveness>, result: &FlightResult, before: Departure) {
        let mut state = self.state();
        let wakers = if state.leaders.has(leader) {
            state.deliver(result, before)
        } else {
            Vec::new()
        };
        drop(state);
        wake(wakers);
    }

    /// Takes a leader out; whom to wake, and whether the flight is over. Nothing happens if the
    /// lead was somebody else's already.
    pub(super) fn end(
        &self,
        leader: &Arc<Liveness>,
        result: Option<&(FlightResult, Departure)>,
        ending: Ending,
    ) -> Ended {
        let mut state = self.state();
        let mut wakers = Vec::new();
        if let Some(phase) = state.leaders.remove(leader) {
            if let Some((result, before)) = result {
                wakers = state.deliver(result, *before);
            }
            let number = match ending {
                Ending::Landed => {
                    // The first success ends what failures began: the others who lead do so for
                    // themselves from now on.
                    state.leaders.clear();
                    state.waiters.recall();
                    1
                }
                Ending::Failed => 2,
                Ending::Abandoned => {
                    if let Phase::Called = phase {
                        state.waiters.put_to_sleep(leader);
                    }
                    1
                }
            };
            wakers.extend(self.call(&mut state, number));
        }
        Ended {
            wakers,
            is_over: state.is_idle(),
        }
    }

    /// Marks the flight as out of the table, and moves those who cannot count on its leaders to a
    /// flight of their own, which belongs in its place. Here they would wait for a body that is of no
    /// use to them, and then run one whose value is not stored.
    pub(super) fn detach(&self) -> Detached {
        let mut state = self.state();
        if state.leaders.are_all_called() {
            // An invalidation detaches twice, when it begins and when it is acknowledged. What the
            // first of them started has not left yet, and will see what the invalidation did.
            return Detached::Stays;
        }
        let served = state.leaders.serve();
        state.detached = true;
        if !state.waiters.any_after(served) {
            return Detached::Goes;
        }
        let now = Instant::now();
        let next = Self::new(self.flights, self.key.clone(), now);
        let mut moved = next.state();
        moved.waiters = state.waiters.split_off(served);
        // Goes on where this one is: who moves compares it with what it showed here.
        moved.leaders.set_clock(state.leaders.clock());
        let wakers = next.call(&mut moved, 1);
        drop(moved);
        let next = Arc::new(next);
        state.moved = Some((served, Arc::clone(&next)));
        Detached::Replaced(next, wakers)
    }

    pub(super) fn poll(&self, ticket: Ticket, waker: &Waker) -> Polled {
        let mut state = self.state();
        if let Some(next) = state.moved(ticket) {
            return Polled::Moved(next);
        }
        if state.leaders.is_empty() && state.waiters.is_waiting(ticket) {
            // Everybody who could have been called was asleep.
            let left = state.waiters.leave(ticket);
            let liveness = self.lead(&mut state, Phase::Called);
            drop(state);
            drop(left);
            return Polled::Leads(liveness);
        }
        let turn = state.waiters.poll(ticket, waker);
        drop(state);
        match turn {
            Turn::Leads(liveness) => Polled::Leads(liveness),
            Turn::Has(result) => Polled::Has(result),
            Turn::Stays(replaced) => {
                drop(replaced);
                Polled::Stays
            }
        }
    }

    /// Lets this waiter lead beside who leads now, with a body and without the cache, if nobody
    /// runs a body. Everybody else waits for that body then.
    pub(super) fn go_without_the_cache(&self, ticket: Ticket) -> Option<Arc<Liveness>> {
        let mut state = self.state();
        if !state.leaders.clock().is_running() || !state.waiters.is_waiting(ticket) {
            return None;
        }
        let left = state.waiters.leave(ticket);
        let phase = Phase::Body(state.waiters.departure());
        let liveness = self.lead(&mut state, phase);
        drop(state);
        drop(left);
        Some(liveness)
    }

    /// Where this waiter is now, if it was moved.
    pub(super) fn moved(&self, ticket: Ticket) -> Option<Arc<Self>> {
        self.state().moved(ticket)
    }

    /// A waiter goes away, or has been served.
    pub(super) fn leave(&self, ticket: Ticket) -> Leaves {
        let mut state = self.state();
        if let Some(next) = state.moved(ticket) {
            return Leaves::Moved(next);
        }
        let left = state.waiters.leave(ticket);
        let is_over = state.is_idle();
        drop(state);
        match left {
            Left::Led(liveness) => Leaves::Led(liveness),
            Left::Had(_) | Left::Waited(_) if is_over => Leaves::Last,
            Left::Had(_) | Left::Waited(_) => Leaves::Others,
        }
    }

    pub(super) fn leaders(&self) -> Vec<Arc<Liveness>> {
        self.state().leaders.all()
    }

    /// The leaders, for a waiter to look after; none if another did in the time given. To look is to
    /// wake them: one waiter who does is enough, and all of them would be a load.
    pub(super) fn leaders_to_look_after(
        &self,
        now: Instant,
        every: Duration,
    ) -> Vec<Arc<Liveness>> {
        let mut state = self.state();
        if now.saturating_duration_since(state.looked) < every {
            return Vec::new();
        }
        state.looked = now;
        state.leaders.all()
    }

    /// Whether nobody leads and nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.state().is_idle()
    }

    /// How many wait, and what the clock of the cache shows if it runs.
    pub(super) fn crowd(&self, now: Instant) -> (usize, Option<Duration>) {
        let state = self.state();
        let clock = state.leaders.clock();
        let reading = clock.is_running().then(|| clock.reading(now));
        (state.waiters.waiting(), reading)
    }

    /// What the clock of the cache shows.
    pub(super) fn cache_time(&self, now: Instant) -> Duration {
        self.state().leaders.clock().reading(now)
    }
}

impl Drop for Flight {
    /// One after another: each may hold the last handle of the next, and a stack has an end.
    fn drop(&mut self) {
        let mut moved = take_moved(self);
        while let Some(next) = moved {
            moved = Arc::into_inner(next).and_then(|mut next| take_moved(&mut next));
        }
    }
}

fn take_moved(flight: &mut Flight) -> Option<Arc<Flight>> {
    let state = sync::get_mut(&mut flight.state);
    state.moved.take().map(|(_, next)| next)
}

impl State {
    fn deliver(&mut self, result: &FlightResult, before: Departure) -> Vec<Waker> {
        let delivered = self.waiters.deliver(result, before);
        for liveness in &delivered.relieved {
            self.leaders.remove(liveness);
        }
        delivered.wakers
    }

    fn moved(&self, ticket: Ticket) -> Option<Arc<Flight>> {
        let (served, next) = self.moved.as_ref()?;
        (!served.is_after(ticket)).then(|| Arc::clone(next))
    }

    fn is_idle(&self) -> bool {
        self.leaders.is_empty() && self.waiters.waiting() == 0
    }
}

/// What a caller becomes in the flight of its key.
pub(super) enum Joined {
    Leader(Arc<Liveness>),
    Waiter(Ticket, Duration),
}

/// What an invalidation does to a flight.
pub(super) enum Detached {
    /// Nothing: it began after the invalidation.
    Stays,
    Goes,
    /// Another stands in its place; whom to wake.
    Replaced(Arc<Flight>, Vec<Waker>),
}

/// What a waiter leaves behind.
pub(super) enum Leaves {
    /// The lead, which another must take.
    Led(Arc<Liveness>),
    /// Nobody.
    Last,
    Others,
    /// Its place is in this flight.
    Moved(Arc<Flight>),
}
