//! The keys whose load failed while an old value could be used, and when the next try comes: while a source is
//! down it is not asked by every call.

use crate::sync;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How many keys are remembered. A key that is forgotten is tried at once.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Retries(Mutex<HashMap<Arc<str>, Failed>>);

#[derive(Clone, Copy, Debug)]
struct Failed {
    pause: Duration,
    /// By the monotonic clock.
    until: Duration,
}

impl Retries {
    /// Whether the next try is still to come.
    pub(crate) fn is_pausing(&self, key: &str, now: Duration) -> bool {
        let failed = sync::lock(&self.0).get(key).copied();
        failed.is_some_and(|failed| now < failed.until)
    }

    /// A try failed; each pause is twice the one before.
    pub(crate) fn failed(&self, key: &str, now: Duration) {
        let mut failed = sync::lock(&self.0);
        let before = failed.get(key).copied();
        if before.is_none() && failed.len() >= MOST {
            failed.retain(|_, failed| now < failed.until);
            if failed.len() >= MOST {
                return;
            }
        }
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
        let until = now.saturating_add(pause);
        failed.insert(key.into(), Failed { pause, until });
    }

    /// A try succeeded, or the key was invalidated.
    pub(crate) fn forget(&self, key: &str) {
        let mut failed = sync::lock(&self.0);
        if !failed.is_empty() {
            failed.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, Retries};
    use std::time::Duration;

    #[test]
    fn pauses_double_from_a_second_to_thirty() {
        let retries = Retries::default();
        let mut now = Duration::ZERO;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let pause = Duration::from_secs(pause);
            retries.failed("k", now);
            assert!(retries.is_pausing("k", now + pause.saturating_sub(Duration::from_millis(1))));
            now += pause;
            assert!(!retries.is_pausing("k", now));
        }
        retries.forget("k");
        retries.failed("k", now);
        assert!(!retries.is_pausing("k", now + Duration::from_secs(1)));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let retries = Retries::default();
        for key in 0..=MOST {
            retries.failed(&key.to_string(), Duration::ZERO);
        }
        assert!(!retries.is_pausing(&MOST.to_string(), Duration::ZERO));
        // Those whose pause is over make room.
        retries.failed("late", Duration::from_secs(60));
        assert!(retries.is_pausing("late", Duration::from_secs(60)));
    }
}
