//! `local`: values that this process keeps as they are.
use darling::FromMeta;
use proc_macro2::Ident;
use syn::{Meta, MetaNameValue};

use super::{
    duration::Length,
    flight::Flight,
    option::{Opt, name_of, ungrouped, wrong},
    value::string,
};
use crate::{errors::Errors, nearest::nearest};

/// `local = "only"`, `local = "5s"`
pub enum Local {
    Only,
    For(Length),
}

const ONLY: &str = "only";

impl FromMeta for Local {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        if let Meta::NameValue(MetaNameValue { value, .. }) = item {
            let value = ungrouped(value);
            let word = string(value).map(syn::LitStr::value);
            if word.as_deref() == Some(ONLY) {
                return Ok(Self::Only);
            }
            if let Some(word) = word
                && nearest(&word.to_lowercase(), [ONLY]).is_some()
            {
                return Err(wrong(format!(
                    "there is no duration \"{word}\"; write \"{ONLY}\""
                )));
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
        Length::from_meta(item).map(Self::For)
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
    /// There, and in this process for a while.
    Near,
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
                value: Local::For(_),
                ..
            } => Self::Near,
            Opt::Failed { error, .. } => {
                errors.add(error.clone());
                Self::Unknown
            }
            Opt::Lost => Self::Unknown,
        }
    }
}

/// For how long this process keeps values that are in the store too.
pub struct Near {
    pub option: Ident,
    pub time: Length,
}

/// What was given is reported by [`Locality::of`].
pub fn near(local: Opt<Local>) -> Option<Near> {
    match local {
        Opt::Given {
            name,
            value: Local::For(time),
        } => Some(Near { option: name, time }),
        _ => None,
    }
}

/// What was encrypted, this process keeps as it was.
pub fn check_plain(
    near: Option<&Near>,
    encrypt: Option<&Ident>,
    plain: Option<&Ident>,
    errors: &mut Errors,
) {
    match (near, encrypt, plain) {
        (Some(near), Some(_), None) => {
            let option = &near.option;
            let message = format!(
                "`{option}` keeps decrypted values in the memory of this process; add local_plain if they may be there, or leave `{option}` out"
            );
            errors.on(option, message);
        }
        (Some(_), Some(_), Some(_)) | (_, _, None) => {}
        (_, _, Some(plain)) => {
            let message =
                format!("`{plain}` has no effect without encrypt and local = \"5s\"; leave it out");
            errors.on(plain, message);
        }
    }
}

/// What lives for less long cannot be kept for longer.
pub fn check_length(near: Option<&Near>, ttl: &Length, errors: &mut Errors) {
    if let Some(Near { option, time }) = near
        && let (Length::Known(time), Length::Known(ttl)) = (time, ttl)
        && time > ttl
    {
        let message = format!(
            "`{option}` is longer than the lifetime, which is {} s; write a shorter one, or a longer ttl",
            ttl.as_secs_f64()
        );
        errors.on(option, message);
    }
}
