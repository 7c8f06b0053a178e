//! Invalidation by pattern: it scans the whole database, so it is for keys that cannot be named otherwise.

use crate::cache::Cache;
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key, is_beside};
use crate::reply::{int, no_reply};
use crate::store::command::{Command, Effect};
use crate::store::glob;
use bytes::Bytes;
use std::fmt;

/// A glob that selects keys, as Redis reads it: `*` stands for any text, `?` for one byte, `[ab]` and `[a-z]`
/// for one of the given bytes, and `\` before a character for that character itself.
///
/// ```
/// use millpond::{Pattern, key};
///
/// let name = "what*ever";
/// assert_eq!(Pattern::from("user:*").as_str(), "user:*");
/// assert_eq!(Pattern::under(key!("user:<name>")).as_str(), "user:what%2Aever:*");
/// assert_eq!(Pattern::escape(name), r"what\*ever");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: String,
    /// Why the key that the pattern was made from cannot be used.
    problem: Option<&'static str>,
}

impl Pattern {
    /// Every key that begins with this one and a colon: `user:42` gives `user:42:*`. Glob characters in the key are
    /// escaped.
    ///
    /// ```
    /// use millpond::Pattern;
    /// assert_eq!(Pattern::under("user:42").as_str(), "user:42:*");
    /// ```
    pub fn under(key: impl Into<Key>) -> Self {
        let key = key.into();
        Self {
            text: format!("{}:*", Self::escape(key.as_str())),
            problem: key.problem(),
        }
    }

    /// Escapes text that is to be taken literally in a pattern, such as a name that a user chose: it could contain
    /// a `*`.
    ///
    /// ```
    /// use millpond::Pattern;
    /// let file = "a[1]";
    /// assert_eq!(format!("thumb:{}:*", Pattern::escape(file)), r"thumb:a\[1\]:*");
    /// ```
    pub fn escape(text: &str) -> String {
        glob::escape(text)
    }

    /// The text of the pattern.
    ///
    /// ```
    /// assert_eq!(millpond::Pattern::from("api:*").as_str(), "api:*");
    /// ```
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// An error for a pattern that would match every key.
    fn check(&self) -> Result<(), Error> {
        if let Some(problem) = self.problem {
            return Err(Error::new(ErrorKind::InvalidKey, problem));
        }
        let mut rest = self.text.as_bytes();
        let names_something = loop {
            rest = match rest {
                [] => break false,
                [b'*' | b'?' | b':', rest @ ..] => rest,
                [b'[', rest @ ..] => {
                    let end = rest.iter().position(|byte| *byte == b']');
                    end.and_then(|end| rest.get(end + 1..)).unwrap_or_default()
                }
                [_, ..] => break true,
            };
        };
        if names_something {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidValue,
            "the pattern names no part of a key and would match every key; write a prefix, as in user:*",
        ))
    }
}

/// Without the text, which may hold the parts of a key.
impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            text,
            problem: None,
        }
    }
}

impl Cache {
    pub(crate) async fn invalidate_pattern(
        &self,
        pattern: impl Into<Pattern>,
    ) -> Result<u64, Error> {
        let pattern = pattern.into();
        pattern.check()?;
        if self.client.cluster {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "on Redis Cluster each node walks through its own keys only; name the keys and use \
                 delete_many",
            ));
        }
        let pattern = self.client.named(pattern.as_str()).into_owned();
        // Whoever comes from now on starts a load of its own.
        let detach = || {
            let matching = |key: &str| glob::matches(pattern.as_bytes(), key.as_bytes());
            self.flights.detach_where(matching);
            self.backgrounds.detach_where(matching);
            let named = |key: &str| matching(&self.client.named(key));
            self.local.forget_where(named);
        };
        detach();
        let (mut cursor, mut removed) = ("0".to_owned(), 0);
        loop {
            let (next, mut doomed) = self.client.page_of_keys(&cursor, &pattern).await?;
            doomed.retain(|key| !is_beside(&String::from_utf8_lossy(key)));
            if !doomed.is_empty() {
                let name = Bytes::from_static(b"DEL");
                let told: Vec<FullKey> = doomed.iter().map(full).collect();
                let words = std::iter::once(name).chain(doomed);
                let delete = vec![Command::new(Effect::Repeatable, words)];
                let within = self.client.settings.budget;
                let tell = self.client.telling(&mut told.iter());
                let sent = self.client.send_and_tell(delete, tell, within);
                let (mut replies, told) = sent.await;
                let reply = replies.pop().unwrap_or_else(|| Err(no_reply()))?;
                told?;
                removed += u64::try_from(int(&reply)?).unwrap_or(0);
                // Those who came before the answer may have read what is gone now.
                detach();
            }
            if next == "0" {
                return Ok(removed);
            }
            cursor = next;
        }
    }
}

/// A key as a server lists it.
fn full(key: &Bytes) -> FullKey {
    FullKey::new(&String::from_utf8_lossy(key))
}
