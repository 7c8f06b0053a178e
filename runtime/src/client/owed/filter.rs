//! A set of keys in a fixed amount of memory: of a few keys that are not in it, it says that they are (a Bloom
//! filter).

use std::hash::{BuildHasher, RandomState};

/// Bits that stand for one key. With 20 bits of room for each, one key in some ten thousand is taken for
/// another.
const BITS: usize = 6;

pub(super) struct Filter {
    words: Vec<u64>,
    hashers: [RandomState; 2],
}

impl Filter {
    /// An empty one of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            words: vec![0; bytes.div_ceil(8).max(1)],
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    pub(super) fn insert(&mut self, key: &[u8]) {
        for (word, bit) in self.places(key) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        self.places(key)
            .into_iter()
            .all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    /// Which bits of which words stand for a key.
    fn places(&self, key: &[u8]) -> [(usize, u64); BITS] {
        let [first, step] = self.hashers.each_ref().map(|hasher| hasher.hash_one(key));
        let words = u64::try_from(self.words.len()).unwrap_or(1);
        let mut n = 0;
        [(); BITS].map(|()| {
            let hash = first.wrapping_add(step.wrapping_mul(n));
            n += 1;
            let word = usize::try_from((hash >> 6) % words).unwrap_or(0);
            (word, 1 << (hash & 63))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_none_and_takes_few_for_others() {
        let mut filter = Filter::new(2_500);
        let key = |n: u32| format!("user:{n}").into_bytes();
        for n in 0..1_000 {
            filter.insert(&key(n));
        }
        assert!((0..1_000).all(|n| filter.contains(&key(n))));
        let mistaken = (1_000..101_000).filter(|n| filter.contains(&key(*n)));
        assert!(mistaken.count() < 200);
    }
}
