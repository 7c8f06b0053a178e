//! The kinds of values a key can hold, each of which knows its weight at all times.

use super::index::{Index, index};
use bytes::Bytes;
use bytestring::ByteString;

/// What one field, member or list item weighs beside its own bytes: two handles, a hash, an index.
const ITEM: usize = 96;

/// What is stored under one key.
#[derive(Debug)]
pub(crate) enum Value {
    Text(Text),
    /// A text that is the number in the only form that Redis takes: a counter, which is added to and rarely read.
    Integer(i64),
    Hash(Box<Hash>),
    List(Box<List>),
    Set(Box<Set>),
    Sorted(Box<Sorted>),
}

pub(crate) type Hash = Fields<Bytes>;
pub(crate) type Set = Fields<()>;
pub(crate) type Sorted = Fields<f64>;

impl Value {
    /// The word that `TYPE` answers.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Integer(_) => "string",
            Self::Hash(_) => "hash",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Sorted(_) => "zset",
        }
    }

    /// What `GET` answers; nothing for a collection.
    pub(crate) fn text(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.to_bytes()),
            Self::Integer(number) => {
                let mut digits = itoa::Buffer::new();
                Some(detached(digits.format(*number).as_bytes()))
            }
            _ => None,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.as_slice().len(),
            Self::Integer(number) => digits(*number),
            Self::Hash(hash) => hash.bytes,
            Self::List(list) => list.bytes,
            Self::Set(set) => set.bytes,
            Self::Sorted(sorted) => sorted.bytes,
        }
    }
}

/// A text. Whether it is UTF-8 is seen where that is first asked: most values are read more often than they are written.
#[derive(Debug)]
pub(crate) enum Text {
    Any(Bytes),
    Utf8(ByteString),
}

impl Text {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Any(bytes) => bytes,
            Self::Utf8(text) => text.as_bytes(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Any(bytes) => bytes.clone(),
            Self::Utf8(text) => text.as_bytes().clone(),
        }
    }

    /// The same as a string, if it is one.
    #[inline]
    pub(crate) fn utf8(&mut self) -> Option<ByteString> {
        if let Self::Any(bytes) = self {
            let text = ByteString::try_from(bytes.clone()).ok()?;
            *self = Self::Utf8(text);
        }
        match self {
            Self::Utf8(text) => Some(text.clone()),
            Self::Any(_) => None,
        }
    }
}

/// How many bytes a number has as a text.
pub(crate) fn digits(number: i64) -> usize {
    let more = number.unsigned_abs().checked_ilog10().unwrap_or(0);
    usize::from(number < 0) + 1 + usize::try_from(more).unwrap_or(0)
}

/// A value of several items. A key whose collection became empty goes away, as in Redis.
pub(crate) trait Collection: Default {
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
    fn is_empty(&self) -> bool;
    fn bytes(&self) -> usize;
}

macro_rules! collection {
    ($type:ty, $variant:ident, $items:ident) => {
        impl Collection for $type {
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$variant(it) => Some(it),
                    _ => None,
                }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$variant(it) => Some(it),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(Box::new(self))
            }

            fn is_empty(&self) -> bool {
                self.$items.is_empty()
            }

            fn bytes(&self) -> usize {
                self.bytes
            }
        }
    };
}

collection!(Hash, Hash, entries);
collection!(Set, Set, entries);
collection!(Sorted, Sorted, entries);
collection!(List, List, items);

/// What hangs on a field weighs something too.
pub(crate) trait Weigh {
    fn weight(&self) -> usize;
}

impl Weigh for Bytes {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl Weigh for () {
    fn weight(&self) -> usize {
        0
    }
}

impl Weigh for f64 {
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// Names with something on each: a hash, a set, a sorted set.
#[derive(Debug)]
pub(crate) struct Fields<V> {
    entries: Index<V>,
    bytes: usize,
}

impl<V> Default for Fields<V> {
    fn default() -> Self {
        Self {
            entries: index(),
            bytes: 0,
        }
    }
}

impl<V: Weigh> Fields<V> {
    pub(crate) fn get(&self, name: &[u8]) -> Option<&V> {
        self.entries.get(name)
    }

    /// Whether the name is new.
    pub(crate) fn insert(&mut self, name: &Bytes, value: V) -> bool {
        self.bytes += value.weight();
        if let Some(old) = self.entries.get_mut(name) {
            self.bytes -= old.weight();
            *old = value;
            return false;
        }
        self.bytes += name.len() + ITEM;
        self.entries.insert(detached(name), value);
        true
    }

    pub(crate) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(old) = self.entries.swap_remove(name) else {
            return false;
        };
        self.bytes -= old.weight() + name.len() + ITEM;
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Bytes, &V)> {
        self.entries.iter()
    }

    /// See [`scan`].
    pub(crate) fn scan(
        &self,
        cursor: usize,
        count: usize,
    ) -> (usize, impl Iterator<Item = (&Bytes, &V)>) {
        scan(&self.entries, cursor, count)
    }
}

/// A list.
#[derive(Debug, Default)]
pub(crate) struct List {
    items: Vec<Bytes>,
    bytes: usize,
}

impl List {
    pub(crate) fn push(&mut self, item: &Bytes) {
        self.bytes += item.len() + ITEM;
        self.items.push(detached(item));
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn range(&self, start: usize, end: usize) -> impl Iterator<Item = &Bytes> {
        self.items
            .iter()
            .skip(start)
            .take(end.saturating_sub(start))
    }
}

/// A copy that keeps no larger buffer alive, so that the accounting is true.
pub(crate) fn detached(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// One page from the end towards the front, and the next cursor (0: done). Removal moves the last
/// entry into the gap, so an entry that was not visited stays below the cursor: whatever is there
/// from the first page to the last is returned at least once, as `SCAN` promises.
pub(crate) fn scan<V>(
    entries: &Index<V>,
    cursor: usize,
    count: usize,
) -> (usize, impl Iterator<Item = (&Bytes, &V)>) {
    let end = match cursor {
        0 => entries.len(),
        cursor => cursor.min(entries.len()),
    };
    let start = end.saturating_sub(count);
    let page = (start..end)
        .rev()
        .filter_map(|index| entries.get_index(index));
    (start, page)
}
