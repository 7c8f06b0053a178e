#![doc = include_str!("../docs/metrics.md")]

mod labels;
mod names;
mod publish;
mod source;

#[doc(no_inline)]
pub use ::metrics as facade;
pub use names::BUCKETS;
pub use publish::publish;
pub(crate) use publish::{answered_in, load_took, waited};
#[cfg(feature = "catalogue")]
pub(crate) use source::Declares;
pub(crate) use source::{Source, Totals, add};
