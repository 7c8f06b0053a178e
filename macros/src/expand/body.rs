//! The function around its own statements.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, Path, Type, spanned::Spanned};

use crate::{function::Function, model::duration::Length};

/// The function with another body; everything before the braces is what the user wrote.
pub fn with_body(function: &Function, statements: &TokenStream) -> TokenStream {
    let Function {
        attrs,
        vis,
        sig,
        body,
    } = function;
    let braced = quote_spanned!(body.span()=> { #statements });
    quote!(#(#attrs)* #vis #sig #braced)
}

/// `let body`: the body as a future that stays where it is. Whoever took it by value would hold it several times,
/// and functions that call each other would grow by that factor each.
pub fn body(function: &Function, output: Option<&Type>) -> TokenStream {
    let name = Ident::new("body", Span::mixed_site());
    let future = future(function, output);
    quote_spanned!(Span::mixed_site()=> let #name = ::core::pin::pin!(#future);)
}

/// The user's statements as a future, in the user's braces. The return in front, which never happens, tells
/// the compiler the type, so that what is wrong in the body is reported as if the attribute were not there.
pub fn future(function: &Function, output: Option<&Type>) -> TokenStream {
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
    let at = Span::mixed_site().located_at(function.body.span());
    quote_spanned!(at=> async move #braced)
}

/// The same as a closure that runs them on this thread.
pub fn closure(function: &Function, output: &Type) -> TokenStream {
    let mut braced = Group::new(Delimiter::Brace, function.body.stream());
    braced.set_span(function.body.span());
    let at = Span::mixed_site().located_at(function.body.span());
    quote_spanned!(at=> move || -> #output #braced)
}

/// What kind of return type it is, found by the compiler.
pub fn return_kind(runtime: &Path, output: &impl ToTokens, method: &str) -> TokenStream {
    let method = Ident::new(method, Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        {
            use #runtime::__private::kinds::*;
            (&&&&&&#runtime::__private::ReturnType::<#output>::new()).#method()
        }
    }
}

/// The value of the option `on`, owned or behind references and smart pointers: `&(..)` is coerced to `&Millpond`.
pub fn borrowed_pond(on: &Expr) -> TokenStream {
    let at = Span::mixed_site().located_at(on.span());
    quote_spanned!(at=> &(#on))
}

pub fn length(length: &Length) -> TokenStream {
    let duration = match length {
        Length::Known(duration) => duration,
        Length::Const(expr) => return expr.to_token_stream(),
    };
    let seconds = duration.as_secs();
    let nanoseconds = duration.subsec_nanos();
    if nanoseconds == 0 {
        return quote_spanned!(Span::mixed_site()=> ::core::time::Duration::from_secs(#seconds));
    }
    quote_spanned!(Span::mixed_site()=> ::core::time::Duration::new(#seconds, #nanoseconds))
}
