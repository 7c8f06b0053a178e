//! Reads that leave together do so as one `MGET`: one command to pay for, and one reply to read.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Most keys of one. Redis runs nothing else meanwhile, for a fraction of a ms.
const MOST_KEYS: usize = 1_000;

/// Most bytes that the reply to one is expected to have. Upstash refuses a reply that is larger than a request may be,
/// 1 MB on some plans.
const MOST_BYTES: usize = 512 * 1024;

/// What is expected of a key before anything was read.
const AT_FIRST: usize = 1_024;

/// How many keys may be read at once, told from what was read before.
pub(crate) struct Merging {
    bytes_per_key: AtomicUsize,
}

impl Default for Merging {
    fn default() -> Self {
        Self {
            bytes_per_key: AtomicUsize::new(AT_FIRST),
        }
    }
}

impl Merging {
    /// Most keys of one `MGET`.
    pub(crate) fn most_keys(&self) -> usize {
        let each = self.bytes_per_key.load(Ordering::Relaxed);
        (MOST_BYTES / each.max(1)).clamp(1, MOST_KEYS)
    }

    /// A reply came: more bytes count at once, fewer by and by.
    pub(crate) fn read(&self, keys: usize, bytes: usize) {
        let now = bytes.div_ceil(keys.max(1));
        let before = self.bytes_per_key.load(Ordering::Relaxed);
        let after = if now >= before {
            now
        } else {
            before - (before - now).div_ceil(16)
        };
        if after != before {
            self.bytes_per_key.store(after, Ordering::Relaxed);
        }
    }

    /// The server, or the client, refused what one was to bring.
    pub(crate) fn refused(&self) {
        self.bytes_per_key.store(MOST_BYTES, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_replies_are_expected_at_once_and_forgotten_by_and_by() {
        let merging = Merging::default();
        assert_eq!(merging.most_keys(), 512);
        for _ in 0..200 {
            merging.read(2, 100);
        }
        assert_eq!(merging.most_keys(), MOST_KEYS);
        merging.read(2, 200_000);
        assert_eq!(merging.most_keys(), 5);
        merging.read(2, 0);
        assert_eq!(merging.most_keys(), 5);
        for _ in 0..200 {
            merging.read(1_000, 50_000);
        }
        assert_eq!(merging.most_keys(), MOST_KEYS);
    }

    #[test]
    fn what_was_refused_leaves_apart_for_a_while() {
        let merging = Merging::default();
        merging.refused();
        assert_eq!(merging.most_keys(), 1);
        merging.read(2, usize::MAX);
        assert_eq!(merging.most_keys(), 1);
        merging.refused();
        for _ in 0..10 {
            merging.read(2, 100);
        }
        assert_eq!(merging.most_keys(), 1);
        for _ in 10..40 {
            merging.read(2, 100);
        }
        assert_eq!(merging.most_keys(), 13);
    }
}
