//! One way to get a user, to be measured beside others.

use crate::subject::{Asked, User, load, loads};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    calls: Box<dyn Fn(u64, Asked) + Send + Sync>,
}

/// Awaits what is written there, in the loop itself. Every user is there already, so that nothing has to wait.
macro_rules! awaited {
    ($name:expr, |$id:ident| $get:expr) => {
        $crate::contestant::Contestant::with_calls($name, move |calls, asked| {
            let all = async {
                for call in 0..calls {
                    let $id = std::hint::black_box(asked.id(call));
                    let user: Option<_> = $get;
                    std::hint::black_box(user.unwrap_or_else(|| $crate::subject::load($id)));
                }
            };
            if futures_util::FutureExt::now_or_never(all).is_none() {
                // Counts as a miss.
                $crate::subject::load(0);
            }
        })
    };
}

pub(crate) use awaited;

impl Contestant {
    /// Makes so many calls for these users.
    pub(crate) fn with_calls(
        name: &'static str,
        calls: impl Fn(u64, Asked) + Send + Sync + 'static,
    ) -> Self {
        let calls = Box::new(calls);
        Self { name, calls }
    }

    /// A function that is not async.
    pub(crate) fn sync(
        name: &'static str,
        get: impl Fn(u64) -> Option<Arc<User>> + Send + Sync + 'static,
    ) -> Self {
        Self::with_calls(name, move |calls, asked| {
            for call in 0..calls {
                let id = black_box(asked.id(call));
                black_box(get(id).unwrap_or_else(|| load(id)));
            }
        })
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
