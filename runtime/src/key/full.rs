//! A key as the server knows it, and the keys that go with it.

use bytes::Bytes;
use std::borrow::Cow;

/// A key as the server knows it, namespace included, with the name of its guard.
#[derive(Clone, Debug)]
pub(crate) struct FullKey {
    pub(crate) value: Bytes,
    pub(crate) guard: Bytes,
    pub(crate) kind: KeyKind,
    /// Whether processes keep what stands under it, so that they are to be told when it moves.
    pub(crate) is_near: bool,
}

/// What stands under a key, which decides how it is invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A value with a guard.
    Guarded,
    /// A value of a function with `guard = false`.
    Unguarded,
    /// The nonce of a tag.
    Tag,
    /// The nonce of a tag that may come from a value: the family of those moves in front of it.
    TagOfValue,
}

/// A text of few bytes, without memory of its own.
struct Inline {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Inline {
    const MOST: usize = 120;

    /// These parts, if they are short enough.
    fn of(parts: &[&str]) -> Option<Self> {
        let mut bytes = [0; Self::MOST];
        let mut len = 0;
        for part in parts {
            let end = len + part.len();
            bytes.get_mut(len..end)?.copy_from_slice(part.as_bytes());
            len = end;
        }
        Some(Self { bytes, len })
    }
}

impl AsRef<[u8]> for Inline {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl FullKey {
    pub(crate) fn new(name: &str) -> Self {
        // On the way of every call, so both are parts of one piece.
        let (before, behind) = beside_in_slot(name);
        let parts = [name, before, name, behind, GUARD];
        let mut value = Inline::of(&parts).map_or_else(
            || Bytes::from(parts.concat()),
            // With the count of its owners in the same piece.
            Bytes::from_owner,
        );
        let guard = value.split_off(name.len());
        Self {
            guard,
            value,
            kind: KeyKind::Guarded,
            is_near: false,
        }
    }

    /// The key of a tag.
    pub(crate) fn of_tag(name: String, may_come_from_a_value: bool) -> Self {
        Self {
            guard: Bytes::new(),
            value: name.into(),
            kind: if may_come_from_a_value {
                KeyKind::TagOfValue
            } else {
                KeyKind::Tag
            },
            is_near: false,
        }
    }

    /// Whether it is the key of a tag.
    pub(crate) fn is_tag(&self) -> bool {
        matches!(self.kind, KeyKind::Tag | KeyKind::TagOfValue)
    }

    /// Whether the family of the tags that come from values has to move before this does.
    pub(crate) fn moves_family(&self) -> bool {
        self.kind == KeyKind::TagOfValue
    }

    /// The same, of a value that processes keep.
    pub(crate) fn near(self, is_near: bool) -> Self {
        Self { is_near, ..self }
    }

    /// The same, of a value without a guard.
    pub(crate) fn unguarded(self) -> Self {
        Self {
            kind: KeyKind::Unguarded,
            ..self
        }
    }

    /// The name as text, which is what flights are called by.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.value)
    }

    /// The hash in which processes give up what they wrote under this key.
    pub(crate) fn doubt(&self) -> Bytes {
        // Only changes need it, so that reads do not put its name together.
        beside(&self.text(), DOUBT).into()
    }
}

const GUARD: &str = "guard";
const DOUBT: &str = "doubt";

/// What the key is called that holds the number of a lock's last holder.
pub(crate) const FENCE: &str = "fence";

/// What the key is called that holds who loads a value for all processes.
pub(crate) const LEASE: &str = "lease";

/// The name of a key that goes with another one, in the same slot of a cluster.
pub(crate) fn beside(key: &str, what: &str) -> String {
    let (before, behind) = beside_in_slot(key);
    [before, key, behind, what].concat()
}

/// What stands before and behind a key in such a name.
fn beside_in_slot(key: &str) -> (&'static str, &'static str) {
    if has_hash_tag(key) {
        ("", ":")
    } else {
        ("{", "}:")
    }
}

/// Whether a name that a server lists is that of a guard, of a doubt, of a lease, or of a lock's number.
pub(crate) fn is_beside(name: &str) -> bool {
    name.rsplit_once(':')
        .is_some_and(|(key, what)| is_reserved(what.as_bytes()) && has_hash_tag(key))
}

/// Whether this is what the last segment of such a name is. Data never is: as a part of a key it is encoded.
pub(crate) fn is_reserved(segment: &[u8]) -> bool {
    segment.len() == RESERVED_LENGTH && ends_in_reserved(segment)
}

/// Whether a key ends in one, be it a whole segment or not: a look at its last bytes, since every key is asked.
#[inline]
pub(super) fn ends_reserved(key: &[u8]) -> bool {
    ends_like_reserved(key) && ends_in_reserved(key)
}

/// Whether the last byte is that of a reserved word. Most keys end in a digit.
#[inline]
pub(super) fn ends_like_reserved(key: &[u8]) -> bool {
    matches!(key.last(), Some(b'd' | b't' | b'e'))
}

fn ends_in_reserved(key: &[u8]) -> bool {
    let ends = |word: &&str| key.ends_with(word.as_bytes());
    RESERVED.iter().any(ends)
}

const RESERVED: [&str; 4] = [GUARD, DOUBT, FENCE, LEASE];

/// That of each of them.
const RESERVED_LENGTH: usize = {
    let length = GUARD.len();
    assert!(DOUBT.len() == length && FENCE.len() == length && LEASE.len() == length);
    length
};

/// Whether Redis Cluster takes only a part of this key for its slot.
/// Source: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>.
fn has_hash_tag(key: &str) -> bool {
    let key = key.as_bytes();
    let find = |from: usize, wanted: u8| key.iter().skip(from).position(|byte| *byte == wanted);
    // The first `}` behind the first `{`, and not right behind it.
    find(0, b'{').is_some_and(|opened| find(opened + 1, b'}').is_some_and(|length| length > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_of_a_key_lives_in_its_slot() {
        let guard = |key: &str| String::from_utf8(FullKey::new(key).guard.to_vec()).unwrap();
        assert_eq!(guard("user:42"), "{user:42}:guard");
        assert_eq!(guard("user:{42}:posts"), "user:{42}:posts:guard");
        assert_eq!(guard("user:{}"), "{user:{}}:guard");
        assert_eq!(FullKey::new("user:42").doubt(), "{user:42}:doubt");
    }
}
