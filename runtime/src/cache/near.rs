//! What a load remembers for the local tier.

use crate::codec::Times;
use crate::local::{Sample, Value};

/// What a load needs to keep its value.
pub(super) struct Near {
    pub(super) sample: Sample,
    /// What is to be kept, once it is stored.
    pub(super) value: Option<Value>,
    /// How long that is good for.
    pub(super) times: Option<Times>,
}
