//! A struct or map as the fields of a hash, and back.

use crate::error::{Error, ErrorKind};
use crate::value;
use bytes::Bytes;
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

/// The members of a JSON object, each as a stored value.
pub(super) fn split(json: &[u8]) -> Result<Vec<(Bytes, Bytes)>, Error> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(json).map_err(|_| {
        Error::new(
            ErrorKind::InvalidValue,
            "only a struct or a map has fields for a hash; set a single value with `set`",
        )
    })?;
    let stored = |raw: &RawValue| value::stored_form(raw.get().into());
    Ok(members
        .into_iter()
        .map(|(name, raw)| (name.into(), stored(raw)))
        .collect())
}

/// A value from the names and values of a hash, in turn, and the fields that had to be left out of it
/// since they hold something else; the error holds nothing of the content.
pub(super) fn join<T: DeserializeOwned>(words: &[Bytes]) -> Result<(T, usize), Wrong> {
    let (pairs, _) = words.as_chunks::<2>();
    let mut pairs: Vec<(&[u8], Cow<'_, [u8]>)> = pairs
        .iter()
        .map(|[name, bytes]| (&name[..], value::readable(bytes)))
        .collect();
    let number = pairs.len();
    let mut first = None;
    loop {
        let broken = Cell::new(None);
        let fields = pairs.iter().enumerate().map(|(at, (name, bytes))| {
            let field = Field {
                name,
                bytes,
                at,
                broken: &broken,
            };
            (FieldName(name), field)
        });
        match T::deserialize(MapDeserializer::new(fields)) {
            Ok(value) => return Ok((value, number - pairs.len())),
            Err(wrong) => {
                let wrong = first.get_or_insert(wrong);
                let Some(at) = broken.get().filter(|&at| at < pairs.len()) else {
                    return Err(std::mem::take(wrong));
                };
                pairs.remove(at);
            }
        }
    }
}

/// What is wrong with which field.
#[derive(Debug, Default)]
pub(super) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    // A message may quote the content, so what goes on is said by the methods below.
    fn custom<M: fmt::Display>(_message: M) -> Self {
        Self("its fields are not those of the type".to_owned())
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("the field `{field}` is missing"))
    }

    fn unknown_field(_field: &str, expected: &'static [&'static str]) -> Self {
        Self(format!("it has a field that is none of {expected:?}"))
    }
}

/// The stored value of one field: JSON, the word for null, or text as other clients write it.
struct Field<'de> {
    name: &'de [u8],
    bytes: &'de [u8],
    at: usize,
    /// Which field holds something else than is asked for.
    broken: &'de Cell<Option<usize>>,
}

impl<'de> Field<'de> {
    fn wrong(&self) -> Wrong {
        self.broken.set(Some(self.at));
        let name = String::from_utf8_lossy(self.name);
        Wrong(format!("the field `{name}` holds something else"))
    }

    /// Text that is meant as it stands, which no other type than a string can be.
    fn raw(&self) -> Option<&'de str> {
        let text = std::str::from_utf8(self.bytes).ok()?;
        (!value::is_null(self.bytes) && value::is_raw_text(text)).then_some(text)
    }

    fn is_json(&self) -> bool {
        value::is_null(self.bytes) || serde_json::from_slice::<IgnoredAny>(self.bytes).is_ok()
    }

    /// As JSON, by the rules of the type that is asked for.
    fn json<R>(
        self,
        read: impl FnOnce(&mut Json<'de>) -> serde_json::Result<R>,
    ) -> Result<R, Wrong> {
        let null = value::is_null(self.bytes);
        let mut json = Json::from_slice(if null { b"null" } else { self.bytes });
        let read = read(&mut json).and_then(|value| json.end().map(|()| value));
        read.map_err(|_| self.wrong())
    }
}

type Json<'de> = serde_json::Deserializer<serde_json::de::SliceRead<'de>>;

impl<'de> IntoDeserializer<'de, Wrong> for Field<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! as_json {
    ($($method:ident($($arg:ident: $type:ty),*);)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, Wrong> {
            self.json(|json| json.$method($($arg,)* visitor))
        })*
    };
}

macro_rules! numbers_as_json {
    () => {
        as_json! {
            deserialize_bool();
            deserialize_i8();
            deserialize_i16();
            deserialize_i32();
            deserialize_i64();
            deserialize_i128();
            deserialize_u8();
            deserialize_u16();
            deserialize_u32();
            deserialize_u64();
            deserialize_u128();
        }
    };
}

/// The name of a field: a text, or what JSON writes as one where it is the name of a member.
struct FieldName<'de>(&'de [u8]);

impl<'de> IntoDeserializer<'de, Wrong> for FieldName<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> FieldName<'de> {
    fn wrong() -> Wrong {
        Wrong("a field has a name that is none of the type's".to_owned())
    }

    fn json<R>(
        self,
        read: impl FnOnce(&mut Json<'de>) -> serde_json::Result<R>,
    ) -> Result<R, Wrong> {
        let mut json = Json::from_slice(self.0);
        let read = read(&mut json).and_then(|name| json.end().map(|()| name));
        read.map_err(|_| Self::wrong())
    }
}

impl<'de> Deserializer<'de> for FieldName<'de> {
    type Error = Wrong;

    numbers_as_json!();

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_string(String::from_utf8_lossy(self.0).into_owned())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_enum(String::from_utf8_lossy(self.0).into_deserializer())
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

macro_rules! as_text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self.raw() {
                Some(text) => visitor.visit_borrowed_str(text).map_err(|_: Wrong| self.wrong()),
                None => self.json(|json| json.$method(visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Field<'de> {
    type Error = Wrong;

    numbers_as_json!();

    as_json! {
        deserialize_f32();
        deserialize_f64();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
    }

    as_text! {
        deserialize_char
        deserialize_str
        deserialize_string
        deserialize_identifier
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.is_json() {
            self.json(|json| json.deserialize_any(visitor))
        } else {
            self.deserialize_str(visitor)
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if value::is_null(self.bytes) {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.raw() {
            Some(text) => visitor
                .visit_enum(text.into_deserializer())
                .map_err(|_: Wrong| self.wrong()),
            None => self.json(|json| json.deserialize_enum(name, variants, visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}
