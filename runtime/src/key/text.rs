//! The text of a key while it is written: on the stack as long as it is short, so that a look at what this process
//! keeps neither allocates nor moves it.

use super::scratch;
use std::fmt;

/// More than most keys have, in bytes.
const SHORT: usize = 64;

/// The length that no text on the stack has.
const MOVED: usize = usize::MAX;

/// The first bytes of a key; behind a key that is shorter there are zeros.
pub(crate) type Padded = [u8; 24];

pub(super) struct Text {
    /// Zeros behind what is used.
    short: [u8; SHORT],
    /// How many bytes of `short` are used; [`MOVED`] once all of the text is in `long`.
    length: usize,
    long: String,
}

impl Text {
    /// For a key that most calls only look at.
    #[inline]
    pub(super) const fn on_stack() -> Self {
        Self {
            short: [0; SHORT],
            length: 0,
            long: String::new(),
        }
    }

    /// For a key that is kept.
    #[inline]
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            short: [0; SHORT],
            length: MOVED,
            long: String::with_capacity(bytes),
        }
    }

    #[inline]
    pub(super) fn push_str(&mut self, text: &str) {
        let room = self.short.get_mut(self.length..);
        match room.and_then(|room| room.get_mut(..text.len())) {
            Some(room) => {
                room.copy_from_slice(text.as_bytes());
                self.length += text.len();
            }
            None => self.long().push_str(text),
        }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.padded().0
    }

    /// The text, and its first bytes if they are on the stack.
    #[inline]
    pub(super) fn padded(&self) -> (&[u8], Option<&Padded>) {
        match self.short.get(..self.length) {
            Some(text) => (text, self.short.first_chunk()),
            None => (self.long.as_bytes(), None),
        }
    }

    /// Takes the colon at its end away.
    pub(super) fn pop_colon(&mut self) {
        match self.length {
            MOVED => {
                self.long.pop();
            }
            length => {
                self.length = length.saturating_sub(1);
                self.short[self.length..].fill(0);
            }
        }
    }

    /// The text as one that can be changed anywhere.
    #[inline]
    pub(super) fn long(&mut self) -> &mut String {
        if self.length != MOVED {
            self.move_out();
        }
        &mut self.long
    }

    #[cold]
    #[inline(never)]
    fn move_out(&mut self) {
        let mut long = scratch::take();
        long.push_str(self.short());
        self.long = long;
        self.length = MOVED;
    }

    /// What is on the stack, which came from texts.
    fn short(&self) -> &str {
        let text = self.short.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The whole text, which is not here afterwards.
    pub(super) fn take(&mut self) -> String {
        match self.length {
            MOVED => std::mem::take(&mut self.long),
            _ => self.short().to_owned(),
        }
    }

    /// Keeps the memory of a text that nobody needs any more. What is left has no text.
    #[inline]
    pub(super) fn recycle(&mut self) {
        if self.length == MOVED {
            scratch::keep(std::mem::take(&mut self.long));
        }
        self.length = 0;
    }
}

impl fmt::Write for Text {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}
