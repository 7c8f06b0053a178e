//! Descriptions to tokens. The only place that says `quote!`, and it decides nothing.
use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Path, Type, spanned::Spanned};

use crate::{function::Function, model::Refused};

pub mod cache;
mod companion;
pub mod key;
pub mod mutation;
#[cfg(test)]
mod tests;

/// Reads the function, checks, expands. A mistake leaves the function as it was, beside its errors.
pub fn attribute<Model>(
    options: TokenStream,
    item: &TokenStream,
    check: impl FnOnce(TokenStream, Function) -> Result<Model, Refused>,
    expand: impl FnOnce(&Model) -> TokenStream,
) -> TokenStream {
    let function = syn::parse2::<Function>(item.clone()).map_err(Refused::from);
    match function.and_then(|function| check(options, function)) {
        Ok(model) => expand(&model),
        Err(Refused { errors, missing }) => {
            let errors = errors.into_compile_error();
            let missing = missing.as_deref().map(companion::stub);
            quote!(#item #errors #missing)
        }
    }
}

/// The function with another body; everything before the braces is what the user wrote.
fn with_body(function: &Function, statements: &TokenStream) -> TokenStream {
    let Function {
        attrs,
        vis,
        sig,
        body,
    } = function;
    let braced = quote_spanned!(body.span()=> { #statements });
    quote!(#(#attrs)* #vis #sig #braced)
}

/// The user's statements as a future named `body`, in the user's braces. The return in front, which never happens, tells
/// the compiler the type, so that what is wrong in the body is reported as if the attribute were not there.
fn body(function: &Function, output: Option<&Type>) -> TokenStream {
    let edge = output.map(|output| {
        quote_spanned! {Span::mixed_site().located_at(output.span())=>
            if let ::core::option::Option::Some(edge) = ::core::option::Option::<#output>::None {
                return edge;
            }
        }
    });
    let statements = function.body.stream();
    let mut braced = Group::new(Delimiter::Brace, quote!(#edge #statements));
    braced.set_span(function.body.span());
    let future = Span::mixed_site().located_at(function.body.span());
    let future = quote_spanned!(future=> async move #braced);
    // Pinned here and lent out: each `async fn` that it were moved through would hold it twice.
    quote_spanned!(Span::mixed_site()=> let body = ::core::pin::pin!(#future);)
}

/// What the return type is made of, found by the compiler.
fn shape(runtime: &Path, output: &impl ToTokens, method: &str) -> TokenStream {
    let method = proc_macro2::Ident::new(method, Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        {
            use #runtime::__private::probe::*;
            (&&&&#runtime::__private::Probe::<#output>::new()).#method()
        }
    }
}
