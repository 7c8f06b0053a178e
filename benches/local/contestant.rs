//! One way to get a user, to be measured beside others.

use crate::subject::{Asked, User, load, loads};
use futures_util::FutureExt;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    calls: Box<dyn Fn(u64, Asked) + Send + Sync>,
}

impl Contestant {
    /// Every user is there already, so that nothing has to wait.
    pub(crate) fn new(
        name: &'static str,
        get: impl AsyncFn(u64) -> Option<Arc<User>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            calls: Box::new(move |calls, asked| {
                let all = async {
                    for call in 0..calls {
                        let id = black_box(asked.id(call));
                        black_box(get(id).await.unwrap_or_else(|| load(id)));
                    }
                };
                if all.now_or_never().is_none() {
                    // Counts as a miss.
                    load(0);
                }
            }),
        }
    }

    /// The same of a function that is not async.
    pub(crate) fn sync(
        name: &'static str,
        get: impl Fn(u64) -> Option<Arc<User>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            calls: Box::new(move |calls, asked| {
                for call in 0..calls {
                    let id = black_box(asked.id(call));
                    black_box(get(id).unwrap_or_else(|| load(id)));
                }
            }),
        }
    }

    /// Makes calls that must be hits: a cache that gave up would be fast.
    pub(crate) fn call(&self, calls: u64) {
        let before = loads();
        (self.calls)(calls, Asked::Every);
        assert_eq!(loads(), before, "{} missed", self.name);
    }

    /// How long it takes when so many threads make so many calls each, for the same user.
    pub(crate) fn together(&self, threads: usize, calls: u64) -> Duration {
        let before = loads();
        let barrier = Barrier::new(threads);
        let taken = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let began = Instant::now();
                        (self.calls)(calls, Asked::Same);
                        began.elapsed()
                    })
                })
                .collect();
            let taken = threads.into_iter().map(ScopedJoinHandle::join);
            taken.flatten().max().unwrap_or_default()
        });
        assert_eq!(loads(), before, "{} missed", self.name);
        taken
    }

    /// How often a thousand calls allocate.
    pub(crate) fn allocations(&self) -> usize {
        self.call(1_000);
        let region = Region::new(&INSTRUMENTED_SYSTEM);
        self.call(1_000);
        let change = region.change();
        change.allocations + change.reallocations
    }
}
