//! Random numbers, tokens and pauses.

#[cfg(test)]
pub(crate) mod dice;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// 64 random bits. Where the system has none to give, a hasher's keys and a counter stand in.
pub(crate) fn random_u64() -> u64 {
    #[cfg(all(test, any(feature = "upstash", feature = "redis")))]
    if let Some(number) = seeded::next() {
        return number;
    }
    getrandom::u64().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        RandomState::new().hash_one(COUNTER.fetch_add(1, Ordering::Relaxed))
    })
}

/// A random text of 128 bits in hexadecimal.
pub(crate) fn nonce() -> String {
    format!("{:016x}{:016x}", random_u64(), random_u64())
}

/// A random part, between a half and the whole, of this duration.
pub(crate) fn jitter(full: Duration) -> Duration {
    full / 2 + up_to(full / 2)
}

/// A random part, between nothing and the whole, of this duration.
pub(crate) fn up_to(full: Duration) -> Duration {
    let fraction = f64::from(u32::try_from(random_u64() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    full.mul_f64(fraction)
}

/// Numbers that follow from a seed, on the thread of a test that wants the same history again.
#[cfg(all(test, any(feature = "upstash", feature = "redis")))]
pub(crate) mod seeded {
    use super::dice::Dice;
    use std::cell::Cell;

    thread_local! {
        static STATE: Cell<Option<u64>> = const { Cell::new(None) };
    }

    pub(crate) fn begin(seed: u64) {
        STATE.set(Some(seed));
    }

    /// The next one; nothing without a seed.
    pub(crate) fn next() -> Option<u64> {
        let mut dice = Dice(STATE.get()?);
        let number = dice.roll();
        STATE.set(Some(dice.0));
        Some(number)
    }
}
