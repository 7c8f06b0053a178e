//! Every rule lives here: what was written about a function becomes a description that needs no more
//! judging, or a list of mistakes.
use proc_macro2::Ident;
use syn::{Expr, Path, Visibility, parse_quote};

use crate::errors::Errors;

pub mod bare;
pub mod cache;
pub mod companion;
pub mod duration;
mod generics;
pub mod key;
pub mod limit;
pub mod mutation;
mod options;
pub mod signature;
pub mod site;

use options::Options;

/// Why there is no description.
pub struct Refused {
    pub errors: syn::Error,
    /// The macro that would have stood beside the function: its callers did nothing wrong.
    pub missing: Option<Box<Missing>>,
}

pub struct Missing {
    pub vis: Visibility,
    pub name: Ident,
    pub runtime: Path,
}

impl From<syn::Error> for Refused {
    fn from(errors: syn::Error) -> Self {
        Self {
            errors,
            missing: None,
        }
    }
}

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

/// The `Millpond` to use instead of the current one.
fn on(options: &mut Options, errors: &mut Errors) -> Option<Expr> {
    let wanted = "on = self.pond";
    match options.expr("on", wanted, errors)? {
        Expr::Lit(literal) => {
            errors.on(
                literal,
                format!("`on` takes the Millpond to use; write an expression such as {wanted}"),
            );
            None
        }
        expr => Some(expr),
    }
}
