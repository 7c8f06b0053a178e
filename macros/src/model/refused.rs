//! What an attribute leaves that could not be understood.
use proc_macro2::Ident;
use syn::{Path, Visibility};

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
