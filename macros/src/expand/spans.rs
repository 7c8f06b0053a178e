//! Where generated tokens say that they stand, and whose they are.
use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// A span that no lint of the user's crate looks at, in the place of `at`.
pub fn generated(at: Span) -> Span {
    Span::call_site().located_at(at)
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
