//! Every rule lives here: what was written about a function becomes a description that needs no more
//! judging, or a list of mistakes.
use syn::{Path, parse_quote};

use crate::errors::Errors;

pub mod cache;
pub mod duration;
mod generics;
pub mod key;
pub mod mutation;
mod options;
pub mod signature;

use options::Options;

/// Where the runtime is: `::millpond` unless the option `crate` says otherwise.
fn runtime(options: &mut Options, errors: &mut Errors) -> Path {
    let default = || parse_quote!(::millpond);
    options
        .path(
            "crate",
            "the path of the millpond crate, such as crate = my_crate::millpond",
            errors,
        )
        .unwrap_or_else(default)
}
