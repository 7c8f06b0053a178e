//! The memory of a text that is looked at and forgotten, such as a key: each thread keeps a piece for the next one.

use std::cell::Cell;
use std::thread::LocalKey;

/// What a thread keeps at most.
const MOST: usize = 1_024;

thread_local! {
    static SCRATCH: Cell<String> = const { Cell::new(String::new()) };
}

/// An empty text for a key, with what room there is.
#[inline]
pub(crate) fn take() -> String {
    take_from(&SCRATCH)
}

/// Keeps the memory of a key that nobody needs any more.
#[inline]
pub(crate) fn keep(text: String) {
    keep_in(&SCRATCH, text);
}

/// An empty text, with what room there is in this place.
#[inline]
pub(crate) fn take_from(place: &'static LocalKey<Cell<String>>) -> String {
    place.try_with(Cell::take).unwrap_or_default()
}

/// Keeps the memory of a text in this place.
#[inline]
pub(crate) fn keep_in(place: &'static LocalKey<Cell<String>>, mut text: String) {
    if text.capacity() <= MOST {
        text.clear();
        let _ = place.try_with(|scratch| scratch.set(text));
    }
}
