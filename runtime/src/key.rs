//! Keys: how arguments become text. Two argument lists whose parts differ never share a key.

use crate::error::{Error, ErrorKind};
use crate::hex::hex;
use crate::json::{self, Order};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::{self, Display, Write};

/// The longest key that Upstash takes, in bytes.
/// Source: <https://upstash.com/docs/redis/troubleshooting/max_key_size_exceeded>.
/// A kilobyte less, for the namespace and for what the name of the guard adds.
const MAX_KEY: usize = 31 * 1024;

/// A part longer than this many bytes is stored as `%~` and its SHA-256.
const MAX_PART: usize = 256;

/// The key of a stored value, without the namespace of the [`Millpond`](crate::Millpond) that it is used
/// with.
///
/// [`key!`](crate::key) and the attributes encode the parts of a key. A key that is made from a string is
/// used as it is.
///
/// ```
/// use millpond::{Key, key};
///
/// let (user_id, page) = (42, "a:b");
/// assert_eq!(key!("user:<user_id>:<page>").as_str(), "user:42:a%3Ab");
/// assert_eq!(Key::from("user:42").as_str(), "user:42");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: String,
    prefix: usize,
    problem: Option<&'static str>,
}

impl Key {
    /// The text of the key.
    ///
    /// ```
    /// assert_eq!(millpond::Key::from("config:models").as_str(), "config:models");
    /// ```
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the first `:`, without a version; empty if there is no `:`.
    ///
    /// ```
    /// assert_eq!(millpond::Key::from("config:models").prefix(), "config");
    /// ```
    pub fn prefix(&self) -> &str {
        self.text.get(..self.prefix).unwrap_or_default()
    }

    /// Why this key cannot be used, if it cannot.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.problem {
            Some(problem) => Some(problem),
            None if self.text.is_empty() => Some("the key is empty; give it a name"),
            None if self.text.len() > MAX_KEY => {
                Some("the key is longer than 31 KiB; hash the long part with <name:sha256>")
            }
            None => None,
        }
    }

    /// The same as an error.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let unusable = |problem| Error::new(ErrorKind::InvalidKey, problem);
        self.problem()
            .map_or(Ok(()), |problem| Err(unusable(problem)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The prefix only: the rest comes from arguments, which may be personal data. [`Key::as_str`] and `Display`
/// show the whole key.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("prefix", &self.prefix())
            .finish_non_exhaustive()
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        let prefix = text.find(':').unwrap_or(0);
        Self {
            text,
            prefix,
            problem: None,
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// What a list of texts has for items, when it is lent.
impl From<&&str> for Key {
    fn from(text: &&str) -> Self {
        (*text).into()
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        text.clone().into()
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

/// A key as the server knows it, namespace included, with the name of its guard.
#[derive(Clone, Debug)]
pub(crate) struct FullKey {
    pub(crate) value: Bytes,
    pub(crate) guard: Bytes,
}

impl FullKey {
    pub(crate) fn new(name: Cow<'_, str>) -> Self {
        Self {
            guard: beside(&name, GUARD).into(),
            value: name.into_owned().into(),
        }
    }

    /// The name as text, which is what flights are called by.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

const GUARD: &str = "guard";

/// What the key is called that holds the number of a lock's last holder.
pub(crate) const FENCE: &str = "fence";

/// The name of a key that goes with another one, in the same slot of a cluster.
pub(crate) fn beside(key: &str, what: &str) -> String {
    // On the way of every call, so it is put together in one piece.
    if has_hash_tag(key) {
        [key, ":", what].concat()
    } else {
        ["{", key, "}:", what].concat()
    }
}

/// Whether a name that a server lists is that of a guard, or of a lock's number.
pub(crate) fn is_beside(name: &str) -> bool {
    name.rsplit_once(':')
        .is_some_and(|(key, what)| [GUARD, FENCE].contains(&what) && has_hash_tag(key))
}

/// Whether Redis Cluster takes only a part of this key for its slot.
/// Source: <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>.
fn has_hash_tag(key: &str) -> bool {
    key.split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .is_some_and(|(tag, _)| !tag.is_empty())
}

/// One encoded part, for a namespace.
pub(crate) fn encoded(text: &str) -> String {
    let mut part = text.to_owned();
    encode_from(&mut part, 0);
    part
}

/// Whether a character must be written as `%XX`.
fn is_special(c: char) -> bool {
    matches!(c, ':' | '%' | '{' | '}' | '*' | '?' | '[' | ']' | '\\')
        || c.is_whitespace()
        || c.is_control()
}

/// Encodes what stands behind `start`, in place.
fn encode_from(text: &mut String, start: usize) {
    let raw = &text[start..];
    if raw.len() > MAX_PART {
        let digest = hex(&Sha256::digest(raw.as_bytes()));
        text.truncate(start);
        text.push_str("%~");
        text.push_str(&digest);
    } else if raw.contains(is_special) {
        let raw = text.split_off(start);
        for c in raw.chars() {
            if is_special(c) {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "%{byte:02X}");
                }
            } else {
                text.push(c);
            }
        }
    }
}

/// Builds a key from a template; the macros drive it.
#[derive(Debug)]
pub struct KeyWriter {
    text: String,
    prefix: usize,
    parted: bool,
    problem: Option<&'static str>,
}

impl KeyWriter {
    /// A key under this prefix and version.
    pub(crate) fn under(prefix: &str, version: Option<u32>) -> Self {
        let mut text = String::with_capacity(prefix.len() + 48);
        text.push_str(prefix);
        if let Some(version) = version {
            let _ = write!(text, "@{version}");
        }
        Self {
            text,
            prefix: prefix.len(),
            parted: false,
            problem: None,
        }
    }

    /// The colon between the prefix and the rest.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.parted, true) {
            self.text.push(':');
        }
    }

    /// Text of the template.
    pub fn literal(&mut self, text: &'static str) {
        self.begin();
        self.text.push_str(text);
    }

    /// `<name>`
    pub fn part<T: KeyPart + ?Sized>(&mut self, value: &T) {
        self.begin();
        let start = self.text.len();
        if value.render(&mut self.text).is_err() {
            self.problem = Some(
                "the Display of an argument in the key failed; mend it, or use another template",
            );
        }
        encode_from(&mut self.text, start);
    }

    /// `<name?>`
    pub fn optional<O: OptionalPart + ?Sized>(&mut self, value: &O) {
        value.write_to(self);
    }

    /// `<name:sha256>`
    pub fn hashed<T: HashedPart + ?Sized>(&mut self, value: &T) {
        self.begin();
        match value.canonical() {
            Some(text) => self.text.push_str(&hex(&Sha256::digest(text))),
            None => {
                self.problem = Some(
                    "an argument under :sha256 has no canonical JSON (a number that is not \
                     finite, a map key that is no string, or a `Some(None)`); hash something \
                     else, or leave it out with skip(...)",
                );
            }
        }
    }

    /// The key. One that cannot be used says so on use.
    pub fn finish(self) -> Key {
        Key {
            text: self.text,
            prefix: self.prefix,
            problem: self.problem,
        }
    }
}

/// What may stand in a key as `<name>`: anything with `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key: it does not implement `Display`",
    label = "this type has no text for the key",
    note = "write `<name:sha256>` to use the hash of its JSON, `<name?>` if it is an `Option`, \
            `<name.field>` for one of its fields, or `skip(name)` to leave it out of the key"
)]
pub trait KeyPart {
    #[doc(hidden)]
    fn render(&self, out: &mut String) -> fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> KeyPart for T {
    fn render(&self, out: &mut String) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// What may stand in a key as `<name:sha256>`: anything with `Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be hashed into a cache key: it does not implement `Serialize`",
    label = "this type has no JSON for the key",
    note = "derive `serde::Serialize` for it, or write `skip(name)` to leave it out of the key"
)]
pub trait HashedPart {
    #[doc(hidden)]
    fn canonical(&self) -> Option<Vec<u8>>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> HashedPart for T {
    fn canonical(&self) -> Option<Vec<u8>> {
        json::write(self, Order::Sorted).ok()
    }
}

/// What may stand in a key as `<name?>`: an `Option` of something with `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a cache key as `<name?>`: it is not an `Option` of \
               something with `Display`",
    label = "not an `Option` with text",
    note = "write `<name>` for a value that is always there, or `<name:sha256>`"
)]
pub trait OptionalPart {
    #[doc(hidden)]
    fn write_to(&self, writer: &mut KeyWriter);
}

impl<T: KeyPart> OptionalPart for Option<T> {
    fn write_to(&self, writer: &mut KeyWriter) {
        match self {
            Some(value) => writer.part(value),
            // Data cannot produce this: a `%` of its own is written as `%25`.
            None => writer.literal("%-"),
        }
    }
}

impl<O: OptionalPart + ?Sized> OptionalPart for &O {
    fn write_to(&self, writer: &mut KeyWriter) {
        (**self).write_to(writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_of_a_key_lives_in_its_slot() {
        let guard = |key: &str| String::from_utf8(FullKey::new(key.into()).guard.to_vec()).unwrap();
        assert_eq!(guard("user:42"), "{user:42}:guard");
        assert_eq!(guard("user:{42}:posts"), "user:{42}:posts:guard");
        assert_eq!(guard("user:{}"), "{user:{}}:guard");
    }
}
