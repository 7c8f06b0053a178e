//! Integers and text in a key, which most ids are. The macros see how a type is spelled and not what it is, so methods
//! decide: those of an integer or a text come first, and those of any other type are found by dereferencing.

use super::{KeyPart, KeyWriter, encode_from};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Writes a part of this type.
#[derive(Debug)]
pub struct PartOf<'a, T>(AnyPart<'a, T>);

/// Writes a part of a type that may be neither integer nor text.
#[derive(Debug)]
pub struct AnyPart<'a, T> {
    writer: &'a mut KeyWriter,
    part: PhantomData<fn(T)>,
}

impl KeyWriter {
    /// `<name>` of an argument whose type is spelled like an integer or a text.
    pub fn of<T>(&mut self) -> PartOf<'_, T> {
        PartOf(AnyPart {
            writer: self,
            part: PhantomData,
        })
    }

    /// What the `Display` of an integer writes, without its machinery. No digit and no sign has to be encoded.
    fn integer(&mut self, value: impl itoa::Integer) {
        self.begin();
        self.text.push_str(itoa::Buffer::new().format(value));
    }

    /// What the `Display` of a text writes, without its machinery.
    fn text(&mut self, value: &str) {
        self.begin();
        let start = self.text.len();
        self.text.push_str(value);
        encode_from(&mut self.text, start);
    }
}

impl<'a, T> Deref for PartOf<'a, T> {
    type Target = AnyPart<'a, T>;

    fn deref(&self) -> &AnyPart<'a, T> {
        &self.0
    }
}

impl<'a, T> DerefMut for PartOf<'a, T> {
    fn deref_mut(&mut self) -> &mut AnyPart<'a, T> {
        &mut self.0
    }
}

impl<T: KeyPart> AnyPart<'_, T> {
    /// By its `Display`.
    pub fn part(&mut self, value: &T) {
        self.writer.part(value);
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl PartOf<'_, $integer> {
            /// By its digits.
            pub fn part(&mut self, value: &$integer) {
                self.0.writer.integer(*value);
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl PartOf<'_, &str> {
    /// As it is, encoded.
    pub fn part(&mut self, value: &&str) {
        self.0.writer.text(value);
    }
}

impl PartOf<'_, String> {
    /// As it is, encoded.
    pub fn part(&mut self, value: &str) {
        self.0.writer.text(value);
    }
}
