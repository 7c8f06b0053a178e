//! The callers who wait in a flight, in the order in which they joined.

use super::departure::{Departure, Ticket};
use super::result::FlightResult;
use crate::cache::liveness::Liveness;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

/// What one waiter finds when it is polled.
enum Place {
    Waiting(Option<Waker>),
    /// Was called to lead and did not come. It is not called again before it is polled: otherwise
    /// a youngest waiter that is never polled would be called over and over.
    Asleep(Waker),
    /// Leads, and does not know yet.
    Called(Arc<Liveness>),
    Has(FlightResult),
    Gone,
}

/// How a poll of a waiter ends.
pub(super) enum Turn {
    Leads(Arc<Liveness>),
    Has(FlightResult),
    /// Nothing yet. The waker that was replaced is to be dropped without a lock: it may own a task.
    Stays(Option<Waker>),
}

/// Tickets are numbered in a row, so that a waiter's place is found by arithmetic.
pub(super) struct Waiters {
    first: u64,
    places: VecDeque<Place>,
    waiting: usize,
    /// No place from this index on waits to be called.
    callable: usize,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            first: 0,
            places: VecDeque::new(),
            waiting: 0,
            callable: 0,
        }
    }

    /// How many wait for something to happen.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    fn next(&self) -> Ticket {
        Ticket(self.first + self.places.len() as u64)
    }

    /// A step leaves now.
    pub(super) fn departure(&self) -> Departure {
        Departure::before(self.next())
    }

    pub(super) fn join(&mut self) -> Ticket {
        let ticket = self.next();
        self.places.push_back(Place::Waiting(None));
        self.waiting += 1;
        self.callable = self.places.len();
        ticket
    }

    fn index(&self, ticket: Ticket) -> Option<usize> {
        usize::try_from(ticket.0.checked_sub(self.first)?).ok()
    }

    /// What there is for this waiter; without anything, this waker is called as soon as there is.
    pub(super) fn poll(&mut self, ticket: Ticket, waker: &Waker) -> Turn {
        let index = self.index(ticket);
        let Some(place) = index.and_then(|index| self.places.get_mut(index)) else {
            return Turn::Stays(None);
        };
        match place {
            Place::Waiting(Some(known)) if known.will_wake(waker) => Turn::Stays(None),
            Place::Waiting(_) | Place::Asleep(_) => {
                let before = mem::replace(place, Place::Waiting(Some(waker.clone())));
                self.callable = self.callable.max(index.map_or(0, |index| index + 1));
                Turn::Stays(match before {
                    Place::Waiting(waker) => waker,
                    Place::Asleep(waker) => Some(waker),
                    _ => None,
                })
            }
            Place::Called(_) | Place::Has(_) | Place::Gone => match self.leave(ticket) {
                Left::Led(liveness) => Turn::Leads(liveness),
                Left::Had(result) => Turn::Has(result),
                Left::Waited(waker) => Turn::Stays(waker),
            },
        }
    }

    pub(super) fn is_waiting(&self, ticket: Ticket) -> bool {
        let place = self.index(ticket).and_then(|index| self.places.get(index));
        matches!(place, Some(Place::Waiting(_) | Place::Asleep(_)))
    }

    /// Gives up this waiter's place.
    pub(super) fn leave(&mut self, ticket: Ticket) -> Left {
        let place = self
            .index(ticket)
            .and_then(|index| self.places.get_mut(index));
        let left = place.map_or(Place::Gone, |place| mem::replace(place, Place::Gone));
        while let Some(Place::Gone) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
            self.callable = self.callable.saturating_sub(1);
        }
        match left {
            Place::Waiting(waker) => {
                self.waiting -= 1;
                Left::Waited(waker)
            }
            Place::Asleep(waker) => {
                self.waiting -= 1;
                Left::Waited(Some(waker))
            }
            Place::Called(liveness) => Left::Led(liveness),
            Place::Has(result) => Left::Had(result),
            Place::Gone => Left::Waited(None),
        }
    }

    /// Makes the youngest waiter a leader: it has the most of its caller's patience left. Callers
    /// with time-outs who were called by age would each give up during their body, and no load
    /// would ever end.
    pub(super) fn call(&mut self, liveness: &Arc<Liveness>) -> Option<Waker> {
        while let Some(index) = self.callable.checked_sub(1) {
            self.callable = index;
            let Some(place @ Place::Waiting(_)) = self.places.get_mut(index) else {
                continue;
            };
            self.waiting -= 1;
            let called = mem::replace(place, Place::Called(Arc::clone(liveness)));
            return Some(match called {
                Place::Waiting(Some(waker)) => waker,
                _ => Waker::noop().clone(),
            });
        }
        None
    }

    /// Lets a waiter wait again that was called last and has not begun; whether there was one.
    pub(super) fn take_back(&mut self, called: &Arc<Liveness>) -> bool {
        let Some(place) = self.places.get_mut(self.callable) else {
            return false;
        };
        if !matches!(place, Place::Called(liveness) if Arc::ptr_eq(liveness, called)) {
            return false;
        }
        *place = Place::Waiting(Some(called.waker()));
        self.waiting += 1;
        self.callable += 1;
        true
    }

    /// Takes the call back from a waiter that did not come.
    pub(super) fn put_to_sleep(&mut self, called: &Arc<Liveness>) {
        for place in &mut self.places {
            match place {
                Place::Called(liveness) if Arc::ptr_eq(liveness, called) => {
                    *place = Place::Asleep(called.waker());
                    self.waiting += 1;
                    return;
                }
                _ => {}
            }
        }
    }

    /// Gives this to everybody who joined before the departure and has nothing yet, and to who was
    /// called and has not begun; returns whom to wake, and which leads are given up by that.
    pub(super) fn deliver(&mut self, result: &FlightResult, before: Departure) -> Delivered {
        let first = self.first;
        let mut delivered = Delivered::default();
        for (ticket, place) in (first..).map(Ticket).zip(&mut self.places) {
            if !before.is_after(ticket) {
                break;
            }
            if let Place::Has(_) | Place::Gone = place {
                continue;
            }
            match mem::replace(place, Place::Has(result.clone())) {
                Place::Waiting(waker) => {
                    self.waiting -= 1;
                    delivered.wakers.extend(waker);
                }
                Place::Asleep(waker) => {
                    self.waiting -= 1;
                    delivered.wakers.push(waker);
                }
                Place::Called(liveness) => {
                    delivered.wakers.push(liveness.waker());
                    delivered.relieved.push(liveness);
                }
                Place::Has(_) | Place::Gone => {}
            }
        }
        delivered
    }

    /// Lets everybody wait again who was called and has not begun.
    pub(super) fn recall(&mut self) {
        for (index, place) in self.places.iter_mut().enumerate() {
            if let Place::Called(liveness) = place {
                *place = Place::Waiting(Some(liveness.waker()));
                self.waiting += 1;
                self.callable = self.callable.max(index + 1);
            }
        }
    }

    /// Whether somebody waits who joined after this departure.
    pub(super) fn any_after(&self, departure: Departure) -> bool {
        let index = self.index(departure.first_after()).unwrap_or(0);
        self.places
            .iter()
            .skip(index)
            .any(|place| matches!(place, Place::Waiting(_) | Place::Asleep(_)))
    }

    /// Takes away everybody who joined after this departure.
    pub(super) fn split_off(&mut self, departure: Departure) -> Self {
        let first = departure.first_after().0.max(self.first);
        let index = usize::try_from(first - self.first).unwrap_or(usize::MAX);
        let places = self.places.split_off(index.min(self.places.len()));
        let waiting = places
            .iter()
            .filter(|place| matches!(place, Place::Waiting(_) | Place::Asleep(_)))
            .count();
        self.waiting -= waiting;
        self.callable = self.callable.min(self.places.len());
        Self {
            first,
            callable: places.len(),
            places,
            waiting,
        }
    }
}

/// See [`Waiters::deliver`].
#[derive(Default)]
pub(super) struct Delivered {
    pub(super) wakers: Vec<Waker>,
    pub(super) relieved: Vec<Arc<Liveness>>,
}

/// What a waiter leaves behind.
pub(super) enum Left {
    /// The lead, which somebody else must take.
    Led(Arc<Liveness>),
    Had(FlightResult),
    Waited(Option<Waker>),
}
