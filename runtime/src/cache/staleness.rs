//! How long a value may be used after its lifetime, and when it is loaded again before that ends.

use crate::client::server_time::TimeRange;
use crate::clock::milliseconds;
use crate::codec::Times;
use crate::random;
use std::time::Duration;

/// The windows of one cached function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Staleness {
    /// For how long after the lifetime the old value is returned at once.
    pub(crate) while_revalidate: Duration,
    /// For how long after the lifetime the old value is returned if the body fails.
    pub(crate) if_error: Duration,
    /// How long a call waits for a body while it has an old value.
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) ahead: Ahead,
}

/// When a value is loaded again before its lifetime ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ahead {
    Never,
    /// From this fraction of the lifetime on.
    From(f64),
    /// At random: the nearer the end and the longer the body took, the likelier.
    AtRandom,
}

/// What a value is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    /// Fresh, and to be loaded again in the background.
    Ahead,
    /// Old: returned at once, and loaded again in the background.
    Revalidate,
    /// Old: returned if the body fails.
    IfError,
    /// Of no use.
    Expired,
}

impl Freshness {
    /// Whether the lifetime is not over.
    pub(crate) fn is_fresh(self) -> bool {
        matches!(self, Self::Fresh | Self::Ahead)
    }
}

impl Staleness {
    pub(crate) const NONE: Self = Self {
        while_revalidate: Duration::ZERO,
        if_error: Duration::ZERO,
        soft_timeout: None,
        ahead: Ahead::Never,
    };

    /// For how long a value is kept after its lifetime.
    pub(crate) fn longest(&self) -> Duration {
        self.while_revalidate.max(self.if_error)
    }

    /// What a value with these times is good for now.
    pub(crate) fn judge(&self, times: Times, now: TimeRange) -> Freshness {
        let now = now.latest;
        if now < times.until {
            return if self.loads_ahead(times, now) {
                Freshness::Ahead
            } else {
                Freshness::Fresh
            };
        }
        let late = now - times.until;
        if late < milliseconds(self.while_revalidate) {
            Freshness::Revalidate
        } else if late < milliseconds(self.if_error) {
            Freshness::IfError
        } else {
            Freshness::Expired
        }
    }

    /// Whether a value is fresh, and nothing is to be done about it, whatever chance says.
    pub(crate) fn is_plainly_fresh(&self, times: Times, now: TimeRange) -> bool {
        match self.ahead {
            Ahead::AtRandom => {
                let took = times.took.unwrap_or(0).saturating_mul(MOST_AHEAD);
                now.latest.saturating_add(took) < times.until
            }
            _ => self.judge(times, now) == Freshness::Fresh,
        }
    }

    /// For how long a value with these times is plainly fresh.
    pub(crate) fn plainly_fresh_for(&self, times: Times, now: TimeRange) -> Duration {
        let until = match self.ahead {
            Ahead::Never => times.until,
            Ahead::From(fraction) => times.from.map_or(times.until, |from| {
                let life = Duration::from_millis(times.until.saturating_sub(from));
                from.saturating_add(milliseconds(life.mul_f64(fraction)))
            }),
            Ahead::AtRandom => {
                let took = times.took.unwrap_or(0).saturating_mul(MOST_AHEAD);
                times.until.saturating_sub(took)
            }
        };
        Duration::from_millis(until.saturating_sub(now.latest))
    }

    fn loads_ahead(&self, times: Times, now: u64) -> bool {
        match self.ahead {
            Ahead::Never => false,
            Ahead::From(fraction) => times.from.is_some_and(|from| {
                let life = Duration::from_millis(times.until.saturating_sub(from));
                now.saturating_sub(from) >= milliseconds(life.mul_f64(fraction))
            }),
            Ahead::AtRandom => {
                let took = Duration::from_millis(times.took.unwrap_or(0));
                let early = took.mul_f64(exponential());
                now.saturating_add(milliseconds(early)) >= times.until
            }
        }
    }
}

/// What `-ln` of a random fraction of 32 bits can be at most.
const MOST_AHEAD: u64 = 23;

/// A random number with mean 1, exponentially distributed: with it the first of many processes loads about once
/// before the end, however many ask (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede
/// Prevention", VLDB 2015).
fn exponential() -> f64 {
    let bits = u32::try_from(random::random_u64() >> 32).unwrap_or(0);
    let fraction = (f64::from(bits) + 1.0) / (f64::from(u32::MAX) + 1.0);
    -fraction.ln()
}

#[cfg(test)]
mod tests {
    use super::{Ahead, Freshness, Staleness};
    use crate::client::server_time::TimeRange;
    use crate::codec::Times;
    use std::time::Duration;

    const TIMES: Times = Times {
        until: 10_000,
        from: Some(0),
        took: Some(100),
    };

    fn at(now: u64) -> TimeRange {
        TimeRange {
            earliest: now,
            latest: now,
        }
    }

    #[test]
    fn each_window_begins_where_the_lifetime_ends() {
        let windows = Staleness {
            while_revalidate: Duration::from_secs(3),
            if_error: Duration::from_secs(5),
            ahead: Ahead::From(0.8),
            ..Staleness::NONE
        };
        for (now, freshness) in [
            (0, Freshness::Fresh),
            (7_999, Freshness::Fresh),
            (8_000, Freshness::Ahead),
            (9_999, Freshness::Ahead),
            (10_000, Freshness::Revalidate),
            (12_999, Freshness::Revalidate),
            (13_000, Freshness::IfError),
            (14_999, Freshness::IfError),
            (15_000, Freshness::Expired),
        ] {
            assert_eq!(windows.judge(TIMES, at(now)), freshness, "{now}");
        }
    }

    #[test]
    fn chance_loads_late_values_ahead_and_early_ones_never() {
        let windows = Staleness {
            ahead: Ahead::AtRandom,
            ..Staleness::NONE
        };
        let loads = |now| {
            let ahead = |_: &i32| windows.judge(TIMES, at(now)) == Freshness::Ahead;
            (0..1_000).filter(ahead).count()
        };
        assert_eq!(loads(7_600), 0);
        assert!(windows.is_plainly_fresh(TIMES, at(7_600)));
        // One mean before the end: e⁻¹ of the draws.
        let near = loads(9_900);
        assert!((250..500).contains(&near), "{near}");
        assert!(!windows.is_plainly_fresh(TIMES, at(9_900)));
    }
}
