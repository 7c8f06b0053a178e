//! Tags: groups of entries that are invalidated at once.

use super::{Key, KeyWriter};
use crate::error::{Error, ErrorKind};
use std::fmt;

/// What stands in front of the name of a tag. No prefix of data holds an `@`.
pub(crate) const TAG: &str = "@tag:";

/// What the name of a tag begins with that may come from a value.
const OF_VALUE: &str = "~";

/// The key of the tag that moves with each of those.
pub(crate) const FAMILY: &str = "@tag:~";

/// A group of cached values that can be invalidated at once: one command, however many values there are.
///
/// [`macro@crate::tag`] makes a function that gives one; this is for tags by hand. A tag is a key that holds a random
/// word. A value that is stored under it remembers the word, and is a miss once the word is another one.
///
/// A tag that a value itself names, through the option `tags_of` of [`macro@crate::cached`], begins with `~`. To
/// invalidate it takes two commands instead of one: a load under way cannot know that its value will have the tag.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, Tag, cached, key};
///
/// #[cached(prefix = "page", key = "<site>:<path>", tags("site:<site>"))]
/// async fn page(site: u32, path: &str) -> String { format!("{site}{path}") }
///
/// let site = 7;
/// assert_eq!(Tag::from(key!("site:<site>")), Tag::new("site:7"));
/// # let pond = Millpond::memory();
/// # pond.scope(async {
/// page(7, "/").await;
/// Tag::new("site:7").invalidate().await?;
/// page(7, "/").await;
/// # Ok::<_, millpond::Error>(()) }).await?;
/// # assert_eq!(pond.stats().cache.loads, 2);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Tag(Key);

impl Tag {
    /// The tag of this name, which is used as it is.
    ///
    /// ```
    /// assert_eq!(millpond::Tag::new("org:7").as_str(), "org:7");
    /// ```
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into().into())
    }

    /// The name of the tag.
    ///
    /// ```
    /// assert_eq!(millpond::Tag::new("org:7").as_str(), "org:7");
    /// ```
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn key(&self) -> &Key {
        &self.0
    }

    /// The tag that moves with each one that may come from a value: a load that does not know yet which tags its
    /// value will have compares this one.
    pub(crate) fn family() -> Self {
        Self::new(OF_VALUE)
    }

    /// Whether it may come from a value, which its name says, so that everyone who invalidates it knows.
    pub(crate) fn may_come_from_a_value(&self) -> bool {
        self.as_str().starts_with(OF_VALUE)
    }

    /// Why this tag cannot be used, if it cannot.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.as_str().is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidKey,
                "a tag is empty; give it a name",
            ));
        }
        self.0.check()
    }
}

/// Only the first segment: the rest comes from arguments, which may be personal data.
impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tag")
            .field("prefix", &self.0.prefix())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Key> for Tag {
    fn from(key: Key) -> Self {
        Self(key)
    }
}

impl From<&str> for Tag {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Tag {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl KeyWriter {
    /// The writer for a tag: all of it comes from the template.
    pub fn tag() -> Self {
        Self::whole()
    }
}
