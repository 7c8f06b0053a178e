//! A flight: who leads, who waits, and whom the end of a load lets go.

use super::departure::{Departure, Ticket};
use super::phase::{CacheClock, Phase};
use super::result::FlightResult;
use super::waiters::{Left, Turn, Waiters};
use crate::cache::liveness::Liveness;
use crate::sync;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// The callers of one key: those who load it, and those who wait for them.
pub(crate) struct Flight {
    flights: u64,
    pub(super) key: Arc<str>,
    state: Mutex<State>,
}

/// What becomes of the waiters when a leader is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// There is something to share, or a value is in the cache: one waiter looks on behalf of those
    /// who came too late for it.
    Landed,
    /// The body failed, in a way that concerns its own caller only: two waiters go. So each failure
    /// doubles the bodies under way, until a source that fails for `n` callers at once has failed
    /// each of them after `log2 n + 1` bodies, one after another; nothing waits for a whole round
    /// to end, or one slow body would hold up all who come after it.
    Failed,
    /// The leader's caller went away, or is not polled: another takes its place.
    Abandoned,
}

pub(super) struct State {
    leaders: Vec<Leading>,
    waiters: Waiters,
    clock: CacheClock,
    /// When a waiter last looked after the leaders.
    looked: Instant,
    /// An invalidation took the flight out of the table: what it loads is not stored.
    detached: bool,
    /// Where an invalidation moved those to who joined after this departure.
    moved: Option<(Departure, Arc<Flight>)>,
}

struct Leading {
    liveness: Arc<Liveness>,
    phase: Phase,
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
    pub(super) fn new(flights: u64, key: Arc<str>, now: Instant) -> Self {
        let state = State {
            leaders: Vec::new(),
            waiters: Waiters::new(),
            clock: CacheClock::start(now),
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
        if let [only] = &**leaders
            && matches!(only.phase, Phase::Called)
            && waiters.take_back(&only.liveness)
        {
            leaders.clear();
        }
        if state.leaders.is_empty() {
            return Joined::Leader(self.lead(&mut state, Phase::Called));
        }
        Joined::Waiter(state.waiters.join(), state.clock.reading(now))
    }

    fn lead(&self, state: &mut State, phase: Phase) -> Arc<Liveness> {
        let liveness = Arc::new(Liveness::new(self.flights, Arc::clone(&self.key)));
        state.leaders.push(Leading {
            liveness: Arc::clone(&liveness),
            phase,
        });
        state.set_clock();
        liveness
    }

    /// Calls waiters to lead; returns whom to wake.
    fn call(&self, state: &mut State, number: usize) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for _ in 0..number {
            let liveness = Arc::new(Liveness::new(self.flights, Arc::clone(&self.key)));
            let Some(waker) = state.waiters.call(&liveness) else {
                break;
            };
            liveness.called(waker.clone());
            wakers.push(waker);
            state.leaders.push(Leading {
                liveness,
                phase: Phase::Called,
            });
        }
        state.set_clock();
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
        if let Some(leading) = state.find(leader) {
            leading.phase = phase(departure);
            state.set_clock();
        }
        departure
    }

    /// The fill of this leader leaves, with the value of the body that it ran.
    pub(super) fn fill_departs(&self, leader: &Arc<Liveness>) -> Departure {
        let mut state = self.state();
        let departure = state.waiters.departure();
        if let Some(leading) = state.find(leader) {
            leading.phase = Phase::Filling(leading.phase.serves());
            state.set_clock();
        }
        departure
    }

    /// Whether the key was invalidated here, or the lead is somebody else's, since it began.
    pub(super) fn is_out_of_date(&self, leader: &Arc<Liveness>) -> bool {
        let mut state = self.state();
        state.detached || state.find(leader).is_none()
    }

    /// Whether anybody waits who joined before this departure.
    pub(super) fn has_waiters(&self) -> bool {
        self.state().waiters.waiting() > 0
    }

    /// Gives this to everybody who joined before the departure; the leader goes on.
    pub(super) fn deliver(&self, leader: &Arc<Liveness>, result: &FlightResult, before: Departure) {
        let mut state = self.state();
        let wakers = match state.find(leader) {
            Some(_) => state.deliver(result, before),
            None => Vec::new(),
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
        if let Some(ended) = state.remove(leader) {
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
                    if let Phase::Called = ended.phase {
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
        let phases = || state.leaders.iter().map(|leading| leading.phase);
        if phases().all(|phase| matches!(phase, Phase::Called)) {
            // An invalidation detaches twice, when it begins and when it is acknowledged. What the
            // first of them started has not left yet, and will see what the invalidation did.
            return Detached::Stays;
        }
        let served = phases().map(Phase::serves).max().unwrap_or_default();
        state.detached = true;
        if !state.waiters.any_after(served) {
            return Detached::Goes;
        }
        let now = Instant::now();
        let next = Self::new(self.flights, Arc::clone(&self.key), now);
        let mut moved = next.state();
        moved.waiters = state.waiters.split_off(served);
        // Goes on where this one is: who moves compares it with what it showed here.
        moved.clock = state.clock;
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
        if !state.clock.is_running() || !state.waiters.is_waiting(ticket) {
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
        self.state().leaders()
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
        state.leaders()
    }

    /// Whether nobody leads and nobody waits.
    pub(super) fn is_idle(&self) -> bool {
        self.state().is_idle()
    }

    /// How many wait, and what the clock of the cache shows if it runs.
    pub(super) fn crowd(&self, now: Instant) -> (usize, Option<Duration>) {
        let state = self.state();
        let clock = state.clock;
        let reading = clock.is_running().then(|| clock.reading(now));
        (state.waiters.waiting(), reading)
    }

    /// What the clock of the cache shows.
    pub(super) fn cache_time(&self, now: Instant) -> Duration {
        self.state().clock.reading(now)
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
    fn leaders(&self) -> Vec<Arc<Liveness>> {
        let leaders = self.leaders.iter();
        leaders.map(|it| Arc::clone(&it.liveness)).collect()
    }

    fn find(&mut self, leader: &Arc<Liveness>) -> Option<&mut Leading> {
        let mut leaders = self.leaders.iter_mut();
        leaders.find(|it| Arc::ptr_eq(&it.liveness, leader))
    }

    fn remove(&mut self, leader: &Arc<Liveness>) -> Option<Leading> {
        let mut leaders = self.leaders.iter();
        let index = leaders.position(|it| Arc::ptr_eq(&it.liveness, leader))?;
        let removed = self.leaders.swap_remove(index);
        self.set_clock();
        Some(removed)
    }

    /// Waiters wait for the cache unless somebody runs a body.
    fn set_clock(&mut self) {
        let is_cache = self.leaders.iter().all(|it| it.phase.is_cache());
        self.clock.run(is_cache);
    }

    fn deliver(&mut self, result: &FlightResult, before: Departure) -> Vec<Waker> {
        let delivered = self.waiters.deliver(result, before);
        for liveness in &delivered.relieved {
            self.remove(liveness);
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

/// See [`Flight::end`].
pub(super) struct Ended {
    pub(super) wakers: Vec<Waker>,
    pub(super) is_over: bool,
}

/// Never with a lock held: a waker may run a task, or drop one.
pub(super) fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        waker.wake();
    }
}
