//! A function with `local = "only"`: a look at what is kept, then the body, as a future or on this thread.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;

use super::{
    asked::Asked,
    body::{body, borrowed_pond, closure, return_kind, with_body},
    cached_function::{self, referred, rest_of_call},
    function_number, key,
    spans::located,
};
use crate::model::{cache::Cache, spelling::value_type};

pub fn expand(cache: &Cache) -> TokenStream {
    let Cache {
        runtime,
        function,
        output,
        unless,
        ..
    } = cache;
    let Asked { when, owner, kind } = Asked::of(cache);
    // A value that cannot be kept is reported where the return type stands.
    let local_type = quote_spanned!(Span::mixed_site()=> #runtime::__private::local_type(kind));
    let local_type = located(local_type, value_type(output).span());
    let form = form(cache, &local_type);
    let never = || quote_spanned!(Span::mixed_site()=> #runtime::__private::never);
    let unless = unless
        .as_ref()
        .map_or_else(never, ToTokens::to_token_stream);
    let call = new_call(cache);
    let pond = own_pond(cache);
    let rest = rest_of_call(cache);
    let run = if function.sig.asyncness.is_some() {
        let body = body(function, Some(output));
        quote_spanned! {Span::mixed_site()=>
            #body
            #runtime::__private::kept(call, rules, body).await
        }
    } else {
        let body = closure(function, output);
        quote_spanned!(Span::mixed_site()=> #runtime::__private::kept_here(call, rules, #body))
    };
    with_body(
        function,
        &quote_spanned! {Span::mixed_site()=>
            let kind = #kind;
            let form = #form;
            let mut call = #call #owner #when;
            if let ::core::option::Option::Some(returned) = call.hit(kind, form, #pond) {
                return returned;
            }
            let call = call #rest;
            let rules = #runtime::__private::LocalRules::new(kind, form, #unless);
            #run
        },
    )
}

/// The entry of some arguments.
pub fn entry(cache: &Cache, output: &syn::Type) -> TokenStream {
    let runtime = &cache.runtime;
    let call = new_call(cache);
    let rest = rest_of_call(cache);
    let kind = return_kind(runtime, output, "kind_unshared");
    // What cannot be kept is reported at the function.
    let form = form(
        cache,
        &quote_spanned!(Span::mixed_site()=> #runtime::__private::any_local_type(#kind)),
    );
    quote_spanned!(Span::mixed_site()=> #runtime::__private::local_entry(#call #rest, #form))
}

/// How the values of a type are kept, found by the compiler.
fn form(cache: &Cache, local_type: &TokenStream) -> TokenStream {
    let runtime = &cache.runtime;
    let living = cache.constants.ttl_of.as_ref().map(|ttl_of| {
        let method = Ident::new("living", Span::mixed_site().located_at(ttl_of.span()));
        quote_spanned!(Span::mixed_site()=> .#method(#ttl_of))
    });
    quote_spanned! {Span::mixed_site()=>
        {
            use #runtime::__private::forms::*;
            let local = #local_type;
            (&&&&local).form().sized((&&local).bytes()) #living
        }
    }
}

/// Function and key of one set of arguments: all that a hit needs.
fn new_call(cache: &Cache) -> TokenStream {
    let runtime = &cache.runtime;
    let function = referred(cache);
    let number = function_number::referred(cache);
    let key = key::written(
        &quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::reused(function)),
        &cache.key.steps,
    );
    quote_spanned! {Span::mixed_site()=>
        {
            let function = #function;
            let key = #key;
            #runtime::__private::LocalCall::new(function, #number, key)
        }
    }
}

/// A look at what this process keeps of a value that is in the store too, for the beginning of a call. Nothing comes
/// back where it keeps nothing.
pub fn look(
    cache: &Cache,
    owner: Option<&TokenStream>,
    when: Option<&TokenStream>,
) -> Option<TokenStream> {
    cache.constants.near.as_ref()?;
    let runtime = &cache.runtime;
    // A value that cannot be kept is reported where the return type stands.
    let local_type = quote_spanned!(Span::mixed_site()=> #runtime::__private::local_type(kind));
    let local_type = located(local_type, value_type(&cache.output).span());
    let call = cached_function::new_call(cache);
    let rest = rest_of_call(cache);
    let pond = own_pond(cache);
    Some(quote_spanned! {Span::mixed_site()=>
        let form = {
            use #runtime::__private::forms::*;
            (&&&&#local_type).form()
        };
        let mut call = #call #owner #when;
        if let ::core::option::Option::Some(returned) = call.hit(kind, form, #pond) {
            return returned;
        }
        let call = call #rest;
    })
}

/// The cache that the function says it uses.
fn own_pond(cache: &Cache) -> TokenStream {
    cache.on.as_ref().map(borrowed_pond).map_or_else(
        || quote_spanned!(Span::mixed_site()=> ::core::option::Option::None),
        |pond| quote_spanned!(Span::mixed_site()=> ::core::option::Option::Some(#pond)),
    )
}
