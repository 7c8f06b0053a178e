//! The door for the macros: everything that generated code names. Not for use by hand, and free
//! to change in any release.

mod call;
mod limit;
mod mutation;
mod shape;
mod site;

pub use crate::key::{HashedPart, KeyPart, KeyWriter, OptionalPart};
pub(crate) use call::answer;
pub use call::{Call, cached, entry, invalidate, never, refreshed, uncached};
pub use limit::{
    Cost, Identify, LimitCall, LimitMark, Refuse, Respond, Responding, admit, respond, responding,
};
pub use mutation::{EntryRefs, Targets, invalidating, invalidating_always, updating};
pub use shape::{
    CacheValue, Cacheable, Fallible, Outcome, Plain, Probe, Shape, Shared, cacheable, probe,
};
pub use site::{Site, check_prefix};
