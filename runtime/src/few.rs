//! A list that nearly always has one item.

/// Such a list needs no memory of its own: most requests are alone and have one command, most flights have one leader.
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
pub(crate) type Few<T> = smallvec::SmallVec<[T; 1]>;
/// At the edge code is dearer than memory, and without a network there are few flights.
#[cfg(not(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
)))]
pub(crate) type Few<T> = Vec<T>;

/// The memory of such a list, if it has some of its own.
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
pub(crate) fn memory_of<T>(few: Few<T>) -> Option<Vec<T>> {
    few.spilled().then(|| {
        let mut memory = few.into_vec();
        memory.clear();
        memory
    })
}
