//! millpond
mod error;
pub mod limit;
mod rt;
mod stats;
mod store;

pub use error::{Error, ErrorKind};
pub use rt::ManualClock;
pub use store::command::Reply;
