//! Attributes and visibility of what stands beside a function.
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Meta, spanned::Spanned};

use crate::{expand::spans::respanned_tokens, function::Function};

/// The function's visibility: an item that began with the user's own token would pass for the user's.
pub fn visibility(function: &Function, span: Span) -> TokenStream {
    respanned_tokens(&function.vis, span)
}

pub fn is_deprecated(function: &Function) -> bool {
    function
        .attrs
        .iter()
        .any(|attr| attr.path().is_ident("deprecated"))
}

/// The attributes of the function that its companions need too. An expectation would not be met in them.
pub fn kept_attributes(function: &Function, names: &[&str]) -> Vec<TokenStream> {
    let is_kept = |attr: &&Attribute| names.iter().any(|name| attr.path().is_ident(name));
    let attrs = function.attrs.iter().filter(is_kept);
    attrs
        .map(|attr| match &attr.meta {
            Meta::List(list) if list.path.is_ident("expect") => {
                let lints = &list.tokens;
                quote_spanned!(attr.span()=> #[allow(#lints)])
            }
            _ => attr.to_token_stream(),
        })
        .collect()
}
