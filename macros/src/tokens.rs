//! Tokens as names and as text.
use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

/// The identifiers in `tokens` at any depth, without `r#`; the names of lifetimes keep their quote.
pub fn identifiers(tokens: impl ToTokens) -> HashSet<String> {
    fn collect(tokens: TokenStream, found: &mut HashSet<String>) {
        let mut quoted = false;
        for token in tokens {
            match &token {
                TokenTree::Group(group) => collect(group.stream(), found),
                TokenTree::Ident(ident) if quoted => drop(found.insert(format!("'{ident}"))),
                TokenTree::Ident(ident) => drop(found.insert(plain(ident))),
                _ => {}
            }
            quoted = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
        }
    }
    let mut found = HashSet::new();
    collect(tokens.into_token_stream(), &mut found);
    found
}

/// A name without `r#`, as it is written in a template.
pub fn plain(name: &Ident) -> String {
    name.unraw().to_string()
}

/// The name with another span. What is a keyword only in the edition of one of the two crates, as `gen` is, is raw.
pub fn respanned(name: &Ident, span: Span) -> Ident {
    let plain = plain(name);
    let is_keyword = plain == "gen" || syn::parse_str::<Ident>(&plain).is_err();
    if is_keyword && !matches!(plain.as_str(), "self" | "Self" | "super" | "crate" | "_") {
        Ident::new_raw(&plain, span)
    } else {
        Ident::new(&plain, span)
    }
}

/// Tokens as one would write them.
pub fn text(tokens: impl ToTokens) -> String {
    let spaced = tokens.to_token_stream().to_string();
    let mut text = spaced.replace(" :: ", "::").replace(":: ", "::");
    for mark in ["<", ">", ",", ";", "&", "(", ")", "[", "]"] {
        text = text.replace(&format!(" {mark}"), mark);
    }
    for mark in ["<", "&", "(", "["] {
        text = text.replace(&format!("{mark} "), mark);
    }
    text
}
