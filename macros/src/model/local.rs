//! `local`: values that this process keeps as they are.
use darling::FromMeta;
use proc_macro2::Ident;
use syn::{Meta, MetaNameValue};

use super::{
    constants::Flight,
    duration::Length,
    option::{Opt, name_of, ungrouped, wrong},
    value::string,
};
use crate::errors::Errors;

/// `local = "only"`, `local = "5s"`
pub enum Local {
    Only,
    For,
}

const ONLY: &str = "only";

impl FromMeta for Local {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        if let Meta::NameValue(MetaNameValue { value, .. }) = item {
            let value = ungrouped(value);
            if string(value).is_some_and(|word| word.value() == ONLY) {
                return Ok(Self::Only);
            }
            if let syn::Expr::Path(path) = value
                && path.path.is_ident(ONLY)
            {
                let name = name_of(item);
                return Err(wrong(format!(
                    "`{name}` takes a word in quotes; write {name} = \"{ONLY}\""
                )));
            }
        }
        Length::from_meta(item).map(|_| Self::For)
    }
}

/// What nothing can be done with where no byte leaves the process.
pub fn check_alone(others: &[Option<&Ident>], errors: &mut Errors) {
    for name in others.iter().flatten() {
        let message = format!(
            "`{name}` has no effect beside local = \"only\", which keeps values in this process as they are; leave one of them out"
        );
        errors.on(name, message);
    }
}

/// One load for all processes, of a value that only one of them sees.
pub fn check_flight(flight: &Opt<Flight>, errors: &mut Errors) {
    if let Opt::Given {
        name,
        value: Flight::Cluster,
    } = flight
    {
        errors.on(
            name,
            "flight = \"cluster\" has no effect beside local = \"only\", which keeps values in this process; leave one of them out",
        );
    }
}

/// Where values are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// In the store of the `Millpond`.
    Shared,
    /// In this process, and nowhere else.
    Only,
    /// What was written could not be read, and is reported.
    Unknown,
}

impl Locality {
    /// Reports what is wrong.
    pub fn of(local: &Opt<Local>, errors: &mut Errors) -> Self {
        match local {
            Opt::Absent => Self::Shared,
            Opt::Given {
                value: Local::Only, ..
            } => Self::Only,
            Opt::Given {
                name,
                value: Local::For,
            } => {
                errors.on(
                    name,
                    "`local` with a duration is not supported yet; write local = \"only\", or leave it out",
                );
                Self::Shared
            }
            Opt::Failed { error, .. } => {
                errors.add(error.clone());
                Self::Unknown
            }
            Opt::Lost => Self::Unknown,
        }
    }
}
