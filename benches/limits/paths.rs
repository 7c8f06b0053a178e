//! What a check is compared with.

use crate::by_hand::{ByHand, Done};
use crate::{BUCKET, FIXED, HOUR, Outcome, SLIDING, UNITS, check, limiter};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use millpond::limit::{Limit, Limiter};
use millpond::{Millpond, key};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

pub(crate) const BLOCKED: &str = "blocked";
pub(crate) const GOVERNOR: &str = "governor";
pub(crate) const KEY: &str = "key";
pub(crate) const ONE: &str = "fixed";
pub(crate) const SLIDES: &str = "sliding";
pub(crate) const TOKENS: &str = "bucket";
pub(crate) const BY_HAND: [&str; 4] = ["name", "clocks", "counter", "receipt"];

const ROUNDS: usize = 100;
const CALLS: u64 = 1_000;
const FEW: Limit = Limit::fixed_window("FEW", 1, HOUR);

pub(crate) enum Path {
    /// So many limits, with room.
    Allowed(Limiter),
    /// A caller who is known to be refused.
    Blocked(Limiter),
    /// The check of a crate that has nothing but the process.
    Governor(Box<DefaultKeyedRateLimiter<String>>, String),
    /// What every such check has to do.
    ByHand(Box<ByHand>),
    /// What any call begins with: the text of a key.
    Key,
}

impl Path {
    pub(crate) async fn named(name: &str) -> Outcome<Self> {
        Ok(match name {
            BLOCKED => {
                let limiter = Millpond::memory().limiter(&FEW);
                while limiter.check("user-42").await?.is_allowed() {}
                Self::Blocked(limiter)
            }
            GOVERNOR => {
                let units = NonZeroU32::new(u32::try_from(UNITS)?).ok_or("no units")?;
                let limiter = RateLimiter::keyed(Quota::per_second(units));
                Self::Governor(Box::new(limiter), "user-42".to_owned())
            }
            KEY => Self::Key,
            ONE => Self::Allowed(Millpond::memory().limiter(&FIXED)),
            SLIDES => Self::Allowed(Millpond::memory().limiter(&SLIDING)),
            TOKENS => Self::Allowed(Millpond::memory().limiter(&BUCKET)),
            "name" => Self::by_hand(Done::Name),
            "clocks" => Self::by_hand(Done::Clocks),
            "counter" => Self::by_hand(Done::Counter),
            "receipt" => Self::by_hand(Done::Receipt),
            limits => Self::Allowed(limiter(&Millpond::memory(), limits.parse()?)),
        })
    }

    fn by_hand(done: Done) -> Self {
        Self::ByHand(Box::new(ByHand::new(done)))
    }

    pub(crate) async fn call(&self, calls: u64) -> Outcome {
        match self {
            Self::Allowed(limiter) => check(limiter, calls).await?,
            Self::Blocked(limiter) => {
                for _ in 0..calls {
                    if limiter.check(black_box("user-42")).await?.is_allowed() {
                        return Err("a refusal was expected".into());
                    }
                }
            }
            Self::Governor(limiter, id) => {
                for _ in 0..calls {
                    limiter.check_key(black_box(id)).map_err(|_| "refused")?;
                }
            }
            Self::ByHand(by_hand) => by_hand.call(calls),
            Self::Key => {
                for _ in 0..calls {
                    let id = black_box("user-42");
                    black_box(key!("limit:SLIDING:<id>"));
                }
            }
        }
        Ok(())
    }

    /// How often one call allocates.
    pub(crate) async fn allocations(&self) -> Outcome<f64> {
        self.call(CALLS).await?;
        let region = Region::new(&INSTRUMENTED_SYSTEM);
        self.call(CALLS).await?;
        let change = region.change();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let each = (change.allocations + change.reallocations) as f64 / CALLS as f64;
        Ok(each)
    }
}

/// The ratio of two times: the median of what the rounds have.
pub(crate) async fn ratio(own: &Path, peer: &Path) -> Outcome<f64> {
    let mut ratios = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (own, peer) = (timed(own).await?, timed(peer).await?);
        ratios.push(own.as_secs_f64() / peer.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    Ok(ratios[ROUNDS / 2])
}

async fn timed(path: &Path) -> Outcome<Duration> {
    let began = Instant::now();
    path.call(CALLS).await?;
    Ok(began.elapsed())
}
