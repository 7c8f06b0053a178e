//! What kind of value is stored, as far as its first bytes tell.

use std::fmt;

/// What the bytes of a stored value look like; see [`Explanation::value`](crate::Explanation::value).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, ValueKind, ttl};
///
/// let pond = Millpond::memory();
/// pond.set("user:42", &None::<u8>, ttl::SHORT).await?;
/// assert_eq!(pond.explain("user:42").await?.value(), Some(ValueKind::Null));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// JSON: what millpond stores, and most other clients.
    Json,
    /// A cached `None`: known to be nothing.
    Null,
    /// Text that is no JSON; it reads as a `String`, which is how `@upstash/redis` writes strings.
    Text,
    /// A header of millpond's with the value behind it, compressed or encrypted.
    Envelope,
    /// None of these. A read of it fails, and the next load overwrites it.
    Unknown,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Null => "a cached `None`",
            Self::Text => "plain text",
            Self::Envelope => "compressed or encrypted",
            Self::Unknown => "nothing that millpond knows",
        })
    }
}
