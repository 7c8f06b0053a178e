//! The limits of the Upstash guide.

use super::Limit;
use std::time::Duration;

/// 100 calls a minute: general API endpoints. The numbers are those of the Upstash guide.
///
/// ```
/// use millpond::limit;
/// assert_eq!((limit::API.units(), limit::API.window().as_secs()), (100, 60));
/// ```
pub const API: Limit = Limit::sliding_window("API", 100, MINUTE);

/// 10 calls a minute: generation of images, videos, texts.
///
/// ```
/// assert_eq!(millpond::limit::GENERATION.units(), 10);
/// ```
pub const GENERATION: Limit = Limit::sliding_window("GENERATION", 10, MINUTE);

/// 5 calls a minute: login and sign-up, against guessing.
///
/// ```
/// assert_eq!(millpond::limit::AUTH.units(), 5);
/// ```
pub const AUTH: Limit = Limit::sliding_window("AUTH", 5, MINUTE);

/// 200 calls a minute: public, read-only endpoints.
///
/// ```
/// assert_eq!(millpond::limit::PUBLIC.units(), 200);
/// ```
pub const PUBLIC: Limit = Limit::sliding_window("PUBLIC", 200, MINUTE);

/// All of the above.
pub(super) const BUILT_IN: [Limit; 4] = [API, GENERATION, AUTH, PUBLIC];

const MINUTE: Duration = Duration::from_secs(60);
