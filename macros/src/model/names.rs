//! The names that what is generated gets.
use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::ext::IdentExt;

/// `get_user` is about a `user`.
pub fn stem(name: &str) -> &str {
    let verbs = ["get_", "fetch_", "find_", "load_", "read_"];
    let stem = verbs
        .iter()
        .find_map(|verb| name.strip_prefix(verb))
        .unwrap_or(name);
    if stem.is_empty() { name } else { stem }
}

/// The name of the function beside a method.
pub fn entry_name(method: &Ident) -> Ident {
    format_ident!("{}_entry", method.unraw(), span = method.span())
}

/// The name of what gives all entries beside a method of which this is the entry.
pub fn all_name(entry: &Ident, span: Span) -> Ident {
    let entry = entry.unraw().to_string();
    let method = entry.strip_suffix("_entry").unwrap_or(&entry);
    format_ident!("{method}_all", span = span)
}
