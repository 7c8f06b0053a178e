//! A company's own crate, which gives millpond another name.

pub use millpond as pond;
