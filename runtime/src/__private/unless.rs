//! What `unless` says, of a value at hand and of one by its plain form.

use crate::cache::ReturnKind;
use crate::value;
use serde::de::DeserializeOwned;
use std::fmt;

/// What `unless` names, held to the type that is cached. Generated code asks in two places, with one question, so that
/// the compiler reports a mistake once.
pub fn unless<K: ReturnKind>(_: K, unless: fn(&K::Value) -> bool) -> fn(&K::Value) -> bool {
    unless
}

/// `unless` of a value by its plain form. `(&&unless).holds(plain)` is false for a type that cannot be read: that it
/// cannot be cached is reported where the return type stands.
pub struct Unless<K: ReturnKind>(fn(&K::Value) -> bool);

impl<K: ReturnKind> Unless<K> {
    /// By what [`unless`] gives.
    pub fn new(_: K, unless: fn(&K::Value) -> bool) -> Self {
        Self(unless)
    }
}

impl<K: ReturnKind> fmt::Debug for Unless<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unless")
    }
}

/// The value can be read.
pub trait ViaReadable {
    /// Whether the value with this plain form is not to be stored.
    fn holds(&self, plain: &[u8]) -> bool;
}

impl<K: ReturnKind> ViaReadable for &Unless<K>
where
    K::Value: DeserializeOwned,
{
    fn holds(&self, plain: &[u8]) -> bool {
        value::decode(plain).is_ok_and(|value| (self.0)(&value))
    }
}

/// It cannot.
pub trait ViaUnreadable {
    /// False.
    fn holds(&self, plain: &[u8]) -> bool;
}

impl<K: ReturnKind> ViaUnreadable for Unless<K> {
    fn holds(&self, _: &[u8]) -> bool {
        false
    }
}
