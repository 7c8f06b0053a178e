//! The arithmetic of the three algorithms: numbers in, numbers out; no clock and no store.
//!
//! Decisions and stored numbers are those of `@upstash/ratelimit` 2.2.0; lifetimes are never shorter. The
//! scripts do the same on the server; a differential test holds the three together.

/// Budgets are told apart by how much of them is used, in so many levels.
pub(crate) const LEVELS: usize = 8;

/// The level of a budget that has nothing left.
pub(crate) const USED_UP: usize = LEVELS - 1;

/// How a budget recovers.
///
/// ```
/// use millpond::limit::{self, Algorithm};
/// assert_eq!(limit::API.algorithm(), Algorithm::SlidingWindow);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// What was taken in this window, plus the part of the previous window that still overlaps:
    /// never more than the limit between two multiples of the window, and where calls come evenly,
    /// in any stretch of its length.
    SlidingWindow,
    /// A counter that restarts at each multiple of the window. The cheapest; around a boundary, up to twice
    /// the limit can pass.
    FixedWindow,
    /// Tokens that come back at a steady rate, up to a maximum: bursts up to that maximum pass.
    TokenBucket,
}

/// 9999-12-31T23:59:59.999Z: the last time that RFC 3339 can write. Later clocks count as this.
pub(crate) const LAST_TIME: u64 = 253_402_300_799_999;

/// A hundred years of 365 days, in milliseconds.
const LONGEST: u64 = crate::ttl::CENTURY.as_secs() * 1000;

/// For so long (ms) after the end of what it counts, a counter is kept: clocks may differ by 5 s, and a check
/// may take as long as [`MOST_DELAY`](super::settings::MOST_DELAY). Were it gone, a late check would begin it anew.
pub(crate) const GRACE: u64 = 10_000;

/// Sums of three such numbers stay exact in Lua, whose numbers are floats.
const MOST_UNITS: u64 = 1_000_000_000_000_000;

/// The numbers of a limit. Every arithmetic step below relies on the bounds that [`Rule::new`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) algorithm: Algorithm,
    /// How many may be taken: in a window, or at once from a full bucket.
    pub(crate) units: u64,
    /// Of a window, or between two refills; in milliseconds.
    pub(crate) window: u64,
    /// Tokens that each interval brings back; for windows, the same as `units`.
    pub(crate) refill: u64,
}

/// The two numbers that a limit has in the store. Of a window: the units taken in it and in the one
/// before. Of a bucket: when it was last refilled (ms) and its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held(pub(crate) Option<i64>, pub(crate) Option<i64>);

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) allowed: bool,
    /// Units left afterwards.
    pub(crate) remaining: u64,
    /// When the window ends or the next tokens come (ms), as `@upstash/ratelimit` reports it.
    pub(crate) reset: u64,
    /// Of a refusal: the earliest time (ms) at which this cost could be allowed; `None` for never.
    pub(crate) retry_at: Option<u64>,
    /// What to store. A refusal stores nothing.
    pub(crate) change: Option<Change>,
}

/// What a call writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Adds to the window's counter; the lifetime (ms) is set if the sum equals `add`.
    Count { add: u64, lifetime: u64 },
    /// Replaces the bucket. No lifetime means that the old one stays.
    Fill {
        refilled_at: i64,
        tokens: i64,
        lifetime: Option<u64>,
    },
    /// Takes from the counter of a window, which holds at least so much.
    Uncount(u64),
}

impl Rule {
    /// Checks the numbers; the text says what is wrong.
    pub(crate) const fn new(
        algorithm: Algorithm,
        units: u64,
        window: u64,
        refill: u64,
    ) -> Result<Self, &'static str> {
        if units == 0 || refill == 0 {
            return Err("a limit of zero would refuse every call; allow at least 1");
        }
        if units > MOST_UNITS || refill > MOST_UNITS {
            return Err("a limit can be at most 1_000_000_000_000_000");
        }
        if window == 0 {
            return Err("the window of a limit must be at least 1 ms");
        }
        if window > LONGEST {
            return Err("the window of a limit can be at most 100 years");
        }
        match units.div_ceil(refill).checked_mul(window) {
            Some(full_after) if full_after <= LONGEST => {}
            _ => return Err("the bucket would take more than 100 years to fill"),
        }
        Ok(Self {
            algorithm,
            units,
            window,
            refill,
        })
    }

    /// The number of the window that this time is in.
    pub(crate) fn index(&self, now: u64) -> u64 {
        now.min(LAST_TIME) / self.window
    }

    /// Takes `cost` units at `now` (ms) if that many are left. More than the limit is never allowed.
    pub(crate) fn check(&self, held: Held, now: u64, cost: u64) -> Verdict {
        let now = now.min(LAST_TIME);
        let mut verdict = match self.algorithm {
            Algorithm::FixedWindow => self.check_fixed(held, now, cost),
            Algorithm::SlidingWindow => self.check_sliding(held, now, cost),
            Algorithm::TokenBucket => self.check_bucket(held, now, cost),
        };
        if cost > self.units {
            verdict = Verdict {
                allowed: false,
                retry_at: None,
                change: None,
                ..self.check(held, now, 0)
            };
        } else if cost == 0 {
            verdict = Verdict {
                allowed: true,
                retry_at: None,
                change: None,
                ..verdict
            };
        }
        verdict
    }

    /// How much of a budget is used that has so much left, from 0 to [`USED_UP`].
    pub(crate) fn level(&self, remaining: u64) -> usize {
        if remaining == 0 {
            return USED_UP;
        }
        let used = self.units.saturating_sub(remaining) * USED_UP as u64;
        let level = usize::try_from(used / self.units.max(1)).unwrap_or(0);
        level.min(USED_UP - 1)
    }

    /// What [`Self::check`] would find, with the units that are left now; stores nothing.
    pub(crate) fn peek(&self, held: Held, now: u64, cost: u64) -> Verdict {
        let Verdict { remaining, .. } = self.check(held, now, 0);
        Verdict {
            remaining,
            change: None,
            ..self.check(held, now, cost)
        }
    }

    /// Gives units back, never more than were taken; `held.0` of a window is what the counter to give back to
    /// holds.
    pub(crate) fn refund(&self, held: Held, now: u64, units: u64) -> Option<Change> {
        let now = now.min(LAST_TIME);
        match self.algorithm {
            Algorithm::FixedWindow | Algorithm::SlidingWindow => {
                let less = taken(held.0).min(units);
                (less > 0).then_some(Change::Uncount(less))
            }
            Algorithm::TokenBucket => {
                held.0?;
                let (refilled_at, tokens) = self.refilled(held, now);
                let most = signed(self.units);
                let tokens = tokens.saturating_add(signed(units)).min(most);
                let lifetime =
                    (tokens < most).then(|| self.full_after(tokens).saturating_add(GRACE));
                Some(Change::Fill {
                    refilled_at,
                    tokens,
                    lifetime,
                })
            }
        }
    }

    /// How long (ms) a window's counter is kept from `now`, when its first unit is taken. Never shorter than
    /// `@upstash/ratelimit` keeps it.
    fn counter_lifetime(&self, now: u64) -> u64 {
        let elapsed = now % self.window;
        match self.algorithm {
            // The next window still looks at it.
            Algorithm::SlidingWindow => {
                let theirs = self.window * 2 + 1000;
                theirs.max(self.window * 2 - elapsed + GRACE)
            }
            Algorithm::FixedWindow | Algorithm::TokenBucket => {
                self.window.max(self.window - elapsed + GRACE)
            }
        }
    }

    /// The longest (ms) from `now` on that what is held can still count: the life of its key.
    pub(crate) fn life(&self, held: Held, now: u64) -> u64 {
        match self.algorithm {
            Algorithm::TokenBucket => {
                let tokens = self.refilled(held, now).1;
                self.full_after(tokens).saturating_add(GRACE)
            }
            Algorithm::FixedWindow | Algorithm::SlidingWindow => self.counter_lifetime(now),
        }
    }

    fn check_fixed(&self, held: Held, now: u64, cost: u64) -> Verdict {
        let left = i128::from(self.units) - i128::from(held.0.unwrap_or(0));
        let reset = (self.index(now) + 1) * self.window;
        self.counted(left, cost, now, || reset)
    }

    fn check_sliding(&self, held: Held, now: u64, cost: u64) -> Verdict {
        let (current, previous) = (held.0.unwrap_or(0), held.1.unwrap_or(0));
        let used = i128::from(current) + i128::from(self.weigh(previous, now % self.window));
        let left = i128::from(self.units) - used;
        let reset = (self.index(now) + 1) * self.window;
        self.counted(left, cost, now, || {
            let room = i128::from(self.units) - i128::from(cost);
            let this = room - i128::from(current);
            let elapsed = now % self.window;
            if let Some(elapsed) = self.first_light(previous, this, elapsed + 1) {
                return now - now % self.window + elapsed;
            }
            match self.first_light(current, room, 0) {
                Some(elapsed) => reset + elapsed,
                None => reset + self.window,
            }
        })
    }

    fn counted(&self, left: i128, cost: u64, now: u64, retry: impl FnOnce() -> u64) -> Verdict {
        let reset = (self.index(now) + 1) * self.window;
        let after = left - i128::from(cost);
        if after < 0 {
            let remaining = unsigned(left);
            return Verdict {
                allowed: false,
                remaining,
                reset,
                retry_at: Some(retry()),
                change: None,
            };
        }
        let change = Change::Count {
            add: cost,
            lifetime: self.counter_lifetime(now),
        };
        let remaining = unsigned(after);
        Verdict {
            allowed: true,
            remaining,
            reset,
            retry_at: None,
            change: Some(change),
        }
    }

    /// The part of the previous window that still counts, rounded as JavaScript's and Lua's floats
    /// round: the exact quotient would now and then be one more, and differ from what npm decides.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "times are below 2^53, counters are rounded as Lua's tonumber does, casts saturate"
    )]
    fn weigh(&self, previous: i64, elapsed: u64) -> i64 {
        let gone = elapsed as f64 / self.window as f64;
        ((1.0 - gone) * previous as f64).floor() as i64
    }

    /// The first moment of a window, from `from` on, at which the previous window weighs no more
    /// than `room`.
    fn first_light(&self, previous: i64, room: i128, from: u64) -> Option<u64> {
        let light = |elapsed| i128::from(self.weigh(previous, elapsed)) <= room;
        let (mut low, mut high) = (from, self.window);
        if low < high && light(low) {
            return Some(low);
        }
        // A negative counter, which refunds by npm can leave, only gets heavier.
        if previous < 0 {
            return None;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if light(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        (low < self.window).then_some(low)
    }

    fn check_bucket(&self, held: Held, now: u64, cost: u64) -> Verdict {
        let (refilled_at, tokens) = self.refilled(held, now);
        let at = |intervals: i128| {
            unsigned(i128::from(refilled_at) + intervals * i128::from(self.window)).min(LAST_TIME)
        };
        let after = i128::from(tokens) - i128::from(cost);
        let reset = at(1);
        if after < 0 {
            let refill = i128::from(self.refill);
            // A bucket that a clock in the future filled is gone when its key is.
            let gone = now.saturating_add(self.life(held, now));
            let retry_at = Some(at((refill - 1 - after) / refill).min(gone));
            let remaining = unsigned(tokens.into());
            return Verdict {
                allowed: false,
                remaining,
                reset,
                retry_at,
                change: None,
            };
        }
        let remaining = unsigned(after);
        let tokens = signed(remaining);
        let lifetime = Some(self.full_after(tokens).saturating_add(GRACE));
        let change = Some(Change::Fill {
            refilled_at,
            tokens,
            lifetime,
        });
        Verdict {
            allowed: true,
            remaining,
            reset,
            retry_at: None,
            change,
        }
    }

    /// The bucket as it is at `now`; a clock that went back brings no tokens and takes none.
    fn refilled(&self, held: Held, now: u64) -> (i64, i64) {
        let most = i128::from(self.units);
        let Some(refilled_at) = held.0 else {
            return (signed(now), signed(self.units));
        };
        let tokens = held.1.map_or(most, i128::from);
        let intervals =
            ((i128::from(now) - i128::from(refilled_at)) / i128::from(self.window)).max(0);
        let tokens = (tokens + intervals * i128::from(self.refill)).min(most);
        let refilled_at = i128::from(refilled_at) + intervals * i128::from(self.window);
        (narrow(refilled_at), narrow(tokens))
    }

    /// How long (ms) a bucket with so many tokens takes to be full.
    fn full_after(&self, tokens: i64) -> u64 {
        let refill = i128::from(self.refill);
        let missing = i128::from(self.units) - i128::from(tokens);
        unsigned((missing + refill - 1) / refill * i128::from(self.window))
    }
}

/// Units on a counter; one that refunds by npm made negative counts as empty.
fn taken(counter: Option<i64>) -> u64 {
    counter.map_or(0, |units| u64::try_from(units).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i128) -> u64 {
    u64::try_from(number.max(0)).unwrap_or(u64::MAX)
}

fn narrow(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests;
