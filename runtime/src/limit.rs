//! Limits: who may do how much, how often, whatever process asks.
//!
//! ```
//! use millpond::limit::Limit;
//! use std::time::Duration;
//!
//! const EXPORT: Limit = Limit::sliding_window("EXPORT", 3, Duration::from_secs(60 * 60));
//! ```
//!
//! A limit's numbers are checked when it is made, by the compiler where that is a `const`. Budgets
//! are those of `@upstash/ratelimit`: same keys, same values, same lifetimes, so that services in
//! both languages share them.

mod address;
pub(crate) mod algorithm;
mod alone;
mod analytics;
mod blocked;
mod budgets;
mod built_in;
mod check;
mod decision;
#[cfg(feature = "tower")]
mod decision_log;
mod definition;
mod degrade;
mod event_names;
mod fallback;
mod flush_turn;
mod headers;
#[cfg(feature = "tower")]
mod http;
mod identifier;
mod kind;
mod known;
mod limiter;
mod names;
mod note;
mod on_outage;
mod pair;
mod receipt;
mod refusal;
mod resolve;
mod rfc3339;
pub(crate) mod script;
mod settings;
mod snapshot;
mod state;
mod sums;
mod table;
mod take;

pub use crate::stats::LimitStats;
pub use address::{client_address, identifier, network};
pub use algorithm::Algorithm;
use built_in::BUILT_IN;
pub use built_in::{API, AUTH, GENERATION, PUBLIC};
pub(crate) use check::{admit, unidentified};
pub use decision::{Decision, Outcome, Reason};
pub use definition::Limit;
#[cfg(feature = "axum")]
pub use http::ClientIp;
#[cfg(feature = "tower")]
pub use http::{
    Answer, Caller, CallerSession, ClientAddress, EXPOSED, GrpcAnswer, LimitOf, OnRefusal,
    RateLimit, RateLimitHeaders, RateLimitHeadersLayer, RateLimitLayer, StandardAnswer,
    Unidentified, is_preflight,
};
pub use limiter::Limiter;
pub use on_outage::OnOutage;
pub(crate) use pair::Pair;
pub use refusal::RateLimited;
pub(crate) use settings::{Deployment, LimitSettings};
pub(crate) use state::Limits;
