//! How long a key has left.

use crate::error::Error;
use crate::reply::int;
use crate::store::command::Reply;
use std::time::Duration;

/// How long a key has left.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, TimeLeft, ttl};
///
/// let pond = Millpond::memory();
/// assert_eq!(pond.ttl("user:42").await?, TimeLeft::Missing);
/// pond.set("user:42", "Ada", ttl::SHORT).await?;
/// assert!(pond.ttl("user:42").await?.duration() <= Some(ttl::SHORT));
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLeft {
    /// There is no such key.
    Missing,
    /// The key does not expire.
    Forever,
    /// It expires after this time, known to the millisecond.
    Left(Duration),
}

impl TimeLeft {
    /// The time left, for a key that expires.
    ///
    /// ```
    /// assert_eq!(millpond::TimeLeft::Forever.duration(), None);
    /// ```
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Left(left) => Some(left),
            Self::Missing | Self::Forever => None,
        }
    }

    /// The reply to `PTTL`.
    pub(crate) fn read(reply: &Reply) -> Result<Self, Error> {
        Ok(match int(reply)? {
            -1 => Self::Forever,
            left => u64::try_from(left).map_or(Self::Missing, |left| {
                Self::Left(Duration::from_millis(left))
            }),
        })
    }
}
