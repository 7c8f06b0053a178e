//! The annotated function as it stands: attributes and signature parsed, the body kept as tokens.
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{
    AttrStyle, Attribute, Signature, Visibility,
    parse::{Parse, ParseStream, Parser},
};

pub struct Function {
    pub attrs: Vec<Attribute>,
    pub vis: Visibility,
    pub sig: Signature,
    /// The braces and all between them, inner attributes moved to `attrs`.
    pub body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig: Signature = input.parse().map_err(|error: syn::Error| {
            syn::Error::new(
                error.span(),
                "not a function; put the attribute on an `async fn`",
            )
        })?;
        let Some(body) = body(input) else {
            return Err(syn::Error::new_spanned(
                &sig.ident,
                "a function without a body; put the attribute on the `async fn` that has one",
            ));
        };
        let (inner, statements) = split_inner(body.stream())?;
        if inner.is_empty() {
            return Ok(Self {
                attrs,
                vis,
                sig,
                body,
            });
        }
        attrs.extend(inner);
        let mut kept = Group::new(body.delimiter(), statements);
        kept.set_span(body.span());
        Ok(Self {
            attrs,
            vis,
            sig,
            body: kept,
        })
    }
}

/// The braces, which stand in an invisible group where they came through a `$body:block` of a macro.
fn body(input: ParseStream<'_>) -> Option<Group> {
    let TokenTree::Group(group) = input.parse().ok()? else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => Parser::parse2(body_alone, group.stream()).ok(),
        _ => None,
    }
}

fn body_alone(input: ParseStream<'_>) -> syn::Result<Group> {
    body(input).ok_or_else(|| input.error("expected the body of the function"))
}

/// `#![allow(..)]` may open the body of a function, but not the block that it is moved into.
fn split_inner(body: TokenStream) -> syn::Result<(Vec<Attribute>, TokenStream)> {
    let parser = |input: ParseStream<'_>| Ok((input.call(Attribute::parse_inner)?, input.parse()?));
    let (mut inner, statements): (Vec<Attribute>, TokenStream) = parser.parse2(body)?;
    for attr in &mut inner {
        attr.style = AttrStyle::Outer;
    }
    Ok((inner, statements))
}
