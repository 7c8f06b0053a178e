//! The attributes of `millpond`. Use them through that crate.
