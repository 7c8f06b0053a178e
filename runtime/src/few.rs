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
