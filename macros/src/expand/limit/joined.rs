//! Attributes that stand together: the one that is expanded later adds its call to those of the one before, so that
//! all limits are one decision.
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::{
    Ident, ItemConst, Token, bracketed,
    parse::{ParseStream, Parser},
};

use crate::{function::Function, model::limit::mark};

/// The name of the calls in what is written; nobody else can refer to it.
pub const CALLS: &str = "calls";

/// What an attribute wrote that was expanded before: its mark, `let calls = [..];`, the rest.
pub struct Joined {
    marks: Vec<ItemConst>,
    name: Ident,
    calls: TokenStream,
    rest: TokenStream,
}

/// `None` if nothing of the kind stands at the beginning of the body: another attribute wrapped it.
pub fn find(function: &Function) -> Option<Joined> {
    let parser = |input: ParseStream<'_>| {
        let marks = mark::items(input)?;
        input.parse::<Token![let]>()?;
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        let calls;
        bracketed!(calls in input);
        let calls = calls.parse()?;
        input.parse::<Token![;]>()?;
        let rest = input.parse()?;
        Ok(Joined {
            marks,
            name,
            calls,
            rest,
        })
    };
    let joined = parser.parse2(function.body.stream()).ok()?;
    (!joined.marks.is_empty() && joined.name == CALLS).then_some(joined)
}

impl Joined {
    /// The limit that stands nearest to the function comes first.
    pub fn with(&self, mark: &TokenStream, call: &TokenStream) -> TokenStream {
        let Self {
            marks,
            name,
            calls,
            rest,
        } = self;
        quote_spanned! {Span::mixed_site()=>
            #(#marks)*
            #mark
            let #name = [#call, #calls];
            #rest
        }
    }
}
