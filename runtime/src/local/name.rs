//! What values are kept under.

use crate::key::Short;
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

impl<'a> Name<'a> {
    pub(super) fn is_shared(self) -> bool {
        self.function == SHARED
    }

    pub(super) fn sought(self) -> Sought<'a> {
        match Short::of(self.key.as_bytes()) {
            Some(key) => Sought::Short(ShortName::new(self.function, key)),
            None => Sought::Long(LongName(self)),
        }
    }

    pub(super) fn owned(self) -> OwnedName {
        match self.sought() {
            Sought::Short(short) => OwnedName::Short(short),
            Sought::Long(LongName(Name { function, key })) => OwnedName::Long(function, key.into()),
        }
    }
}

/// A name in the form in which it is looked up.
pub(super) enum Sought<'a> {
    Short(ShortName),
    Long(LongName<'a>),
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Short(short) => short.hash(state),
            Self::Long(long) => long.hash(state),
        }
    }
}

impl Equivalent<OwnedName> for Sought<'_> {
    fn equivalent(&self, other: &OwnedName) -> bool {
        match self {
            Self::Short(short) => short.equivalent(other),
            Self::Long(long) => long.equivalent(other),
        }
    }
}

/// The name of an entry whose key is short: the words of the key, and the function with the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShortName([u64; 4]);

impl ShortName {
    #[inline]
    pub(crate) fn new(function: u32, key: Short) -> Self {
        let [first, second, third] = key.words();
        let last = u64::from(function) | u64::from(key.len()) << 32;
        Self([first, second, third, last])
    }

    #[expect(clippy::cast_possible_truncation, reason = "the other half is cut off")]
    fn function(&self) -> u32 {
        self.0[3] as u32
    }

    fn key(&self) -> Short {
        let [first, second, third, last] = self.0;
        Short::of_words([first, second, third], last >> 32)
    }
}

/// What a value may be kept under.
pub(crate) trait Named {
    /// What this gets from the name with its text.
    fn with_name<T>(&self, get: impl FnOnce(Name<'_>) -> T) -> T;
}

impl Named for Name<'_> {
    fn with_name<T>(&self, get: impl FnOnce(Name<'_>) -> T) -> T {
        get(*self)
    }
}

impl Named for ShortName {
    fn with_name<T>(&self, get: impl FnOnce(Name<'_>) -> T) -> T {
        get(Name {
            function: self.function(),
            key: self.key().text(&self.key().bytes()),
        })
    }
}

impl Hash for ShortName {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, second, third, last] = self.0;
        state.write_u128(u128::from(first) | u128::from(second) << 64);
        state.write_u128(u128::from(third) | u128::from(last) << 64);
    }
}

impl Equivalent<OwnedName> for ShortName {
    #[inline]
    fn equivalent(&self, other: &OwnedName) -> bool {
        matches!(other, OwnedName::Short(other) if other == self)
    }
}

/// The name of an entry whose key is not short.
pub(super) struct LongName<'a>(Name<'a>);

impl Hash for LongName<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Name { function, key } = self.0;
        state.write(key.as_bytes());
        state.write_u32(function);
    }
}

impl Equivalent<OwnedName> for LongName<'_> {
    fn equivalent(&self, other: &OwnedName) -> bool {
        let Name { function, key } = self.0;
        matches!(other, OwnedName::Long(other, text) if *other == function && **text == *key)
    }
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum OwnedName {
    /// In the table itself: one place less in memory to go to.
    Short(ShortName),
    Long(u32, Box<str>),
}

impl OwnedName {
    pub(super) fn is_shared(&self) -> bool {
        SHARED
            == match self {
                Self::Short(short) => short.function(),
                Self::Long(function, _) => *function,
            }
    }

    /// What this gets from the text of the key.
    pub(super) fn with_key<T>(&self, get: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Short(short) => short.with_name(|name| get(name.key)),
            Self::Long(_, key) => get(key),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Short(short) => short.key().len().into(),
            Self::Long(_, key) => u64::try_from(key.len()).unwrap_or(u64::MAX),
        }
    }
}

impl Hash for OwnedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Short(short) => short.hash(state),
            Self::Long(function, key) => LongName(Name {
                function: *function,
                key,
            })
            .hash(state),
        }
    }
}
