//! Keys from templates: what the macros drive, and what may stand in a template.

mod direct;
mod short_key;

use super::Key;
use super::escape::encode_from;
use super::full::{ends_reserved, is_reserved};
use super::scratch;
use crate::hex::hex;
use crate::json::{self, Order};
use serde::Serialize;
use sha2::{Digest, Sha256};
pub use short_key::ShortKey;
use std::fmt::{self, Display, Write};

/// Builds a key from a template; the macros drive it.
pub struct KeyWriter {
    text: String,
    prefix: usize,
    /// Whether anything follows the prefix, and the colon that is there in any case.
    parted: bool,
    problem: Option<&'static str>,
}

/// What is written comes from arguments, which may be personal data.
impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyWriter").finish_non_exhaustive()
    }
}

impl KeyWriter {
    /// A key under this prefix and version.
    pub(crate) fn under(prefix: &str, version: Option<u32>) -> Self {
        Self::within(String::with_capacity(prefix.len() + 48), prefix, version)
    }

    /// The same for a key that most calls only look at.
    pub(crate) fn on_scratch_under(prefix: &str, version: Option<u32>) -> Self {
        Self::within(scratch::take(), prefix, version)
    }

    fn within(mut text: String, prefix: &str, version: Option<u32>) -> Self {
        text.push_str(prefix);
        if let Some(version) = version {
            let _ = write!(text, "@{version}");
        }
        text.push(':');
        Self {
            text,
            prefix: prefix.len(),
            parted: false,
            problem: None,
        }
    }

    /// A text that has no prefix.
    pub(super) fn whole() -> Self {
        Self {
            text: String::with_capacity(48),
            prefix: 0,
            parted: true,
            problem: None,
        }
    }

    /// The colon behind the prefix stays.
    fn begin(&mut self) {
        self.parted = true;
    }

    /// Text of the template.
    pub fn literal(&mut self, text: &'static str) {
        self.begin();
        self.text.push_str(text);
    }

    /// `<name>`
    pub fn part<T: KeyPart + ?Sized>(&mut self, value: &T) {
        self.begin();
        let start = self.text.len();
        if value.render(&mut self.text).is_err() {
            self.problem = Some(
                "the Display of an argument in the key failed; fix it, or use another template",
            );
        }
        encode_from(&mut self.text, start);
    }

    /// `<name?>`
    pub fn optional<O: OptionalPart + ?Sized>(&mut self, value: &O) {
        value.write_to(self);
    }

    /// `<name:sha256>`
    pub fn hashed<T: HashedPart + ?Sized>(&mut self, value: &T) {
        self.begin();
        if has_no_order(std::any::type_name::<T>()) {
            self.problem = Some(
                "an argument under :sha256 is a set without an order of its own, so equal sets have \
                 different hashes; pass a BTreeSet or a sorted list, or leave it out with skip(...)",
            );
            return;
        }
        match value.canonical() {
            Some(text) => self.text.push_str(&hex(&Sha256::digest(text))),
            None => {
                self.problem = Some(
                    "an argument under :sha256 cannot be represented as canonical JSON (a number that is not \
                     finite, a map key that is no string, or a `Some(None)`); hash something \
                     else, or leave it out with skip(...)",
                );
            }
        }
    }

    /// Makes the text that of the key, once all of it is written.
    fn settle(&mut self) {
        if ends_reserved(self.text.as_bytes()) {
            encode_reserved(&mut self.text);
        }
        if !self.parted {
            // Nothing came after the colon.
            self.parted = true;
            self.text.pop();
        }
    }

    /// The text of the key, to be looked up; nothing if it was made of arguments that it cannot be made of.
    pub(crate) fn settled(&mut self) -> Option<&str> {
        self.settle();
        self.problem.is_none().then_some(self.text.as_str())
    }

    /// Nobody needs the text any more.
    pub(crate) fn recycle(&mut self) {
        scratch::keep(std::mem::take(&mut self.text));
    }

    /// The key. One that cannot be used says so on use.
    pub fn finish(&mut self) -> Key {
        self.settle();
        let text = std::mem::take(&mut self.text);
        let prefix = match self.prefix {
            0 => first_segment(&text),
            prefix => prefix,
        };
        Key {
            text,
            prefix,
            problem: self.problem,
        }
    }
}

/// How long the prefix of a text is that came without one.
#[cold]
#[inline(never)]
fn first_segment(text: &str) -> usize {
    text.find(':').unwrap_or(0)
}

/// The template's text and a part may form a reserved segment together.
#[cold]
#[inline(never)]
fn encode_reserved(text: &mut String) {
    if let Some((_, last)) = text.rsplit_once(':')
        && is_reserved(last.as_bytes())
    {
        let start = text.len() - last.len();
        encode_from(text, start);
    }
}

/// Whether a type, or a type that it is made of, is a collection that compares without an order and is
/// serialized in one: `HashSet` and its like. Maps are not, since their members are sorted.
fn has_no_order(type_name: &str) -> bool {
    const SETS: [&str; 4] = ["HashSet", "IndexSet", "DashSet", "BinaryHeap"];
    let mut names = type_name.split(|c: char| !c.is_alphanumeric() && c != '_');
    names.any(|name| SETS.contains(&name))
}

/// What may stand in a key as `<name>`: anything with `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a cache key: it does not implement `Display`",
    label = "this type has no text for the key",
    note = "write `<name:sha256>` to use the hash of its JSON, `<name?>` if it is an `Option`, \
            `<name.field>` for one of its fields, or `skip(name)` to leave it out of the key"
)]
pub trait KeyPart {
    #[doc(hidden)]
    fn render(&self, out: &mut dyn Write) -> fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> KeyPart for T {
    fn render(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// What may stand in a key as `<name:sha256>`: anything with `Serialize`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be hashed into a cache key: it does not implement `Serialize`",
    label = "this type has no JSON for the key",
    note = "derive `serde::Serialize` for it, or write `skip(name)` to leave it out of the key"
)]
pub trait HashedPart {
    #[doc(hidden)]
    fn canonical(&self) -> Option<Vec<u8>>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> HashedPart for T {
    fn canonical(&self) -> Option<Vec<u8>> {
        json::write(self, Order::Sorted).ok()
    }
}

/// What may stand in a key as `<name?>`: an `Option` of something with `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand in a cache key as `<name?>`: it is not an `Option` of \
               something with `Display`",
    label = "not an `Option` with text",
    note = "write `<name>` for a value that is always there, or `<name:sha256>`"
)]
pub trait OptionalPart {
    #[doc(hidden)]
    fn write_to(&self, writer: &mut KeyWriter);
}

impl<T: KeyPart> OptionalPart for Option<T> {
    fn write_to(&self, writer: &mut KeyWriter) {
        match self {
            Some(value) => writer.part(value),
            // Data cannot produce this: a `%` of its own is written as `%25`.
            None => writer.literal("%-"),
        }
    }
}

impl<O: OptionalPart + ?Sized> OptionalPart for &O {
    fn write_to(&self, writer: &mut KeyWriter) {
        (**self).write_to(writer);
    }
}
