//! How each kind of value is written.

use super::collections::{List, Members, Object};
use super::error::JsonError;
use super::writer::Writer;
use serde::Serialize;
use serde::ser;

/// `serde_json` hands over numbers and raw text of any precision under these struct names.
/// Source: `serde_json/src/number.rs` and `raw.rs`, `TOKEN`.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";
const RAW_TOKEN: &str = "$serde_json::private::RawValue";

macro_rules! scalars {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, value: $type) -> Result<(), JsonError> {
            self.scalar(&value)
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Object<'a>;

    scalars! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_char: char,
    }

    fn serialize_str(self, value: &str) -> Result<(), JsonError> {
        if self.raw {
            self.out.extend_from_slice(value.as_bytes());
            return Ok(());
        }
        self.scalar(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), JsonError> {
        self.out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), JsonError> {
        self.out.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), JsonError> {
        self.finite(f64::from(value), &value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), JsonError> {
        self.finite(value, &value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), JsonError> {
        ser::Serializer::collect_seq(self, value)
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        let start = self.out.len();
        self.wrapped(value)?;
        // JSON has one null, and this one would come back as `None`.
        if self.out.get(start..) == Some(b"null") {
            return Err(JsonError(
                "a `Some` of nothing cannot be represented as JSON".into(),
            ));
        }
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), JsonError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), JsonError> {
        self.scalar(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.wrapped(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.descend()?;
        self.out.push(b'{');
        self.scalar(variant)?;
        self.out.push(b':');
        value.serialize(&mut *self)?;
        self.close(b"}");
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, JsonError> {
        List::open(self, None)
    }

    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, JsonError> {
        List::open(self, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, JsonError> {
        List::open(self, None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, JsonError> {
        List::open(self, Some(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Object<'a>, JsonError> {
        Object::open(self, None)
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Members<'a>, JsonError> {
        if name == NUMBER_TOKEN || name == RAW_TOKEN {
            Ok(Members::Verbatim(self))
        } else {
            Object::open(self, None).map(Members::Object)
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Object<'a>, JsonError> {
        Object::open(self, Some(variant))
    }
}
