//! A value whose type the caller knows and this crate does not have to: one pair of functions for each
//! type, and everything that calls them compiled once.

use crate::json::{JsonError, JsonText, Writer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::sync::Arc;

/// A value of any type that callers share.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// Makes a value one that callers share.
pub(crate) type Share<T> = fn(&T) -> Shared;

/// Reads a value into its place.
pub(crate) type Read<T> = fn(&mut JsonText<'_>, &mut Option<T>) -> Result<(), serde_json::Error>;

/// Writes a value.
pub(crate) type Write<T> = fn(&T, &mut Writer) -> Result<(), JsonError>;

/// The [`Read`] of a type.
pub(crate) fn read<T: DeserializeOwned>(
    json: &mut JsonText<'_>,
    place: &mut Option<T>,
) -> Result<(), serde_json::Error> {
    *place = Some(T::deserialize(json)?);
    Ok(())
}

/// The [`Write`] of a type.
pub(crate) fn write<T: Serialize>(value: &T, writer: &mut Writer) -> Result<(), JsonError> {
    value.serialize(writer)
}

/// A place for a value of one type.
pub(crate) trait ErasedValue {
    /// Puts what is read here.
    fn read(&mut self, json: &mut JsonText<'_>) -> Result<(), serde_json::Error>;
    /// Writes what is here.
    fn write(&self, writer: &mut Writer) -> Result<(), JsonError>;
    /// What callers share of it, where they do.
    fn shared(&self) -> Option<Shared>;
    /// Lends an empty place for the same type.
    fn lend_empty(&self, use_it: &mut dyn FnMut(&mut dyn ErasedValue));
}

/// A place for a `T`, with what reads and writes it.
pub(crate) struct TypedValue<T> {
    value: Option<T>,
    read: Read<T>,
    write: Write<T>,
    share: Option<Share<T>>,
}

impl<T> TypedValue<T> {
    pub(crate) fn new(read: Read<T>, write: Write<T>) -> Self {
        Self::shared_as(read, write, None)
    }

    /// A value that callers may share.
    pub(crate) fn shared_as(read: Read<T>, write: Write<T>, share: Option<Share<T>>) -> Self {
        Self {
            value: None,
            read,
            write,
            share,
        }
    }

    pub(crate) fn set(&mut self, value: T) {
        self.value = Some(value);
    }

    #[expect(
        clippy::ref_option,
        reason = "to a function for one, a batch's missing value is a value"
    )]
    pub(crate) fn get(&self) -> &Option<T> {
        &self.value
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> ErasedValue for TypedValue<T> {
    fn read(&mut self, json: &mut JsonText<'_>) -> Result<(), serde_json::Error> {
        (self.read)(json, &mut self.value)
    }

    fn write(&self, writer: &mut Writer) -> Result<(), JsonError> {
        match &self.value {
            Some(value) => (self.write)(value, writer),
            None => Ok(()),
        }
    }

    fn shared(&self) -> Option<Shared> {
        let (value, share) = (self.value.as_ref()?, self.share?);
        Some(share(value))
    }

    fn lend_empty(&self, use_it: &mut dyn FnMut(&mut dyn ErasedValue)) {
        use_it(&mut Self::new(self.read, self.write));
    }
}
