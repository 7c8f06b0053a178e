//! Counters that several threads raise at once, each in a lane of its own.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Lanes that several threads share, for those that come when all others are taken.
const SHARED: usize = 8;
/// Lanes that one thread at a time has to itself, one for each bit of [`TAKEN`].
const OWN: usize = 56;
const LANES: usize = SHARED + OWN;
/// So many counters of one lane lie together, on cache lines that belong to the lane.
const TOGETHER: usize = 64;
const CHUNKS: usize = 64;
/// The last number, which functions share where a program has more of them.
pub(super) const LAST: u32 = 4_095;
const _: () = assert!(LAST as usize + 1 == CHUNKS * TOGETHER);

pub(super) struct Lanes {
    chunks: [OnceLock<Box<[AtomicU64]>>; CHUNKS],
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            chunks: std::array::from_fn(|_| OnceLock::new()),
        }
    }
}

/// Which lanes have a thread.
static TAKEN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Apart, since it has a destructor, which the path of a hit need not know of.
    static TAKES: Takes = const { Takes(Cell::new(None)) };
}

/// The lane that this thread has to itself, for the next one when the thread ends.
struct Takes(Cell<Option<usize>>);

impl Drop for Takes {
    fn drop(&mut self) {
        if let Some(own) = self.0.take() {
            // What runs after this on the thread counts where others do.
            LANE.set(0);
            // The next one sees what was counted.
            TAKEN.fetch_and(!(1 << own), Ordering::Release);
        }
    }
}

#[inline]
fn lane() -> usize {
    match LANE.get() {
        usize::MAX => begin_lane(),
        lane => lane,
    }
}

#[cold]
#[inline(never)]
fn begin_lane() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let own = TAKES.try_with(|takes| {
        let own = take_own();
        takes.0.set(own);
        own
    });
    let lane = match own {
        Ok(Some(own)) => SHARED + own,
        Ok(None) | Err(_) => NEXT.fetch_add(1, Ordering::Relaxed) % SHARED,
    };
    LANE.set(lane);
    lane
}

fn take_own() -> Option<usize> {
    let free = |taken: u64| {
        let own = (!taken).trailing_zeros() as usize;
        (own < OWN).then_some(own)
    };
    let took = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, |taken| {
        Some(taken | 1 << free(taken)?)
    });
    took.ok().and_then(free)
}

#[cold]
#[inline(never)]
fn begun(chunk: &OnceLock<Box<[AtomicU64]>>) -> &[AtomicU64] {
    chunk.get_or_init(|| {
        let counters = (0..LANES * TOGETHER).map(|_| AtomicU64::new(0));
        counters.collect()
    })
}

impl Lanes {
    /// The chunk of a number up to [`LAST`], and the place in a lane.
    #[inline]
    fn place(number: u32) -> (usize, usize) {
        let number = number as usize;
        (number / TOGETHER % CHUNKS, number % TOGETHER)
    }

    #[inline]
    pub(super) fn add(&self, number: u32) {
        self.change(number, 1);
    }

    /// Takes back what this thread has just added.
    pub(super) fn take_back(&self, number: u32) {
        self.change(number, 1_u64.wrapping_neg());
    }

    #[inline]
    fn change(&self, number: u32, by: u64) {
        let (chunk, place) = Self::place(number);
        let chunk = &self.chunks[chunk];
        let chunk = match chunk.get() {
            Some(chunk) => chunk,
            None => begun(chunk),
        };
        let lane = lane();
        let Some(counter) = chunk.get(lane * TOGETHER + place) else {
            return;
        };
        if lane < SHARED {
            counter.fetch_add(by, Ordering::Relaxed);
        } else {
            // Nobody else writes here.
            let sum = counter.load(Ordering::Relaxed).wrapping_add(by);
            counter.store(sum, Ordering::Relaxed);
        }
    }

    pub(super) fn sum(&self, number: u32) -> u64 {
        let (chunk, place) = Self::place(number);
        let Some(chunk) = self.chunks[chunk].get() else {
            return 0;
        };
        chunk
            .iter()
            .skip(place)
            .step_by(TOGETHER)
            .map(|counter| counter.load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;

    const NUMBER: u32 = 5;

    #[test]
    fn nothing_is_lost_by_more_threads_than_there_are_lanes_that_come_and_go() {
        const THREADS: usize = 2 * OWN;
        const EACH: u64 = 1_000;
        let lanes = Lanes::default();
        for _ in 0..3 {
            // All of them at once, so that they do not fit; the next ones take over the lanes of these.
            let barrier = Barrier::new(THREADS);
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        lanes.add(NUMBER);
                        barrier.wait();
                        (1..EACH).for_each(|_| lanes.add(NUMBER));
                    });
                }
            });
        }
        assert_eq!(lanes.sum(NUMBER), 3 * THREADS as u64 * EACH);
        assert_eq!(lanes.sum(NUMBER + 1), 0);
    }

    #[test]
    fn what_is_taken_back_was_never_counted() {
        let lanes = Lanes::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                lanes.add(NUMBER);
                lanes.add(NUMBER);
                lanes.take_back(NUMBER);
            });
        });
        assert_eq!(lanes.sum(NUMBER), 1);
    }

    #[test]
    fn a_lane_has_one_thread_at_a_time() {
        let barrier = Barrier::new(OWN);
        let own = thread::scope(|scope| {
            let threads: Vec<_> = (0..OWN)
                .map(|_| {
                    scope.spawn(|| {
                        let lane = lane();
                        barrier.wait();
                        lane
                    })
                })
                .collect();
            let lanes = threads.into_iter().map(|thread| thread.join().unwrap());
            let mut lanes: Vec<_> = lanes.filter(|lane| *lane >= SHARED).collect();
            lanes.sort_unstable();
            lanes
        });
        let mut once = own.clone();
        once.dedup();
        assert_eq!(own, once);
        assert!(!own.is_empty());
    }
}
