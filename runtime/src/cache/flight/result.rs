//! What a flight gives its waiters.

use crate::local::Value;
use bytes::Bytes;
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An error of the function's own type, for waiters to clone.
pub(crate) type SharedError = Arc<Mutex<dyn Any + Send>>;

/// What a load came to, as far as it can be shared.
#[derive(Clone)]
pub(crate) enum FlightResult {
    /// The plain form of a value.
    Value(Bytes),
    /// That of an old one, and how old it is at most.
    Old(Bytes, Option<Duration>),
    /// A value that stays in this process.
    Kept(Value),
    /// An error that can be cloned.
    Error(SharedError),
}
