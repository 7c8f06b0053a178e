//! A delivery that its caller polls, since it carries nothing of anybody else's: no task, no second timer, no waking of
//! one by the other. It goes on as a task where the caller goes away, is late, or keeps others from leaving.

use crate::runtime::RuntimeHandle;
use crate::store::boxes::{Delivering, to_its_end};
use crate::store::turn::Turn;
use crate::sync;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

pub(super) struct Attended {
    state: Mutex<State>,
    turn: Arc<Turn>,
    /// Its connections belong to this runtime, wherever the caller is polled.
    runtime: RuntimeHandle,
}

enum State {
    /// Between two polls; the last of them, if there was one, left what wakes the caller. Nothing else does: answers that
    /// the caller gives to itself would wake it for nothing.
    Here(Delivering, Option<Waker>),
    /// Being polled, which happens without the lock: what it wakes may do anything.
    Polled,
    /// To be a task as soon as that poll is over.
    Claimed,
    /// Over, or a task.
    Gone,
}

impl Attended {
    /// The delivery of this turn, which keeps the time as long as it is here.
    pub(super) fn new(delivery: Delivering, turn: Arc<Turn>) -> Self {
        turn.keep_time(true);
        Self {
            state: Mutex::new(State::Here(delivery, None)),
            turn,
            runtime: RuntimeHandle::here(),
        }
    }

    pub(super) fn is_of(&self, turn: &Arc<Turn>) -> bool {
        Arc::ptr_eq(&self.turn, turn)
    }

    /// Goes on with it. Whether there is nothing more to be polled here.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> bool {
        let State::Here(mut delivery, _) = self.replace(State::Polled) else {
            self.replace(State::Gone);
            return true;
        };
        if !self.runtime.is_current() {
            self.replace(State::Gone);
            self.go_on(delivery);
            return true;
        }
        // As in a task: a panic of the client of HTTP or of Redis is not one of the caller's.
        let polled = catch_unwind(AssertUnwindSafe(|| delivery.as_mut().poll(cx)));
        let is_pending = matches!(polled, Ok(Poll::Pending));
        let mut state = sync::lock(&self.state);
        match &*state {
            State::Polled if is_pending => {
                *state = State::Here(delivery, Some(cx.waker().clone()));
                return false;
            }
            State::Claimed if is_pending => {
                *state = State::Gone;
                drop(state);
                self.go_on(delivery);
            }
            _ => {
                *state = State::Gone;
                drop(state);
                if let Ok(Poll::Ready(())) = polled {
                    delivery.give_back();
                }
            }
        }
        true
    }

    /// Makes a task of it, for others who wait.
    pub(super) fn claim(&self) {
        wake(self.leave());
    }

    /// Makes a task of it; what wakes the caller comes back.
    pub(super) fn leave(&self) -> Option<Waker> {
        let mut state = sync::lock(&self.state);
        match std::mem::replace(&mut *state, State::Gone) {
            State::Here(delivery, waker) => {
                drop(state);
                self.go_on(delivery);
                waker
            }
            State::Polled | State::Claimed => {
                *state = State::Claimed;
                None
            }
            State::Gone => None,
        }
    }

    /// Drops it: the runtime is gone.
    pub(super) fn end(&self) {
        if let State::Here(delivery, waker) = self.replace(State::Gone) {
            drop(delivery);
            wake(waker);
        }
    }

    fn go_on(&self, delivery: Delivering) {
        self.turn.keep_time(false);
        self.runtime.spawn_there(to_its_end(delivery));
    }

    fn replace(&self, state: State) -> State {
        std::mem::replace(&mut *sync::lock(&self.state), state)
    }
}

/// From now on the caller waits for answers that others give it.
fn wake(caller: Option<Waker>) {
    if let Some(caller) = caller {
        caller.wake();
    }
}
