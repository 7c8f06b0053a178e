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
