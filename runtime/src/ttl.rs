//! Lifetimes with names. Add your own beside them: any `const` of type `Duration` serves.
//!
//! ```
//! use millpond::{cached, ttl};
//! use std::time::Duration;
//!
//! const REALTIME: Duration = Duration::from_secs(10);
//!
//! #[cached(prefix = "status", ttl = REALTIME)]
//! async fn status() -> u8 { 1 }
//!
//! #[cached(prefix = "config", ttl = ttl::LONG)]
//! async fn config() -> u8 { 1 }
//! ```

use crate::error::{Error, ErrorKind};
use bytes::Bytes;
use std::time::Duration;

/// One minute: what changes all the time, and cached `None`s.
pub const SHORT: Duration = Duration::from_secs(60);

/// Five minutes: API responses, preferences. The default.
pub const MEDIUM: Duration = Duration::from_secs(5 * 60);

/// One hour: configuration, static content.
pub const LONG: Duration = Duration::from_secs(3_600);

/// 24 hours: aggregates.
pub const EXTENDED: Duration = Duration::from_secs(24 * 3_600);

/// Seven days: reference data.
pub const WEEK: Duration = Duration::from_secs(168 * 3_600);

/// The longest lifetime that is accepted: a hundred years, far below what overflows in Redis.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A lifetime in milliseconds, as an argument.
pub(crate) fn lifetime(ttl: Duration) -> Result<Bytes, Error> {
    if ttl.as_millis() == 0 || ttl > CENTURY {
        return Err(Error::new(
            ErrorKind::InvalidValue,
            "the lifetime is under 1 ms or over 100 years; give one in between",
        ));
    }
    Ok(ttl.as_millis().to_string().into())
}
