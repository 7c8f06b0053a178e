//! What an attribute leaves that could not be understood.
use syn::{Path, Type};

use super::companion::Companion;
use crate::function::Function;

/// Why there is no description.
pub struct Refused {
    pub errors: syn::Error,
    /// What would have stood beside the function: its callers did nothing wrong.
    pub missing: Option<Box<Missing>>,
}

pub struct Missing {
    pub runtime: Path,
    pub function: Function,
    pub output: Type,
    pub companion: Companion,
}

impl From<syn::Error> for Refused {
    fn from(errors: syn::Error) -> Self {
        Self {
            errors,
            missing: None,
        }
    }
}
