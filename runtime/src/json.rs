//! Our own JSON writer: values and key hashes must not change with another crate's feature flags,
//! and a number that JSON cannot hold must be an error, not `null`.

mod error;
mod member_name;
pub(crate) mod number;

pub(crate) use error::JsonError;
use member_name::MemberName;
use serde::Serialize;
use serde::ser;

/// The order of the members of objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the type declares them.
    Declared,
    /// By the bytes of their names: equal values give equal text.
    Sorted,
}

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
    let mut writer = Writer {
        out: Vec::with_capacity(64),
        order,
        raw: false,
        levels: 0,
        wrappers: 0,
    };
    write(&mut writer)?;
    Ok(writer.out)
}

/// How deep lists and objects may be nested in a value that is to be read back.
/// Source: `serde_json`, whose reader stops at 128.
const MOST_LEVELS_READ: u32 = 127;

/// How deep lists and objects may be nested in what is only hashed.
const MOST_LEVELS_HASHED: u32 = 128;

/// How many `Some`s and newtypes, which do not show in JSON, a value may be wrapped in, all together.
const MOST_WRAPPERS: u32 = 1_024;

/// `serde_json` hands over numbers and raw text of any precision under these struct names.
/// Source: `serde_json/src/number.rs` and `raw.rs`, `TOKEN`.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";
const RAW_TOKEN: &str = "$serde_json::private::RawValue";

/// Writes one document.
pub(crate) struct Writer {
    out: Vec<u8>,
    order: Order,
    /// Strings are JSON text already.
    raw: bool,
    /// The lists and objects that are open.
    levels: u32,
    /// The `Some`s and newtypes that are open.
    wrappers: u32,
}

impl Writer {
    /// Scalars are written by `serde_json`: its escapes and its shortest floats.
    fn scalar<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| JsonError(error.to_string()))
    }

    fn finite(&mut self, value: f64, text: &impl Serialize) -> Result<(), JsonError> {
        if value.is_finite() {
            self.scalar(text)
        } else {
            Err(JsonError(format!("{value} cannot be represented as JSON")))
        }
    }

    /// One more list or object. An error is the end of the document, so nothing is counted down then.
    fn descend(&mut self) -> Result<(), JsonError> {
        self.levels += 1;
        let most = match self.order {
            Order::Declared => MOST_LEVELS_READ,
            Order::Sorted => MOST_LEVELS_HASHED,
        };
        if self.levels > most {
            return Err(JsonError(format!(
                "it is nested more than {most} levels deep"
            )));
        }
        Ok(())
    }

    fn close(&mut self, brackets: &[u8]) {
        self.out.extend_from_slice(brackets);
        let closed = u32::try_from(brackets.len()).unwrap_or(u32::MAX);
        self.levels = self.levels.saturating_sub(closed);
    }

    /// What stands in a `Some` or a newtype.
    fn wrapped<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.wrappers += 1;
        if self.wrappers > MOST_WRAPPERS {
            return Err(JsonError(
                "it is wrapped in too many `Some`s or newtypes".into(),
            ));
        }
        value.serialize(&mut *self)?;
        self.wrappers -= 1;
        Ok(())
    }

    fn open(&mut self, variant: Option<&str>, bracket: u8) -> Result<(), JsonError> {
        if variant.is_some() {
            self.descend()?;
        }
        self.descend()?;
        if let Some(variant) = variant {
            self.out.push(b'{');
            self.scalar(variant)?;
            self.out.push(b':');
        }
        self.out.push(bracket);
        Ok(())
    }

    fn list(&mut self, variant: Option<&str>) -> Result<List<'_>, JsonError> {
        self.open(variant, b'[')?;
        Ok(List {
            writer: self,
            first: true,
            wrapped: variant.is_some(),
        })
    }

    fn object(&mut self, variant: Option<&str>) -> Result<Object<'_>, JsonError> {
        self.open(variant, b'{')?;
        let wrapped = variant.is_some();
        Ok(Object {
            writer: self,
            members: Vec::new(),
            name: None,
            first: true,
            wrapped,
        })
    }
}

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
        self.out.push(b'}');
        self.levels -= 1;
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, JsonError> {
        self.list(None)
    }

    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, JsonError> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, JsonError> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, JsonError> {
        self.list(Some(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Object<'a>, JsonError> {
        self.object(None)
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Members<'a>, JsonError> {
        if name == NUMBER_TOKEN || name == RAW_TOKEN {
            Ok(Members::Verbatim(self))
        } else {
            self.object(None).map(Members::Object)
        }
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Object<'a>, JsonError> {
        self.object(Some(variant))
    }
}

pub(crate) struct List<'a> {
    writer: &'a mut Writer,
    first: bool,
    wrapped: bool,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        self.begin_item();
        value.serialize(&mut *self.writer)
    }

    fn begin_item(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(b',');
        }
    }

    fn close(self) {
        self.writer.close(if self.wrapped { b"]}" } else { b"]" });
    }
}

macro_rules! lists {
    ($($trait:ident :: $method:ident),* $(,)?) => {
        $(impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = JsonError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
                self.item(value)
            }

            fn end(self) -> Result<(), JsonError> {
                self.close();
                Ok(())
            }
        })*
    };
}

lists! {
    SerializeSeq::serialize_element, SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field, SerializeTupleVariant::serialize_field,
}

pub(crate) struct Object<'a> {
    writer: &'a mut Writer,
    /// Only used when sorting: name, and the written member.
    members: Vec<(String, Vec<u8>)>,
    name: Option<String>,
    first: bool,
    wrapped: bool,
}

impl Object<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), JsonError> {
        let start = self.begin_member(name)?;
        value.serialize(&mut *self.writer)?;
        self.end_member(name, start);
        Ok(())
    }

    fn begin_member(&mut self, name: &str) -> Result<usize, JsonError> {
        if self.writer.order == Order::Declared {
            if !std::mem::take(&mut self.first) {
                self.writer.out.push(b',');
            }
            self.writer.scalar(name)?;
            self.writer.out.push(b':');
        }
        Ok(self.writer.out.len())
    }

    fn end_member(&mut self, name: &str, start: usize) {
        if self.writer.order == Order::Sorted {
            let written = self.writer.out.split_off(start);
            self.members.push((name.to_owned(), written));
        }
    }

    fn close(mut self) -> Result<(), JsonError> {
        self.members.sort_by(|a, b| a.0.cmp(&b.0));
        for (index, (name, value)) in self.members.iter().enumerate() {
            if index > 0 {
                self.writer.out.push(b',');
            }
            self.writer.scalar(name)?;
            self.writer.out.push(b':');
            self.writer.out.extend_from_slice(value);
        }
        self.writer.close(if self.wrapped { b"}}" } else { b"}" });
        Ok(())
    }
}

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        self.name = Some(key.serialize(MemberName::default())?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        let name = self
            .name
            .take()
            .ok_or_else(|| JsonError("a value without a key".into()))?;
        self.member(&name, value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl ser::SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

pub(crate) enum Members<'a> {
    Object(Object<'a>),
    /// The one field is JSON text already.
    Verbatim(&'a mut Writer),
}

impl ser::SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        match self {
            Self::Object(object) => object.member(name, value),
            Self::Verbatim(writer) => {
                writer.raw = true;
                value.serialize(&mut **writer)?;
                writer.raw = false;
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), JsonError> {
        match self {
            Self::Object(object) => object.close(),
            Self::Verbatim(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn text<T: Serialize>(value: T, order: Order) -> String {
        String::from_utf8(write(&value, order).unwrap()).unwrap()
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Pair(u8, u8),
        Named { b: u8, a: u8 },
    }

    #[test]
    fn text_is_what_serde_json_writes() {
        let values = json!({"b": [1, -2, 3.5, "a\"\n\u{1}é", null, true], "a": {"z": {}, "y": []}});
        assert_eq!(
            text(&values, Order::Declared),
            serde_json::to_string(&values).unwrap()
        );
        let shapes = [
            Shape::Unit,
            Shape::New(1),
            Shape::Pair(1, 2),
            Shape::Named { b: 1, a: 2 },
        ];
        assert_eq!(
            text(&shapes, Order::Declared),
            serde_json::to_string(&shapes).unwrap()
        );
        let keyed = BTreeMap::from([(1, 'a'), (2, 'b')]);
        assert_eq!(
            text(&keyed, Order::Declared),
            serde_json::to_string(&keyed).unwrap()
        );
        assert_eq!(
            text((1.0_f64, 0.1_f32, 1e300), Order::Declared),
            "[1.0,0.1,1e+300]"
        );
    }

    #[test]
    fn sorted_text_does_not_depend_on_the_order_of_fields() {
        assert_eq!(
            text(Shape::Named { b: 1, a: 2 }, Order::Sorted),
            r#"{"Named":{"a":2,"b":1}}"#
        );
    }

    #[test]
    fn integers_of_any_width_keep_every_digit() {
        assert_eq!(
            text((u128::MAX, i128::MIN), Order::Sorted),
            format!("[{},{}]", u128::MAX, i128::MIN)
        );
    }

    #[test]
    fn what_json_cannot_hold_is_an_error() {
        assert!(write(&f64::NAN, Order::Declared).is_err());
        assert!(write(&[f32::INFINITY], Order::Declared).is_err());
        assert!(write(&BTreeMap::from([((1, 2), 3)]), Order::Declared).is_err());
    }
}
