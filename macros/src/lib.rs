//! The attributes of `millpond`. Use them through that crate, which re-exports them.
//!
//! `tokens → parse (options, function, template) → model (every rule) → expand (one site, one key, one call)`
// Only macros leave this crate; `pub` marks the face of a module.
#![allow(unreachable_pub)]

use proc_macro::TokenStream;

mod errors;
mod expand;
mod function;
mod model;
mod parse;
mod template;

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::cache::check,
        expand::cache::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::mutation::check_invalidates,
        expand::mutation::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn updates(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::mutation::check_updates,
        expand::mutation::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn rate_limited(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(
        options.into(),
        &item.into(),
        model::limit::check,
        expand::limit::expand,
    )
    .into()
}

#[allow(missing_docs)]
#[proc_macro]
pub fn key(input: TokenStream) -> TokenStream {
    expand::key::expand(input.into()).into()
}
