//! First segments of keys, as the other services on the same database use them. Add your own beside
//! them: any `const` of type `&str` serves.
//!
//! ```
//! use millpond::{cached, prefix};
//!
//! const PAYMENT: &str = "payment";
//!
//! #[cached(prefix = PAYMENT, key = "invoice:<id>")]
//! async fn invoice(id: u64) -> u64 { id }
//!
//! #[cached(prefix = prefix::USER, key = "<id>")]
//! async fn user(id: u64) -> u64 { id }
//! ```

/// Users.
pub const USER: &str = "user";

/// Sessions.
pub const SESSION: &str = "session";

/// Configuration.
pub const CONFIG: &str = "config";

/// Responses of other services.
pub const API: &str = "api";

/// Models.
pub const MODEL: &str = "model";

/// Generated results.
pub const GENERATION: &str = "gen";

/// Images.
pub const IMAGE: &str = "image";

/// Videos.
pub const VIDEO: &str = "video";
