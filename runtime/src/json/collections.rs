//! Lists and objects that are being written.

use super::error::JsonError;
use super::member_name::MemberName;
use super::writer::{Order, Writer};
use serde::Serialize;
use serde::ser;

pub(crate) struct List<'a> {
    writer: &'a mut Writer,
    first: bool,
    wrapped: bool,
}

impl<'a> List<'a> {
    pub(super) fn open(writer: &'a mut Writer, variant: Option<&str>) -> Result<Self, JsonError> {
        writer.open(variant, b'[')?;
        Ok(Self {
            writer,
            first: true,
            wrapped: variant.is_some(),
        })
    }

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

impl<'a> Object<'a> {
    pub(super) fn open(writer: &'a mut Writer, variant: Option<&str>) -> Result<Self, JsonError> {
        writer.open(variant, b'{')?;
        Ok(Self {
            writer,
            members: Vec::new(),
            name: None,
            first: true,
            wrapped: variant.is_some(),
        })
    }

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
