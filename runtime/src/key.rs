//! Keys: how arguments become text. Two argument lists whose parts differ never share a key.

mod escape;
mod full;
pub(crate) mod scratch;
mod short;
mod tag;
mod writer;

use crate::error::{Error, ErrorKind};
pub(crate) use escape::{encoded, is_encoded_in_parts};
pub(crate) use full::{FENCE, FullKey, KeyKind, LEASE, beside, is_beside};
pub(crate) use short::Short;
use std::fmt;
pub use tag::Tag;
pub(crate) use tag::{FAMILY, TAG};
pub use writer::{HashedPart, KeyPart, KeyWriter, OptionalPart, ShortKey};

/// The longest key that Upstash takes, in bytes.
/// Source: <https://upstash.com/docs/redis/troubleshooting/max_key_size_exceeded>.
/// A kilobyte less, for the namespace and for what the name of the guard adds.
const MAX_KEY: usize = 31 * 1024;

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
            None if self.text.starts_with(TAG) => {
                Some("a key that begins with `@tag:` belongs to a tag; begin it differently")
            }
            None if self.text.len() > MAX_KEY => {
                Some("the key is longer than 31 KiB; hash the long part with <name:sha256>")
            }
            None => None,
        }
    }

    /// Whether it was made of arguments that it cannot be made of.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.problem.is_some()
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
