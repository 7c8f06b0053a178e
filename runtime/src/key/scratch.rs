//! The memory of a key that is looked at and forgotten: each thread keeps one piece for the next key.

use super::Key;
use std::cell::Cell;

/// What a thread keeps at most.
const MOST: usize = 1_024;

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// An empty text, with what room there is.
#[inline]
pub(crate) fn take() -> String {
    SCRATCH.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the memory of a text that nobody needs any more.
#[inline]
pub(crate) fn keep(mut text: String) {
    if text.capacity() <= MOST {
        text.clear();
        let _ = SCRATCH.try_with(|scratch| scratch.set(text));
    }
}

impl Key {
    /// Keeps the memory of a key that nobody needs any more. What is left has no text.
    #[inline]
    pub(crate) fn recycle(&mut self) {
        keep(std::mem::take(&mut self.text));
    }
}
