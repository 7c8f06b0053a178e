//! `#[cached]` puts a cache in front of a function.
//!
//! `key → flight → store → decode → body → encode → store`

mod cache;
mod config;
mod entry;
mod error;
mod json;
mod key;
mod pond;
mod rt;
mod scope;
mod stats;
mod store;
mod value;

pub mod limit;
pub mod prefix;
pub mod ttl;

#[doc(hidden)]
pub mod __private;

pub use config::Builder;
pub use entry::{Entry, Invalidation, Lookup, PutAs, ValueEntry};
pub use error::{Error, ErrorKind};
pub use key::Key;
pub use pond::{Millpond, Pipeline, TimeLeft};
pub use rt::ManualClock;
pub use scope::{current, install};
pub use stats::{CacheStats, Stats};
pub use store::command::Reply;
pub use value::NULL_SENTINEL;
