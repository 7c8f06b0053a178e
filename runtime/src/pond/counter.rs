//! Counters by hand.

use super::Millpond;
use crate::error::Error;
use crate::key::Key;
use std::time::Duration;

impl Millpond {
    /// Adds to a counter and returns the sum. A counter that does not exist counts as 0. It is stored as a
    /// decimal number, which every other client of the database understands, and [`get::<i64>`](Self::get)
    /// reads it.
    ///
    /// A lifetime applies to a counter that this call creates; an existing counter keeps its own. Both happen
    /// in one step, so no counter is left without its lifetime.
    ///
    /// # Errors
    /// [`ErrorKind::NotANumber`](crate::ErrorKind::NotANumber) and
    /// [`ErrorKind::Overflow`](crate::ErrorKind::Overflow), with nothing changed;
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a lifetime of zero;
    /// [`ErrorKind::OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown) if no answer came back: the command is
    /// then not repeated, because it might count twice. Also the errors of [any command](crate::ErrorKind).
    ///
    /// # Cancel safety
    /// If the future is dropped, the counter changes once or not at all.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, ttl};
    ///
    /// let pond = Millpond::memory();
    /// assert_eq!(pond.increment("post:123:views", 1, None).await?, 1);
    /// assert_eq!(pond.increment("visits:2026-11-24", 10, ttl::WEEK).await?, 10);
    /// assert_eq!(pond.get::<i64>("post:123:views").await?, Some(1));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn increment(
        &self,
        key: impl Into<Key>,
        by: i64,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<i64, Error> {
        self.0.client.increment(key, by, ttl).await
    }

    /// Subtracts from a counter and returns the result, which may be negative. Otherwise like
    /// [`increment`](Self::increment).
    ///
    /// # Errors
    /// As [`increment`](Self::increment).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.increment("user:123:credits", 5, None).await?;
    /// assert_eq!(pond.decrement("user:123:credits", 2, None).await?, 3);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn decrement(
        &self,
        key: impl Into<Key>,
        by: i64,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<i64, Error> {
        self.0.client.decrement(key, by, ttl).await
    }
}
