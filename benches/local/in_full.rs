//! What a hit in the local tier promises, by hand on `quick_cache`: one table for the values of all functions, whatever
//! their types; a lifetime by two coarse clocks, so that neither a clock that is set nor a process that is frozen
//! keeps a value alive; a count of hits that no other thread writes; the cache that the caller runs in, and what it asked
//! for; whether a value may be used without asking anybody. No bound in bytes, no single flight, no invalidation: a hit
//! does nothing for those.

use crate::Outcome;
use crate::subject::{USERS, User, load};
use quick_cache::{Equivalent, UnitWeighter};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::any::Any;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The number of the function here.
const FUNCTION: u32 = 1;

static CURRENT: OnceLock<InFull> = OnceLock::new();

thread_local! {
    /// Whether another cache is around this call.
    static SCOPED: Cell<bool> = const { Cell::new(false) };
    /// Whether the caller asked for a refresh, for a call around the cache, or for what the call came to.
    static ASKED: Cell<bool> = const { Cell::new(false) };
    static HITS: &'static AtomicU64 = Box::leak(Box::default());
}

#[derive(Clone)]
struct Kept {
    value: Arc<dyn Any + Send + Sync>,
    stored: Time,
    life: i64,
    /// Whether it has tags, or other processes may have changed it.
    is_checked: bool,
}

/// By the wall clock and the monotonic one, in nanoseconds.
#[derive(Clone, Copy)]
struct Time {
    wall: i64,
    monotonic: i64,
}

impl Time {
    /// The monotonic clock is read when the other one has moved.
    fn coarse() -> Self {
        static WALL: AtomicI64 = AtomicI64::new(0);
        static MONOTONIC: AtomicI64 = AtomicI64::new(0);
        let wall = nanos(clock_gettime(ClockId::RealtimeCoarse));
        if WALL.load(Ordering::Acquire) != wall {
            let monotonic = nanos(clock_gettime(ClockId::MonotonicCoarse));
            MONOTONIC.store(monotonic, Ordering::Relaxed);
            WALL.store(wall, Ordering::Release);
        }
        Self {
            wall,
            monotonic: MONOTONIC.load(Ordering::Relaxed),
        }
    }

    /// By the clock that says more.
    fn since(self, then: Self) -> i64 {
        (self.wall - then.wall).max(self.monotonic - then.monotonic)
    }
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[derive(PartialEq, Eq)]
struct Name {
    function: u32,
    key: Box<[u8]>,
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (function, key) = (self.function, &*self.key);
        Sought { function, key }.hash(state);
    }
}

struct Sought<'a> {
    function: u32,
    key: &'a [u8],
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.function);
        state.write(self.key);
    }
}

impl Equivalent<Name> for Sought<'_> {
    fn equivalent(&self, name: &Name) -> bool {
        self.function == name.function && *self.key == *name.key
    }
}

struct InFull(quick_cache::sync::Cache<Name, Kept, UnitWeighter, foldhash::fast::RandomState>);

/// Every user is there afterwards.
pub(crate) fn fill(bound: u64, ttl: Duration) -> Outcome {
    let cache = quick_cache::sync::Cache::with(
        10_000,
        bound,
        UnitWeighter,
        foldhash::fast::RandomState::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    );
    for id in 0..USERS {
        let name = Name {
            function: FUNCTION,
            key: format!("user:{id}").into_bytes().into(),
        };
        let kept = Kept {
            value: load(id),
            stored: Time::coarse(),
            life: i64::try_from(ttl.as_nanos())?,
            is_checked: false,
        };
        cache.insert(name, kept);
    }
    CURRENT
        .set(InFull(cache))
        .map_err(|_| "it is filled once".into())
}

/// A hit, by a key that is rendered on the stack.
#[inline]
pub(crate) fn get(key: &[u8]) -> Option<Arc<User>> {
    if SCOPED.get() || ASKED.get() {
        return None;
    }
    let function = FUNCTION;
    let kept = CURRENT.get()?.0.get(&Sought { function, key })?;
    if kept.is_checked || Time::coarse().since(kept.stored) >= kept.life {
        return None;
    }
    HITS.with(|hits| hits.store(hits.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
    kept.value.downcast().ok()
}
