//! What happened lately, in twenty slots of fifteen seconds. The first event of a slot ends the one before it, by the
//! difference of the counters: nothing is counted twice, and there is no task.

use super::{CacheStats, Durations, LimitStats};
use crate::clock::{Clock, Coarse};
use crate::sync;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, TryLockError};
use std::time::Duration;

/// How many slots are kept, with the one that is not over.
const SLOTS: u64 = 20;

const LENGTH: Duration = Duration::from_secs(15);

const LENGTH_NANOS: u64 = 15_000_000_000;

/// What happened in fifteen seconds, from [`Stats::windows`](super::Stats::windows). Slots begin at multiples of fifteen
/// seconds of the wall clock, so that those of several processes are the same.
///
/// An event belongs to the slot in which the store was asked, or the local tier found the value.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let pond = millpond::Millpond::memory();
/// pond.get::<u32>("user:1").await?;
/// let stats = pond.stats();
/// let misses: u64 = stats.windows().map(|window| window.prefix("user").misses).sum();
/// assert_eq!(misses, 1);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    slot: u64,
    commands: u64,
    prefixes: HashMap<String, Counted>,
    kinds: HashMap<String, LimitStats>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) stats: CacheStats,
    pub(crate) load_times: Durations,
}

impl Window {
    /// How long a window is, if it is over.
    pub const LENGTH: Duration = LENGTH;

    /// When it began, in seconds since the Unix epoch, by the wall clock.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.started().as_secs() % 15 == 0));
    /// ```
    pub fn started(&self) -> Duration {
        Duration::from_nanos(self.slot.saturating_mul(LENGTH_NANOS))
    }

    /// Commands sent to the engine, including retries.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert_eq!(stats.windows().map(|window| window.commands()).sum::<u64>(), 0);
    /// ```
    pub fn commands(&self) -> u64 {
        self.commands
    }

    /// What happened to the keys of one prefix.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.prefix("user").hits == 0));
    /// ```
    pub fn prefix(&self, prefix: &str) -> CacheStats {
        let counted = self.prefixes.get(prefix);
        counted.map(|it| it.stats).unwrap_or_default()
    }

    /// Every prefix to which something happened, in no particular order.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.prefixes().count() == 0));
    /// ```
    pub fn prefixes(&self) -> impl Iterator<Item = (&str, CacheStats)> {
        let prefixes = self.prefixes.iter();
        prefixes.map(|(prefix, counted)| (prefix.as_str(), counted.stats))
    }

    /// How long the bodies took that were run for keys of this prefix.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.load_times("user").count() == 0));
    /// ```
    pub fn load_times(&self, prefix: &str) -> Durations {
        let counted = self.prefixes.get(prefix);
        counted.map(|it| it.load_times.clone()).unwrap_or_default()
    }

    /// What happened at the limits of one kind.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.kind("API").checks == 0));
    /// ```
    pub fn kind(&self, kind: &str) -> LimitStats {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    /// Every kind of limit that was checked, in no particular order.
    ///
    /// ```
    /// let stats = millpond::Millpond::memory().stats();
    /// assert!(stats.windows().all(|window| window.kinds().count() == 0));
    /// ```
    pub fn kinds(&self) -> impl Iterator<Item = (&str, LimitStats)> {
        let kinds = self.kinds.iter();
        kinds.map(|(kind, stats)| (kind.as_str(), *stats))
    }

    pub(crate) fn slot(&self) -> u64 {
        self.slot
    }

    pub(crate) fn counted(&self) -> impl Iterator<Item = (&str, &Counted)> {
        let prefixes = self.prefixes.iter();
        prefixes.map(|(prefix, counted)| (prefix.as_str(), counted))
    }

    fn is_empty(&self) -> bool {
        self.commands == 0 && self.prefixes.is_empty() && self.kinds.is_empty()
    }
}

/// What was counted since the `Millpond` was built.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) commands: u64,
    pub(crate) prefixes: HashMap<String, Counted>,
    pub(crate) kinds: HashMap<String, LimitStats>,
}

impl Totals {
    fn since(&self, earlier: &Self, slot: u64) -> Window {
        let prefixes = self.prefixes.iter().map(|(prefix, now)| {
            let counted = match earlier.prefixes.get(prefix) {
                Some(then) => Counted {
                    stats: now.stats.since(&then.stats),
                    load_times: now.load_times.since(&then.load_times).trimmed(),
                },
                None => Counted {
                    load_times: now.load_times.clone().trimmed(),
                    ..*now
                },
            };
            (prefix, counted)
        });
        let kinds = self.kinds.iter().map(|(kind, now)| {
            let then = earlier.kinds.get(kind).copied().unwrap_or_default();
            (kind, now.since(&then))
        });
        Window {
            slot,
            commands: self.commands.saturating_sub(earlier.commands),
            prefixes: prefixes
                .filter(|(_, it)| *it != Counted::default())
                .map(|(prefix, it)| (prefix.clone(), it))
                .collect(),
            kinds: kinds
                .filter(|(_, it)| *it != LimitStats::default())
                .map(|(kind, it)| (kind.clone(), it))
                .collect(),
        }
    }
}

type Count = Box<dyn Fn() -> Totals + Send + Sync>;

/// The windows of one `Millpond`.
#[derive(Default)]
pub(crate) struct Windows {
    /// When the slot ends, by the coarse monotonic clock in nanoseconds.
    ends: AtomicU64,
    count: OnceLock<Count>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    slot: u64,
    /// As it was when the slot began.
    base: Totals,
    /// Slots that are over and in which something happened; the latest at the end.
    over: VecDeque<Arc<Window>>,
}

impl fmt::Debug for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Windows").finish_non_exhaustive()
    }
}

impl Windows {
    /// Where the totals come from; once.
    pub(crate) fn count_by(&self, count: impl Fn() -> Totals + Send + Sync + 'static) {
        // There is one `Millpond` on a registry.
        let _ = self.count.set(Box::new(count));
    }

    /// Something is about to be counted.
    #[inline]
    pub(crate) fn begin(&self, now: Coarse) {
        if now.monotonic >= self.ends.load(Ordering::Relaxed) {
            self.turn(now);
        }
    }

    #[cold]
    fn turn(&self, now: Coarse) {
        let mut kept = match self.kept.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another one does it.
            Err(TryLockError::WouldBlock) => return,
        };
        if now.monotonic >= self.ends.load(Ordering::Relaxed) {
            self.end_slot(&mut kept, now);
        }
    }

    fn end_slot(&self, kept: &mut Kept, now: Coarse) {
        let Some(count) = self.count.get() else {
            return;
        };
        kept.end(count(), now.wall / LENGTH_NANOS);
        let left = LENGTH_NANOS - now.wall % LENGTH_NANOS;
        let ends = now.monotonic.saturating_add(left);
        self.ends.store(ends, Ordering::Relaxed);
    }

    /// The last slots, the oldest first; those in which nothing happened are left out.
    pub(crate) fn latest(&self, clock: &Clock) -> Vec<Arc<Window>> {
        let now = clock.coarse();
        let slot = now.wall / LENGTH_NANOS;
        let mut kept = sync::lock(&self.kept);
        // Somebody may have set the wall clock, by which slots are told apart.
        if slot != kept.slot || now.monotonic >= self.ends.load(Ordering::Relaxed) {
            self.end_slot(&mut kept, now);
        }
        let current = self
            .count
            .get()
            .map(|count| count().since(&kept.base, slot));
        let current = current.filter(|it| !it.is_empty());
        let over = kept.over.iter().cloned();
        over.chain(current.map(Arc::new)).collect()
    }
}

impl Kept {
    fn end(&mut self, totals: Totals, next: u64) {
        let window = totals.since(&self.base, self.slot);
        if !window.is_empty() {
            self.over.push_back(Arc::new(window));
        }
        self.base = totals;
        self.slot = next;
        // Where the clock was set back, slots lie ahead: they would be counted again.
        self.over
            .retain(|it| it.slot < next && it.slot + SLOTS > next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::pond::Millpond;
    use std::future::Future;

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(test);
    }

    fn pond() -> (Millpond, ManualClock) {
        let clock = ManualClock::new();
        let builder = Millpond::builder().memory().clock(clock.clone());
        (builder.build().unwrap(), clock)
    }

    /// The seconds since the first second of 2026, and the misses.
    fn misses(pond: &Millpond) -> Vec<(u64, u64)> {
        let stats = pond.stats();
        let windows = stats.windows();
        let each = windows.map(|it| {
            let began = it.started().as_secs() - 1_767_225_600;
            (began, it.prefix("user").misses)
        });
        each.collect()
    }

    #[test]
    fn each_slot_has_what_happened_in_it_and_twenty_are_kept() {
        run(async {
            let (pond, clock) = pond();
            for slot in 0..30_u64 {
                for _ in 0..=slot {
                    pond.get::<u32>("user:1").await.unwrap();
                }
                clock.advance(LENGTH);
            }
            let expected: Vec<_> = (11..30).map(|slot| (slot * 15, slot + 1)).collect();
            assert_eq!(misses(&pond), expected);
            clock.advance(LENGTH * 10);
            assert_eq!(misses(&pond), expected[10..]);
            assert_eq!(pond.stats().cache.misses, 30 * 31 / 2);
        });
    }

    #[test]
    fn a_pause_belongs_to_no_slot_and_the_open_one_is_shown() {
        run(async {
            let (pond, clock) = pond();
            pond.get::<u32>("user:1").await.unwrap();
            clock.advance(Duration::from_secs(100));
            pond.get::<u32>("user:1").await.unwrap();
            assert_eq!(misses(&pond), [(0, 1), (90, 1)]);
            pond.get::<u32>("user:1").await.unwrap();
            assert_eq!(misses(&pond), [(0, 1), (90, 2)]);
        });
    }

    #[test]
    fn a_clock_that_jumps_loses_slots_and_counts_none_twice() {
        run(async {
            let (pond, clock) = pond();
            pond.get::<u32>("user:1").await.unwrap();
            clock.advance_wall(Duration::from_secs(60));
            pond.get::<u32>("user:1").await.unwrap();
            // Until the slot is over by the other clock, or somebody looks, they belong to one.
            assert_eq!(misses(&pond), [(0, 2)]);
            pond.get::<u32>("user:1").await.unwrap();
            assert_eq!(misses(&pond), [(0, 2), (60, 1)]);
            clock.set_unix_ms(1_767_225_600_000 + 30_000);
            pond.get::<u32>("user:1").await.unwrap();
            assert_eq!(misses(&pond), [(0, 2)], "what lies ahead is forgotten");
            pond.get::<u32>("user:1").await.unwrap();
            assert_eq!(misses(&pond), [(0, 2), (30, 1)]);
        });
    }
}
