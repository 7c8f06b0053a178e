//! The read path: `key → flight → store → open → decode → body → encode → seal → store`.
//!
//! All of it is compiled once; what depends on the function's types is in `answer`.

mod answer;
mod background;
mod background_load;
mod batch;
mod cacheable;
mod cached_function;
mod call;
pub(crate) mod call_mode;
pub(crate) mod call_status;
mod cluster_flight;
mod enter;
mod fill;
pub(crate) mod flight;
#[cfg(feature = "catalogue")]
mod function_site;
#[cfg(all(
    any(feature = "upstash", feature = "redis"),
    not(target_arch = "wasm32")
))]
mod glance;
mod keep;
mod key_form;
mod known_functions;
mod lease;
mod liveness;
mod load;
mod look;
mod near;
mod old_value;
pub(crate) mod only;
mod peek;
mod policy;
mod retries;
mod return_kind;
#[cfg_attr(target_arch = "wasm32", path = "cache/no_span.rs")]
mod span;
mod stale_answer;
mod staleness;
mod state;
mod storable;
mod value_tags;
mod with_status;

pub use answer::{Answer, never};
pub(crate) use batch::{Batch, ErasedNear, Given, NearForm};
pub use cacheable::{CacheValue, Cacheable, CacheableKind, cacheable};
#[cfg(feature = "catalogue")]
pub(crate) use cached_function::Locality;
pub use cached_function::{CachedFunction, check_prefix};
pub(crate) use call::CachedCall;
pub use call_mode::{refresh, uncached};
pub use call_status::{BatchStatus, BypassReason, CallStatus, Tier};
pub(crate) use cluster_flight::CLUSTER;
pub(crate) use flight::SharedError;
#[cfg(feature = "catalogue")]
pub use function_site::FunctionSite;
#[cfg(feature = "catalogue")]
pub(crate) use function_site::{Called, Described, called_functions, reported, sites};
pub(crate) use keep::KEEPER;
#[cfg(feature = "catalogue")]
pub(crate) use key_form::KeyForm;
pub(crate) use known_functions::FunctionState;
pub(crate) use load::ClusterFlight;
pub(crate) use load::Keeper;
pub(crate) use policy::{Kept, Policy};
pub(crate) use return_kind::Nested;
pub use return_kind::{Fallible, Plain, ReturnKind, Shareable, Sourced};
pub use stale_answer::{Place, StaleAnswer, Started};
pub(crate) use staleness::Freshness;
#[cfg(feature = "catalogue")]
pub(crate) use staleness::{Ahead, Staleness};
pub(crate) use state::Cache;
pub(crate) use storable::unstorable;
pub use with_status::with_status;
