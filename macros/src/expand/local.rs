//! A function with `local = "only"`: a look at what is kept, then the body, as a future or on this thread.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, spanned::Spanned};

use super::{
    asked::Asked,
    body::{body, closure, return_kind, with_body},
    cached_function::{self, in_pond, own_pond, rest_of_call},
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
    let Asked {
        names_owner,
        owner,
        kind,
        ..
    } = Asked::of(cache);
    // A value that cannot be kept is reported where the return type stands.
    let local_type = quote_spanned!(Span::mixed_site()=> #runtime::__private::local_type(kind));
    let local_type = located(local_type, value_type(output).span());
    let form = form(cache, &local_type);
    let never = || quote_spanned!(Span::mixed_site()=> #runtime::__private::never);
    let unless = unless
        .as_ref()
        .map_or_else(never, ToTokens::to_token_stream);
    let number = function_number::referred(cache);
    let call = call_after_look(
        cache,
        &Look {
            place: quote_spanned!(Span::mixed_site()=> #runtime::__private::LocalPlace::only),
            of: quote_spanned!(Span::mixed_site()=> number),
            call: quote_spanned! {Span::mixed_site()=>
                #runtime::__private::LocalCall::new(function, number, key.finish())
            },
        },
        owner.as_ref(),
        cache.when.as_ref(),
    );
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
            #names_owner
            let number = #number;
            #call
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
    let entry =
        quote_spanned!(Span::mixed_site()=> #runtime::__private::local_entry(#call #rest, #form));
    in_pond(cache, &entry)
}

/// The entry of a function whose values are in the store too. Its batch form learns there how they are kept.
pub fn near_entry(cache: &Cache, call: &TokenStream, output: &syn::Type) -> TokenStream {
    let runtime = &cache.runtime;
    let kind = return_kind(runtime, output, "kind_unshared");
    // What cannot be kept is reported at the function.
    quote_spanned! {Span::mixed_site()=>
        #runtime::__private::near_entry(#call, || {
            use #runtime::__private::forms::*;
            let local = #runtime::__private::any_local_type(#kind);
            (&&local).erased((&&&&local).form())
        })
    }
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

/// Function and key of one set of arguments.
fn new_call(cache: &Cache) -> TokenStream {
    let runtime = &cache.runtime;
    let function = cached_function::referred(cache);
    let number = function_number::referred(cache);
    let writer = quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::new(function));
    let key = key::written(&writer, &cache.key.steps);
    quote_spanned! {Span::mixed_site()=>
        {
            let function = #function;
            let key = #key;
            #runtime::__private::LocalCall::new(function, #number, key)
        }
    }
}

/// Where a kept value is looked for, and the call if there is none.
struct Look {
    place: TokenStream,
    /// Of what it is the place.
    of: TokenStream,
    call: TokenStream,
}

/// `let call`, unless what is kept is returned before. What is written of the key does not outlive the look.
fn call_after_look(
    cache: &Cache,
    look: &Look,
    owner: Option<&TokenStream>,
    when: Option<&Expr>,
) -> TokenStream {
    let Look { place, of, call } = look;
    let runtime = &cache.runtime;
    let function = cached_function::referred(cache);
    let pond = own_pond(cache);
    let rest = rest_of_call(cache);
    let key = Ident::new("key", Span::mixed_site());
    let short_key = key::short(runtime, &cache.key.steps).unwrap_or_else(
        || quote_spanned!(Span::mixed_site()=> #runtime::__private::ShortKey::none()),
    );
    let writer =
        quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::on_scratch(function));
    let writing = key::writing(&key, &writer, &cache.key.steps);
    let sets_when = when.map(|_| quote_spanned!(Span::mixed_site()=> .when(when)));
    let when = condition(when);
    let call = quote_spanned! {Span::mixed_site()=>
        let place = #place(#of, #pond);
        let looked = place.look(#short_key, when, kind, form);
        if let #runtime::__private::Looked::Hit(returned) = looked {
            return returned;
        }
        #writing
        let hit = looked.or_under(place, &mut #key, kind, form);
        if let ::core::option::Option::Some(returned) = hit {
            return returned;
        }
        #call #owner #sets_when #rest
    };
    let call = in_pond(cache, &call);
    quote_spanned! {Span::mixed_site()=>
        let function = #function;
        let when: bool = #when;
        let call = #call;
    }
}

/// A look at what this process keeps of a value that is in the store too, for the beginning of a call. Nothing comes
/// back where it keeps nothing.
pub fn look(
    cache: &Cache,
    owner: Option<&TokenStream>,
    when: Option<&Expr>,
) -> Option<TokenStream> {
    cache.constants.near.as_ref()?;
    let runtime = &cache.runtime;
    // A value that cannot be kept is reported where the return type stands.
    let local_type = quote_spanned!(Span::mixed_site()=> #runtime::__private::local_type(kind));
    let local_type = located(local_type, value_type(&cache.output).span());
    let call = call_after_look(
        cache,
        &Look {
            place: quote_spanned!(Span::mixed_site()=> #runtime::__private::LocalPlace::near),
            of: quote_spanned!(Span::mixed_site()=> function),
            call: quote_spanned! {Span::mixed_site()=>
                #runtime::__private::Call::new(function, key.finish()).near()
            },
        },
        owner,
        when,
    );
    Some(quote_spanned! {Span::mixed_site()=>
        let form = {
            use #runtime::__private::forms::*;
            (&&&&#local_type).form()
        };
        #call
    })
}

/// Whether the cache is used.
pub fn condition(when: Option<&Expr>) -> TokenStream {
    when.map_or_else(
        || quote_spanned!(Span::mixed_site()=> true),
        ToTokens::to_token_stream,
    )
}
