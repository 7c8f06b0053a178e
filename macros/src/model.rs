//! Every rule lives here: what was written about a function becomes a description that needs no more judging, or a
//! list of mistakes.

pub mod bare;
pub mod batch;
pub mod cache;
pub mod callee;
mod choice;
pub mod companion;
pub mod constants;
mod coverage;
pub mod duration;
pub mod flight;
mod generics;
pub mod key;
pub mod limit;
mod local;
pub mod mutation;
pub mod names;
mod number;
pub mod option;
pub mod output;
pub mod own_body;
pub mod prefix;
pub mod refused;
pub mod signature;
pub mod spelling;
pub mod staleness;
pub mod tag;
pub mod tags;
mod value;
