//! Counters that several threads raise at once, each in a lane of its own.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const LANES: usize = 16;
/// So many counters of one lane lie together, on cache lines that belong to the lane.
const TOGETHER: usize = 64;
const CHUNKS: usize = 64;

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

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[inline]
fn lane() -> usize {
    LANE.try_with(|lane| match lane.get() {
        usize::MAX => {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let next = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
            lane.set(next);
            next
        }
        lane => lane,
    })
    .unwrap_or(0)
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
    /// The chunk of a number, and the place in a lane. A program has fewer functions than there are numbers.
    #[inline]
    fn place(number: u32) -> (usize, usize) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let number = number.min(CHUNKS * TOGETHER - 1);
        (number / TOGETHER, number % TOGETHER)
    }

    #[inline]
    pub(super) fn add(&self, number: u32) {
        self.counter(number, |counter| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Takes back what this thread has just added.
    pub(super) fn take_back(&self, number: u32) {
        self.counter(number, |counter| {
            counter.fetch_sub(1, Ordering::Relaxed);
        });
    }

    #[inline]
    fn counter(&self, number: u32, change: impl FnOnce(&AtomicU64)) {
        let (chunk, place) = Self::place(number);
        let chunk = &self.chunks[chunk];
        let chunk = match chunk.get() {
            Some(chunk) => chunk,
            None => begun(chunk),
        };
        if let Some(counter) = chunk.get(lane() * TOGETHER + place) {
            change(counter);
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
            .sum()
    }
}
