//! What may stand as the name of a member.

use super::error::JsonError;
use serde::Serialize;
use serde::ser::{self, Impossible};

/// The names of members: strings, and what `serde_json` turns into one (numbers, booleans,
/// characters, unit variants).
#[derive(Default)]
pub(super) struct MemberName {
    /// How many `Some`s and newtypes are open.
    wrappers: u32,
}

/// More of them than any name needs, and fewer than a stack holds.
const MOST_WRAPPERS: u32 = 128;

impl MemberName {
    fn wrapped<T: Serialize + ?Sized>(mut self, value: &T) -> Result<String, JsonError> {
        self.wrappers += 1;
        if self.wrappers > MOST_WRAPPERS {
            return no_name();
        }
        value.serialize(self)
    }
}

fn no_name<T>() -> Result<T, JsonError> {
    Err(JsonError(
        "a map key that is not a string cannot be represented as JSON".into(),
    ))
}

macro_rules! names {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<String, JsonError> {
            Ok(value.to_string())
        })*
    };
}

impl ser::Serializer for MemberName {
    type Ok = String;
    type Error = JsonError;
    type SerializeSeq = Impossible<String, JsonError>;
    type SerializeTuple = Impossible<String, JsonError>;
    type SerializeTupleStruct = Impossible<String, JsonError>;
    type SerializeTupleVariant = Impossible<String, JsonError>;
    type SerializeMap = Impossible<String, JsonError>;
    type SerializeStruct = Impossible<String, JsonError>;
    type SerializeStructVariant = Impossible<String, JsonError>;

    names! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_char: char,
        serialize_str: &str,
    }

    fn serialize_f32(self, _: f32) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_f64(self, _: f64) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_none(self) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, JsonError> {
        self.wrapped(value)
    }

    fn serialize_unit(self) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, JsonError> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, JsonError> {
        self.wrapped(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, JsonError> {
        no_name()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, JsonError> {
        no_name()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, JsonError> {
        no_name()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, JsonError> {
        no_name()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, JsonError> {
        no_name()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, JsonError> {
        no_name()
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, JsonError> {
        no_name()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, JsonError> {
        no_name()
    }
}
