//! Where generated tokens say that they stand, and whose they are.
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

/// A span that no lint of the user's crate looks at, in the place of `at`.
pub fn generated(at: Span) -> Span {
    Span::call_site().located_at(at)
}

/// The name with another span. What is a keyword only in the edition of one of the two crates, as `gen` is, is raw.
pub fn respanned(name: &Ident, span: Span) -> Ident {
    let plain = name.unraw().to_string();
    let is_keyword = plain == "gen" || syn::parse_str::<Ident>(&plain).is_err();
    if is_keyword && !matches!(plain.as_str(), "self" | "Self" | "super" | "crate" | "_") {
        Ident::new_raw(&plain, span)
    } else {
        Ident::new(&plain, span)
    }
}

/// The same names in another place: an error about them is reported there.
pub fn located(tokens: impl ToTokens, at: Span) -> TokenStream {
    each(tokens.into_token_stream(), &|span| span.located_at(at))
}

/// All tokens with one span.
pub fn respanned_tokens(tokens: impl ToTokens, span: Span) -> TokenStream {
    each(tokens.into_token_stream(), &|_| span)
}

fn each(tokens: TokenStream, span: &dyn Fn(Span) -> Span) -> TokenStream {
    let one = |mut token: TokenTree| {
        if let TokenTree::Group(group) = &token {
            token = Group::new(group.delimiter(), each(group.stream(), span)).into();
        }
        token.set_span(span(token.span()));
        token
    };
    tokens.into_iter().map(one).collect()
}
