//! The text of who calls: each thread keeps the memory of one for the next call.

use crate::error::{Error, ErrorKind};
use crate::key::scratch;
use std::cell::Cell;
use std::fmt::{Display, Write};
use std::ops::Deref;

// Apart from that of the key, which is written while this is read.
thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// Who calls; never empty. It can be a secret, so it has no `Debug`.
pub(super) struct Identifier(String);

impl Identifier {
    pub(super) fn new(id: impl Display) -> Result<Self, Error> {
        let mut text = Self(scratch::take_from(&SCRATCH));
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
        scratch::keep_in(&SCRATCH, std::mem::take(&mut self.0));
    }
}
