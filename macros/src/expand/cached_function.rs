//! What the runtime is told of a cached function, and a call of it. The description is written once, beside
//! the function where there is a companion to hold it.
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;

use super::{
    body::{borrowed_pond, length, return_kind},
    callee::{Member, member},
    catalogue,
    companion::{lasting, turbofish},
    function_number, key,
    spans::respanned_tokens,
    tag,
};
use crate::{
    model::{
        cache::Cache,
        companion::Companion,
        constants::{Constants, Null},
        flight::Flight,
        staleness::{Ahead, Windows},
    },
    tokens::respanned,
};

/// The call of one set of arguments: function, key, and the `Millpond` to use.
pub fn call(cache: &Cache) -> TokenStream {
    let function = referred(cache);
    let call = in_pond(cache, &call_of_function(cache));
    quote_spanned! {Span::mixed_site()=>
        {
            let function = #function;
            #call
        }
    }
}

/// The same where `function` and its `pond` have these names.
pub fn call_of_function(cache: &Cache) -> TokenStream {
    let rest = rest_of_call(cache);
    let runtime = &cache.runtime;
    let writer = quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::new(function));
    let key = key::written(&writer, &cache.key.steps);
    quote_spanned!(Span::mixed_site()=> #runtime::__private::Call::new(function, #key) #rest)
}

/// An expression in which `pond` is the cache that the function says it uses, if it does. What that borrows from lives until the
/// end of the statement around it: it may be a guard, which nobody may hold while the body runs.
pub fn in_pond(cache: &Cache, inner: &TokenStream) -> TokenStream {
    let Some(on) = &cache.on else {
        return quote_spanned!(Span::mixed_site()=> { #inner });
    };
    let runtime = &cache.runtime;
    let pond = borrowed_pond(on);
    // What is wrong with it is said there, and once.
    let named = Ident::new("pond", Span::mixed_site().located_at(on.span()));
    quote_spanned! {Span::mixed_site()=>
        match #pond {
            pond => {
                let pond: &#runtime::Millpond = #named;
                #inner
            }
        }
    }
}

/// That cache as an `Option`.
pub fn own_pond(cache: &Cache) -> TokenStream {
    if cache.on.is_some() {
        quote_spanned!(Span::mixed_site()=> ::core::option::Option::Some(pond))
    } else {
        quote_spanned!(Span::mixed_site()=> ::core::option::Option::None)
    }
}

/// What only a load needs to know: its `pond`, and the tags.
pub fn rest_of_call(cache: &Cache) -> TokenStream {
    let runtime = &cache.runtime;
    let tags = cache.tags.iter().map(|tag| tag::value(runtime, tag));
    let on = cache
        .on
        .is_some()
        .then(|| quote_spanned!(Span::mixed_site()=> .on(pond)));
    // On the call, not in the description: what it reaches is left out of a program that never calls it.
    let in_cluster = (cache.constants.flight == Flight::Cluster)
        .then(|| quote_spanned!(Span::mixed_site()=> .in_cluster()));
    quote_spanned!(Span::mixed_site()=> #on #(.tag(#tags))* #in_cluster)
}

/// The description, from the companion where there is one.
pub fn referred(cache: &Cache) -> TokenStream {
    let turbofish = turbofish(&cache.described_generics);
    match &cache.companion {
        Companion::None => in_place(cache),
        Companion::Beside { name, .. } => {
            let name = respanned(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> #name::function #turbofish ())
        }
        Companion::Within { name, .. } => {
            let name = Member::Function.beside(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> Self::#name #turbofish ())
        }
    }
}

/// The functions that hold the description and the return type, for a companion.
pub fn holders(cache: &Cache, span: Span, cfgs: &[TokenStream]) -> TokenStream {
    let name = |member: Member| match &cache.companion {
        Companion::Within { name, .. } => member.beside(name, span),
        _ => Ident::new(member.name(), span),
    };
    let (function, returns) = (name(Member::Function), name(Member::Returns));
    let runtime = &cache.runtime;
    let vis = respanned_tokens(&cache.function.vis, span);
    let generics = &cache.described_generics;
    let clause = &generics.where_clause;
    let description = in_place(cache);
    let output = lasting(&cache.output, span);
    let number = cache.is_local().then(|| {
        let name = name(Member::Number);
        let number = function_number::in_place(runtime);
        quote_spanned! {span=>
            #[doc(hidden)]
            #[inline]
            #(#cfgs)*
            #vis fn #name() -> &'static #runtime::__private::FunctionNumber {
                #number
            }
        }
    });
    quote_spanned! {span=>
        #number
        #[doc(hidden)]
        #(#cfgs)*
        #vis fn #function #generics () -> &'static #runtime::__private::CachedFunction #clause {
            #description
        }
        #[doc(hidden)]
        #[inline]
        #(#cfgs)*
        #vis fn #returns #generics () -> #runtime::__private::ReturnType<#output> #clause {
            #runtime::__private::ReturnType::new()
        }
    }
}

/// An item where it can be one, which the compiler checks even if the function is never built; else a
/// constant, which may name `Self::TTL` or `T::PREFIX`.
fn in_place(cache: &Cache) -> TokenStream {
    let runtime = &cache.runtime;
    let description = description(cache);
    if cache.are_constant {
        let item = Ident::new("CACHED_FUNCTION", Span::mixed_site());
        let catalogued = catalogue::cached(cache, Some(&item));
        quote_spanned! {Span::mixed_site()=>
            {
                static #item: #runtime::__private::CachedFunction = #description;
                #catalogued
                &#item
            }
        }
    } else {
        let catalogued = catalogue::cached(cache, None);
        quote_spanned!(Span::mixed_site()=> { #catalogued const { &#description } })
    }
}

fn description(cache: &Cache) -> TokenStream {
    let Cache {
        runtime,
        constants:
            Constants {
                prefix,
                ttl,
                null,
                version,
                flight,
                compress,
                encrypt,
                guard,
                jitter,
                ttl_of,
                tags_of,
                windows,
                near,
            },
        ..
    } = cache;
    let name = catalogue::name(&cache.function.sig.ident);
    let template = &cache.key.text;
    let prefix = key::prefix(prefix);
    let ttl = length(ttl);
    let null = match null {
        Null::Kept(null_ttl) => {
            let null_ttl = length(null_ttl);
            quote_spanned!(Span::mixed_site()=> .null_ttl(#null_ttl))
        }
        Null::Default => TokenStream::new(),
        Null::NotKept => quote_spanned!(Span::mixed_site()=> .no_null()),
    };
    let version = version.map(|version| quote_spanned!(Span::mixed_site()=> .version(#version)));
    let flight = match flight {
        Flight::Process | Flight::Cluster => TokenStream::new(),
        Flight::Off => quote_spanned!(Span::mixed_site()=> .no_flight()),
    };
    let compress = compress.then(|| quote_spanned!(Span::mixed_site()=> .compress()));
    let sharing = cache.shares.as_ref().map(|shares| {
        let other = member(shares, Member::Function);
        quote_spanned!(Span::mixed_site()=> .sharing(#other))
    });
    let encrypt = encrypt.then(|| quote_spanned!(Span::mixed_site()=> .encrypt()));
    let jitter = jitter.map(|jitter| {
        let jitter = Literal::f64_unsuffixed(jitter);
        quote_spanned!(Span::mixed_site()=> .jitter(#jitter))
    });
    // Where values stay what they are, the value itself is asked.
    let has_bytes = |_: &&syn::Expr| !cache.is_local();
    let ttl_of = ttl_of.as_ref().filter(has_bytes);
    let ttl_of = ttl_of.map(|ttl_of| {
        quote_spanned! {Span::mixed_site()=>
            .ttl_of(|plain| #runtime::__private::lifetime_of(plain, #ttl_of))
        }
    });
    let tags_of = tags_of.as_ref().filter(has_bytes).map(|tags_of| {
        quote_spanned! {Span::mixed_site()=>
            .tags_of(|plain| #runtime::__private::tags_of_value(plain, #tags_of))
        }
    });
    let unless = cache.unless.as_ref().filter(has_bytes).map(|unless| {
        let kind = return_kind(runtime, &cache.output, "kind_unshared");
        quote_spanned! {Span::mixed_site()=>
            .unless(|plain| {
                use #runtime::__private::kinds::*;
                let kind = #kind;
                let unless = #runtime::__private::unless(kind, #unless);
                (&&#runtime::__private::Unless::new(kind, unless)).holds(plain)
            })
        }
    });
    let local = cache
        .is_local()
        .then(|| quote_spanned!(Span::mixed_site()=> .local_only()));
    let near = near.as_ref().map(|near| {
        let time = length(&near.time);
        quote_spanned!(Span::mixed_site()=> .local(#time))
    });
    let windows = windows.as_ref().map(staleness);
    let all = cache.all.is_some();
    let all = all.then(|| quote_spanned!(Span::mixed_site()=> .all()));
    let guard = (!guard).then(|| quote_spanned!(Span::mixed_site()=> .no_guard()));
    quote_spanned! {Span::mixed_site()=>
        #runtime::__private::CachedFunction::new(
            #name,
            #prefix,
            #template,
            #ttl,
        )
        #null #version #flight #compress #encrypt #jitter #ttl_of #unless #tags_of #guard #all #local #near #windows #sharing
    }
}

/// For how long values are used after their lifetime, and when they are loaded again before.
fn staleness(windows: &Windows) -> TokenStream {
    let Windows {
        while_revalidate,
        if_error,
        soft_timeout,
        ahead,
        ..
    } = windows;
    let named = [
        ("stale_while_revalidate", while_revalidate),
        ("stale_if_error", if_error),
        ("soft_timeout", soft_timeout),
    ];
    let mut all = TokenStream::new();
    for (name, window) in named {
        if let Some(window) = window {
            let (name, window) = (Ident::new(name, Span::mixed_site()), length(window));
            all.extend(quote_spanned!(Span::mixed_site()=> .#name(#window)));
        }
    }
    all.extend(ahead.map(|ahead| match ahead {
        Ahead::From(fraction) => {
            quote_spanned!(Span::mixed_site()=> .refresh_ahead(#fraction))
        }
        Ahead::AtRandom => quote_spanned!(Span::mixed_site()=> .refresh_ahead_at_random()),
    }));
    all
}
