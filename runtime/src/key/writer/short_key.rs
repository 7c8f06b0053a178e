//! A key of integers and texts as long as it is short, in words: what a look at what this process keeps needs. Nothing of
//! it is ever in memory, so there is no reference to it.

#![expect(
    clippy::inline_always,
    reason = "what a key begins with is known at compile time, and with it where its parts go"
)]

use super::super::full::ends_like_reserved;
use super::super::short::Short;
use std::marker::PhantomData;
use std::ops::Deref;

/// The beginning of a key. A text that has to be encoded, and whatever else a template may hold, is left to the
/// [`KeyWriter`](super::KeyWriter).
#[derive(Clone, Copy, Debug)]
pub struct ShortKey {
    /// Nothing once it is left to that.
    text: Option<Short>,
    /// Whether it may not end here: nothing came after the colon, or its end may be a word that is reserved.
    is_open: bool,
}

/// Adds a part of this type.
#[derive(Clone, Copy, Debug)]
pub struct ShortPart<T> {
    key: ShortKey,
    any: AnyShortPart<T>,
}

/// Adds a part of a type that may be neither integer nor text.
#[derive(Clone, Copy, Debug)]
pub struct AnyShortPart<T>(PhantomData<fn(T)>);

impl ShortKey {
    /// One that begins like this, where that is short.
    #[inline(always)]
    pub(crate) const fn beginning(head: Option<Short>) -> Self {
        Self {
            text: head,
            is_open: true,
        }
    }

    /// One that is left to the writer.
    #[must_use]
    pub const fn none() -> Self {
        Self::beginning(None)
    }

    /// This with a text of the template behind it.
    #[inline(always)]
    #[must_use]
    pub fn literal(self, text: &'static str) -> Self {
        Self {
            text: self.text.and_then(|short| short.with_literal(text)),
            is_open: text.is_empty() || ends_like_reserved(text.as_bytes()),
        }
    }

    /// This with `<name>` behind it, of an argument whose type is spelled like an integer or a text.
    #[inline(always)]
    #[must_use]
    pub fn of<T>(self) -> ShortPart<T> {
        ShortPart {
            key: self,
            any: AnyShortPart(PhantomData),
        }
    }

    #[inline(always)]
    fn integer(self, value: Option<u64>) -> Self {
        Self {
            text: match (self.text, value) {
                (Some(short), Some(value)) => short.with_digits(value),
                _ => None,
            },
            is_open: false,
        }
    }

    #[inline(always)]
    fn text(self, value: &str) -> Self {
        let may_end_here = !value.is_empty() && !ends_like_reserved(value.as_bytes());
        Self {
            text: match self.text {
                Some(short) if may_end_here => short.with_plain(value),
                _ => None,
            },
            is_open: false,
        }
    }

    /// The text of the key, if it is known to be that.
    #[inline(always)]
    pub(crate) fn settled(self) -> Option<Short> {
        self.text.filter(|_| !self.is_open)
    }
}

impl<T> Deref for ShortPart<T> {
    type Target = AnyShortPart<T>;

    #[inline(always)]
    fn deref(&self) -> &AnyShortPart<T> {
        &self.any
    }
}

impl<T> AnyShortPart<T> {
    /// By its `Display`, which is left to the writer.
    #[expect(clippy::unused_self, reason = "methods decide what a type is")]
    #[inline(always)]
    #[must_use]
    pub fn part(&self, _: &T) -> ShortKey {
        ShortKey::none()
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl ShortPart<$integer> {
            /// By its digits.
            #[inline(always)]
            #[must_use]
            pub fn part(self, value: &$integer) -> ShortKey {
                self.key.integer(u64::try_from(*value).ok())
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl ShortPart<&str> {
    /// As it is.
    #[inline(always)]
    #[must_use]
    pub fn part(self, value: &&str) -> ShortKey {
        self.key.text(value)
    }
}

impl ShortPart<String> {
    /// As it is.
    #[inline(always)]
    #[must_use]
    pub fn part(self, value: &str) -> ShortKey {
        self.key.text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::KeyWriter;
    use super::*;

    fn short(key: ShortKey) -> Option<String> {
        let short = key.settled()?;
        Some(short.text(&short.bytes()).to_owned())
    }

    fn begun(prefix: &str) -> ShortKey {
        ShortKey::beginning(Short::head(prefix, None))
    }

    #[test]
    fn it_is_what_the_writer_writes_or_nothing() {
        let long = "x".repeat(300);
        let texts = [
            "",
            "a",
            "guard",
            "doubt",
            "a:b",
            "%",
            "lease",
            "ease",
            "fence",
            "nine-byte",
            "ü",
            "e",
            "12345678",
            "a\0",
            &long,
        ];
        let literals = ["", ":", ":guard", ":l", ":fenc", ":posts:of:"];
        let mut known = 0;
        for text in texts {
            for literal in literals {
                for number in [0, 7, -1, 99_999_999, 100_000_000, i64::MAX] {
                    let written = |has_number| {
                        let mut writer = KeyWriter::under("user", None);
                        writer.of::<&str>().part(&text);
                        writer.literal(literal);
                        if has_number {
                            writer.of::<i64>().part(&number);
                        }
                        writer.settled().map(str::to_owned)
                    };
                    let key = begun("user").of::<&str>().part(&text).literal(literal);
                    for (short, whole) in [
                        (short(key), written(false)),
                        (short(key.of::<i64>().part(&number)), written(true)),
                    ] {
                        known += usize::from(short.is_some());
                        assert!(short.is_none() || short == whole, "{short:?} {whole:?}");
                    }
                }
            }
        }
        assert!(known > 50, "{known}");
        assert_eq!(short(begun("user")), None, "nothing after the colon");
    }

    #[test]
    fn a_type_that_is_called_like_an_integer_is_left_to_the_writer() {
        #[expect(non_camel_case_types, reason = "as the macro sees it")]
        struct u64;
        assert_eq!(short(begun("user").of::<u64>().part(&u64)), None);
    }
}
