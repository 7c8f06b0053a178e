//! The text of one document, as it is written, and its bounds.

use super::error::JsonError;
use serde::Serialize;

/// The order of the members of objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// As the type declares them.
    Declared,
    /// By the bytes of their names: equal values give equal text.
    Sorted,
}

/// How deep lists and objects may be nested in a value that is to be read back.
/// Source: `serde_json`, whose reader stops at 128.
const MOST_LEVELS_READ: u32 = 127;

/// How deep lists and objects may be nested in what is only hashed.
const MOST_LEVELS_HASHED: u32 = 128;

/// How many `Some`s and newtypes, which do not show in JSON, a value may be wrapped in, all together.
const MOST_WRAPPERS: u32 = 1_024;

/// Writes one document.
pub(crate) struct Writer {
    pub(super) out: Vec<u8>,
    pub(super) order: Order,
    /// Strings are JSON text already.
    pub(super) raw: bool,
    /// The lists and objects that are open.
    levels: u32,
    /// The `Some`s and newtypes that are open.
    wrappers: u32,
}

impl Writer {
    pub(super) fn new(order: Order) -> Self {
        Self {
            out: Vec::with_capacity(64),
            order,
            raw: false,
            levels: 0,
            wrappers: 0,
        }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.out
    }

    /// Scalars are written by `serde_json`: its escapes and its shortest floats.
    pub(super) fn scalar<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        serde_json::to_writer(&mut self.out, value).map_err(|error| JsonError(error.to_string()))
    }

    pub(super) fn finite(&mut self, value: f64, text: &impl Serialize) -> Result<(), JsonError> {
        if value.is_finite() {
            self.scalar(text)
        } else {
            Err(JsonError(format!("{value} cannot be represented as JSON")))
        }
    }

    /// One more list or object. An error is the end of the document, so nothing is counted down then.
    pub(super) fn descend(&mut self) -> Result<(), JsonError> {
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

    pub(super) fn close(&mut self, brackets: &[u8]) {
        self.out.extend_from_slice(brackets);
        let closed = u32::try_from(brackets.len()).unwrap_or(u32::MAX);
        self.levels = self.levels.saturating_sub(closed);
    }

    /// What stands in a `Some` or a newtype.
    pub(super) fn wrapped<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
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

    pub(super) fn open(&mut self, variant: Option<&str>, bracket: u8) -> Result<(), JsonError> {
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
}
