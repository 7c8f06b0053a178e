//! A value without its type, and the way back.

pub(crate) use crate::value::Shared as Value;
use std::time::Duration;

/// How values of one type are kept and given back.
pub struct Form<T> {
    /// What is kept of a value.
    pub(crate) keep: fn(&T) -> Value,
    /// The value again, if it is one of this type.
    pub(crate) restore: fn(Value) -> Option<T>,
    /// Whether a kept value is one of this type.
    pub(crate) fits: fn(&Value) -> bool,
    /// Whether it is a `None`, which has a lifetime of its own.
    pub(crate) is_null: fn(&T) -> bool,
    /// About how many bytes it takes.
    pub(crate) bytes: fn(&T) -> usize,
    /// What a value says of its own lifetime.
    pub(crate) life: Option<fn(&T) -> Duration>,
}

impl<T> Clone for Form<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Form<T> {}

impl<T> std::fmt::Debug for Form<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form")
    }
}
