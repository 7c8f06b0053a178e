//! The catalogue as data.

use super::check::Compared;
use super::entries::{Function, Limit, Mutation, Tag};
use serde::Serialize;

/// Everything that this binary caches, invalidates and limits by attributes, sorted by name.
///
/// ```
/// println!("{}", millpond::catalogue());
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Catalogue {
    /// Cached functions and methods; a generic one once.
    pub functions: Vec<Function>,
    /// Declared tags.
    pub tags: Vec<Tag>,
    /// Functions with `#[invalidates]` or `#[updates]`.
    pub mutations: Vec<Mutation>,
    /// Functions with `#[rate_limited]`, one for each attribute.
    pub limits: Vec<Limit>,
    /// What cannot be seen, in a sentence.
    pub note: String,
    #[serde(skip)]
    pub(super) compared: Vec<Compared>,
}
