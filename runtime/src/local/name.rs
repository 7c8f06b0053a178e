//! What values are kept under.

use quick_cache::Equivalent;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};

/// The number of a cached function in this process, given at its first call. Functions whose values are kept
/// in this process only never share an entry, whatever their keys are.
#[derive(Debug)]
pub struct FunctionNumber(AtomicU32);

static LAST: AtomicU32 = AtomicU32::new(0);

impl FunctionNumber {
    /// None yet.
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> u32 {
        match self.0.load(Ordering::Relaxed) {
            0 => self.give(),
            number => number,
        }
    }

    #[cold]
    fn give(&self) -> u32 {
        let next = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        match self
            .0
            .compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => next,
            Err(number) => number,
        }
    }
}

impl Default for FunctionNumber {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of an entry: a function and the text of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) function: u32,
    pub(crate) key: &'a str,
}

/// The values that are in the store too belong to the key, whichever function it is.
pub(crate) const SHARED: u32 = 0;

impl<'a> Name<'a> {
    /// The entry of a value that is in the store too.
    #[inline]
    pub(crate) fn shared(key: &'a str) -> Self {
        Self {
            function: SHARED,
            key,
        }
    }
}

impl Name<'_> {
    pub(super) fn is_shared(self) -> bool {
        self.function == SHARED
    }

    pub(super) fn owned(self) -> OwnedName {
        OwnedName {
            function: self.function,
            key: self.key.into(),
        }
    }
}

impl Hash for Name<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.key.as_bytes());
        state.write_u32(self.function);
    }
}

impl Equivalent<OwnedName> for Name<'_> {
    #[inline]
    fn equivalent(&self, other: &OwnedName) -> bool {
        self.function == other.function && *self.key == *other.key
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct OwnedName {
    function: u32,
    key: Box<str>,
}

impl OwnedName {
    pub(super) fn is_shared(&self) -> bool {
        self.function == SHARED
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn borrowed(&self) -> Name<'_> {
        let Self { function, key } = self;
        Name {
            function: *function,
            key,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.key.len()).unwrap_or(u64::MAX)
    }
}

impl Hash for OwnedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}
