//! How long something took: two buckets for each doubling, from 1 µs to over a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bounded buckets, and one for what is longer.
const BUCKETS: usize = 54;

/// Half a microsecond in nanoseconds: every bound is a multiple of it.
const HALF: u128 = 500;

/// Durations as they are counted; adding one reads no clock and takes no lock.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            nanos: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        if let Some(count) = self.counts.get(index(took)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Durations {
        let counts = self.counts.iter().map(|it| it.load(Ordering::Relaxed));
        Durations {
            counts: counts.collect(),
            nanos: self.nanos.load(Ordering::Relaxed),
        }
    }
}

/// The bucket of a duration: the first with a bound that is not below it.
fn index(took: Duration) -> usize {
    let halves = took.as_nanos().div_ceil(HALF);
    if halves <= 2 {
        return 0;
    }
    // `power` says between which powers of two it lies, `upper` in which half of what is between them.
    let below = halves - 1;
    let power = below.ilog2();
    let upper = (below >> (power - 1)) & 1;
    let index = 2 * u128::from(power) - 1 + upper;
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// The bound of a bucket; the last one has none.
fn bound(index: usize) -> Option<Duration> {
    if index + 1 >= BUCKETS {
        return None;
    }
    let base = if index.is_multiple_of(2) {
        1_000
    } else {
        1_500
    };
    Some(Duration::from_nanos(base << (index / 2)))
}

/// How long something took, counted in buckets of which each doubling has two: the relative error of
/// a [`quantile`](Self::quantile) is at most a half.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let pond = millpond::Millpond::memory();
/// # pond.scope(async {
/// use millpond::cached;
///
/// #[cached(prefix = "square")]
/// async fn square(n: u64) -> u64 { n * n }
///
/// square(3).await;
/// # }).await;
/// let loads = pond.stats().load_times("square");
/// assert_eq!(loads.count(), 1);
/// assert!(loads.quantile(0.99) >= Some(loads.sum()));
/// # });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durations {
    /// One for each bucket; none at all if nothing was counted.
    counts: Vec<u64>,
    nanos: u64,
}

impl Durations {
    /// How many there are.
    ///
    /// ```
    /// assert_eq!(millpond::Durations::default().count(), 0);
    /// ```
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    ///
    /// ```
    /// assert!(millpond::Durations::default().sum().is_zero());
    /// ```
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// The bound of the bucket in which this part of them ends: 0.5 for the median, 0.99 for what one in a
    /// hundred exceeds. For what is above every bound, the highest bound. `None` if there are none.
    ///
    /// ```
    /// assert_eq!(millpond::Durations::default().quantile(0.5), None);
    /// ```
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "which of many it is need not be exact"
        )]
        let rank = ((count as f64 * part.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let reaches = |(_, count): &(usize, &u64)| {
            seen += **count;
            seen >= rank
        };
        let (index, _) = self.counts.iter().enumerate().find(reaches)?;
        bound(index).or_else(|| bound(BUCKETS - 2))
    }

    /// The buckets that hold something, from the shortest: the bound, which is `None` for what is over a minute,
    /// and how many there are in this bucket alone.
    ///
    /// ```
    /// assert_eq!(millpond::Durations::default().buckets().count(), 0);
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let all = self.counts.iter().enumerate();
        let filled = all.filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (bound(index), *count))
    }

    /// What was counted since an earlier snapshot of the same durations.
    ///
    /// ```
    /// # let pond = millpond::Millpond::memory();
    /// let earlier = pond.stats();
    /// // … a minute later
    /// let lately = pond.stats().load_times("user").since(&earlier.load_times("user"));
    /// assert_eq!(lately.count(), 0);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().chain(std::iter::repeat(&0));
        let counts = self.counts.iter().zip(before);
        Self {
            counts: counts
                .map(|(now, then)| now.saturating_sub(*then))
                .collect(),
            nanos: self.nanos.saturating_sub(earlier.nanos),
        }
    }

    /// Without the buckets above the longest that holds something.
    #[cfg(feature = "dashboard")]
    pub(super) fn trimmed(mut self) -> Self {
        let longest = self.counts.iter().rposition(|count| *count > 0);
        self.counts.truncate(longest.map_or(0, |at| at + 1));
        self.counts.shrink_to_fit();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_with_a_bound_that_is_not_below_it() {
        let mut nanos = 1_u64;
        while nanos < 100_000_000_000 {
            for nanos in [nanos - 1, nanos, nanos + 1] {
                let took = Duration::from_nanos(nanos);
                let index = index(took);
                assert!(bound(index).is_none_or(|bound| took <= bound), "{took:?}");
                let below = index.checked_sub(1).and_then(bound);
                assert!(below.is_none_or(|below| took > below), "{took:?}");
            }
            nanos += nanos / 7 + 1;
        }
        for index in 0..BUCKETS - 1 {
            let bound = bound(index).unwrap();
            assert_eq!(super::index(bound), index, "{bound:?}");
        }
        assert_eq!(index(Duration::MAX), BUCKETS - 1);
        assert_eq!(bound(52), Some(Duration::from_micros(1 << 26)));
    }

    #[test]
    fn quantiles_are_bounds_and_a_difference_has_what_came_later() {
        let histogram = Histogram::default();
        for _ in 0..99 {
            histogram.record(Duration::from_millis(3));
        }
        let earlier = histogram.snapshot();
        histogram.record(Duration::from_secs(3_600));
        let all = histogram.snapshot();
        assert_eq!(all.quantile(0.5), Some(Duration::from_micros(3_072)));
        assert_eq!(all.quantile(1.0), Some(Duration::from_micros(1 << 26)));
        assert_eq!(all.quantile(f64::NAN), Some(Duration::from_micros(3_072)));
        let later = all.since(&earlier);
        assert_eq!((later.count(), later.sum().as_secs()), (1, 3_600));
        assert_eq!(later.buckets().collect::<Vec<_>>(), [(None, 1)]);
        assert_eq!(earlier.since(&all).count(), 0);
    }
}
