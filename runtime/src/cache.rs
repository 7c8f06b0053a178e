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
mod cluster_flight;
mod enter;
mod fill;
pub(crate) mod flight;
#[cfg(feature = "catalogue")]
mod function_site;
mod key_form;
mod known_functions;
mod lease;
mod liveness;
mod load;
mod look;
mod old_value;
pub(crate) mod only;
mod policy;
mod retries;
mod return_kind;
mod stale_answer;
mod staleness;
mod state;
mod storable;
mod value_tags;

pub use answer::{Answer, never};
pub(crate) use batch::Batch;
pub use cacheable::{CacheValue, Cacheable, CacheableKind, cacheable};
pub use cached_function::{CachedFunction, check_prefix};
pub(crate) use call::CachedCall;
pub use call_mode::{refresh, uncached};
pub(crate) use cluster_flight::CLUSTER;
pub(crate) use flight::SharedError;
#[cfg(feature = "catalogue")]
pub use function_site::FunctionSite;
#[cfg(feature = "catalogue")]
pub(crate) use function_site::{Called, Described, called_functions, reported, sites};
#[cfg(feature = "catalogue")]
pub(crate) use key_form::KeyForm;
pub(crate) use load::ClusterFlight;
pub(crate) use policy::{Kept, Policy};
pub(crate) use return_kind::Nested;
pub use return_kind::{Fallible, Plain, ReturnKind, Shareable, Sourced};
pub use stale_answer::{Place, StaleAnswer, Started};
pub(crate) use staleness::Freshness;
pub(crate) use state::Cache;
pub(crate) use storable::unstorable;
