//! The door for the macros: everything that generated code names. Not for use by hand, and free
//! to change in any release.

mod argument;
mod batch;
mod call;
mod limit;
mod local;
mod local_form;
mod local_hit;
mod mutation;
mod part;
mod peek;
mod return_type;
mod sourced;
mod unless;
mod update;

pub use crate::__catalogued as catalogued;
#[cfg(feature = "catalogue")]
pub use crate::cache::FunctionSite;
pub use crate::cache::{
    Answer, CacheValue, Cacheable, CacheableKind, CachedFunction, Fallible, Place, Plain,
    ReturnKind, Shareable, Sourced, StaleAnswer, Started, cacheable, check_prefix, never,
};
#[cfg(feature = "catalogue")]
pub use crate::catalogue::site::{BatchSite, LimitSite, MutationSite, MutationTarget, TagSite};
pub use crate::key::{HashedPart, KeyPart, KeyWriter, OptionalPart, ShortKey};
pub use crate::local::{Form, FunctionNumber};
pub use argument::{CopiedArgument, MovedArgument, OwnCopy, copied, moved};
pub use batch::{
    Again, BatchCollection, BatchEntries, Batchable, Item, ItemValue, PassAs, ViaClone, ViaOnce,
    batch, batchable,
};
pub use call::{
    Call, all_entries, cached, cached_or_stale, entry, gives_tags, invalidate, invalidate_tag,
    lifetime_of, near_entry, tags_of_value, takes_value,
};
#[cfg(feature = "catalogue")]
#[doc(hidden)]
pub use inventory;
pub use limit::{
    Cost, Identify, LimitCall, LimitMark, Refuse, Respond, Responding, admit, respond, responding,
};
pub use local::{
    LocalCall, LocalRules, invalidate_local, kept, kept_here, local_entries, local_entry,
};
pub use local_form::{LocalType, LocalValue, any_local_type, forms, local_type};
pub use local_hit::{LocalPlace, Looked};
pub use mutation::{Target, Targets, invalidating, invalidating_always};
pub use part::Part;
pub use peek::Peek;
#[cfg(feature = "catalogue")]
pub use return_type::value_name;
pub use return_type::{ReturnType, kinds, same_value, value_of};
pub use unless::{Unless, unless};
pub use update::{EntryRefs, updating};
