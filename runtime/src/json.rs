//! Our own JSON writer: values and key hashes must not change with another crate's feature flags,
//! and a number that JSON cannot hold must be an error, not `null`.

mod collections;
mod error;
mod member_name;
pub(crate) mod number;
mod serializer;
mod writer;

pub(crate) use error::JsonError;
use serde::Serialize;
pub(crate) use writer::{Order, Writer};

/// What values are read from: always text, so that a type has one deserializer.
pub(crate) type JsonText<'a> = serde_json::Deserializer<serde_json::de::StrRead<'a>>;

/// Compact JSON text.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, order: Order) -> Result<Vec<u8>, JsonError> {
    write_with(order, &mut |writer| value.serialize(writer))
}

/// Compact JSON text of what this writes.
pub(crate) fn write_with(
    order: Order,
    write: &mut dyn FnMut(&mut Writer) -> Result<(), JsonError>,
) -> Result<Vec<u8>, JsonError> {
    let mut writer = Writer::new(order);
    write(&mut writer)?;
    Ok(writer.into_text())
}

#[cfg(test)]
mod tests;
