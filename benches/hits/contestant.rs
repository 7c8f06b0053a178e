//! One way to get a user, to be measured beside others.

use crate::subject::{USERS, User, expected, loads};
use futures_util::future::{LocalBoxFuture, join_all};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};
use std::hint::black_box;
use std::rc::Rc;

/// Coprime with the number of users, so that neighbours in time are none in memory.
const STRIDE: u64 = 379;

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    work: Box<Work>,
}

type Work = dyn Fn(Task) -> LocalBoxFuture<'static, ()>;

enum Task {
    /// Every user twice, with a look at what comes back.
    Fill,
    /// So many calls, so many at a time.
    Call(u64, usize),
}

impl Contestant {
    pub(crate) fn new(name: &'static str, get: impl AsyncFn(u64) -> User + 'static) -> Self {
        let get = Rc::new(get);
        let work = move |task| -> LocalBoxFuture<'static, ()> {
            let get = Rc::clone(&get);
            Box::pin(async move {
                match task {
                    Task::Fill => fill(&*get).await,
                    Task::Call(calls, 1) => call(&*get, calls).await,
                    Task::Call(calls, at_once) => call_together(&*get, calls, at_once).await,
                }
            })
        };
        Self {
            name,
            work: Box::new(work),
        }
    }

    pub(crate) async fn fill(&self) {
        (self.work)(Task::Fill).await;
    }

    /// Makes calls that must be hits: a cache that gave up would be fast.
    pub(crate) async fn call(&self, calls: u64, at_once: usize) {
        let before = loads();
        (self.work)(Task::Call(calls, at_once)).await;
        assert_eq!(loads(), before, "{} missed", self.name);
    }

    /// Allocations of one call, and their bytes.
    pub(crate) async fn allocations(&self, calls: u64, at_once: usize) -> (u64, u64) {
        self.call(calls, at_once).await;
        let region = Region::new(&INSTRUMENTED_SYSTEM);
        self.call(calls, at_once).await;
        let change = region.change();
        let count = change.allocations + change.reallocations;
        let bytes = change.bytes_allocated;
        (count as u64 / calls, bytes as u64 / calls)
    }
}

async fn fill(get: &impl AsyncFn(u64) -> User) {
    for id in (0..USERS).chain(0..USERS) {
        assert_eq!(get(id).await, expected(id));
    }
}

fn id(call: u64) -> u64 {
    black_box(call * STRIDE % USERS)
}

async fn call(get: &impl AsyncFn(u64) -> User, calls: u64) {
    for call in 0..calls {
        black_box(get(id(call)).await);
    }
}

async fn call_together(get: &impl AsyncFn(u64) -> User, calls: u64, at_once: usize) {
    for first in (0..calls).step_by(at_once) {
        let together = (first..first + at_once as u64).map(|call| get(id(call)));
        black_box(join_all(together).await);
    }
}
