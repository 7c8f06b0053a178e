//! What values are kept under.

use crate::key::Padded;
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

    pub(super) fn sought(&self) -> Sought<'_> {
        Sought {
            function: self.function,
            key: self.key.as_bytes(),
            padded: None,
        }
    }

    pub(super) fn owned(self) -> OwnedName {
        let Self { function, key } = self;
        let mut padded = Padded::default();
        match padded.get_mut(..key.len()) {
            Some(room) => {
                room.copy_from_slice(key.as_bytes());
                OwnedName::Short {
                    function,
                    length: u8::try_from(key.len()).unwrap_or(u8::MAX),
                    key: padded,
                }
            }
            None => OwnedName::Long {
                function,
                key: key.into(),
            },
        }
    }
}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.sought().hash(state);
    }
}

/// A name to be looked up.
pub(crate) struct Sought<'a> {
    pub(crate) function: u32,
    pub(crate) key: &'a [u8],
    /// The first bytes of the key, and zeros behind it, where they are at hand.
    pub(crate) padded: Option<&'a Padded>,
}

impl Hash for Sought<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.key);
        state.write_u32(self.function);
    }
}

impl Equivalent<OwnedName> for Sought<'_> {
    #[inline]
    fn equivalent(&self, other: &OwnedName) -> bool {
        match other {
            OwnedName::Short {
                function,
                length,
                key,
            } => {
                let length = usize::from(*length);
                self.function == *function
                    && self.key.len() == length
                    && match self.padded {
                        // Of a known length, this is a few instructions.
                        Some(padded) => padded == key,
                        None => key.starts_with(self.key),
                    }
            }
            OwnedName::Long { function, key } => {
                self.function == *function && *self.key == *key.as_bytes()
            }
        }
    }
}

impl Equivalent<OwnedName> for Name<'_> {
    fn equivalent(&self, other: &OwnedName) -> bool {
        self.sought().equivalent(other)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum OwnedName {
    /// In the table itself: one place less in memory to go to.
    Short {
        function: u32,
        length: u8,
        key: Padded,
    },
    Long {
        function: u32,
        key: Box<str>,
    },
}

impl OwnedName {
    pub(super) fn is_shared(&self) -> bool {
        self.borrowed().is_shared()
    }

    pub(super) fn key(&self) -> &str {
        match self {
            Self::Short { length, key, .. } => {
                let key = key.get(..usize::from(*length)).unwrap_or_default();
                std::str::from_utf8(key).unwrap_or_default()
            }
            Self::Long { key, .. } => key,
        }
    }

    pub(super) fn borrowed(&self) -> Name<'_> {
        let (Self::Short { function, .. } | Self::Long { function, .. }) = self;
        Name {
            function: *function,
            key: self.key(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.key().len()).unwrap_or(u64::MAX)
    }
}

impl Hash for OwnedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}
