//! The text of who calls: each thread keeps the memory of one for the next call.

use crate::error::{Error, ErrorKind};
use std::cell::Cell;
use std::fmt::{Display, Write};
use std::ops::Deref;

/// What a thread keeps at most.
const MOST: usize = 1_024;

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// Who calls; never empty. It can be a secret, so it has no `Debug`.
pub(super) struct Identifier(String);

impl Identifier {
    pub(super) fn new(id: impl Display) -> Result<Self, Error> {
        let mut text = Self(SCRATCH.try_with(Cell::take).unwrap_or_default());
        let wrong = |what| Error::new(ErrorKind::InvalidKey, what);
        write!(text.0, "{id}").map_err(|_| wrong("the identifier of a limit does not display"))?;
        if text.0.is_empty() {
            return Err(wrong("the identifier of a limit is empty; who is it?"));
        }
        Ok(text)
    }
}

impl Deref for Identifier {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Identifier {
    fn drop(&mut self) {
        let mut text = std::mem::take(&mut self.0);
        if text.capacity() <= MOST {
            text.clear();
            let _ = SCRATCH.try_with(|scratch| scratch.set(text));
        }
    }
}
