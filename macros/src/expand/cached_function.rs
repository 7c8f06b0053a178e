//! What the runtime is told of a cached function, and a call of it. The description is written once, beside
//! the function where there is a companion to hold it.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{ext::IdentExt, spanned::Spanned};

use super::{
    body::{borrowed_pond, length},
    companion::{turbofish, visibility},
    key,
};
use crate::{
    model::{
        cache::Cache,
        companion::Companion,
        constants::{Constants, Flight, Null},
        shared::Shared,
    },
    tokens::{plain, respanned},
};

/// The call of one set of arguments: function, key, and the `Millpond` to use.
pub fn call(cache: &Cache) -> TokenStream {
    let Cache { runtime, on, .. } = cache;
    let function = referred(cache);
    let key = key::written(
        &quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::new(function)),
        &cache.key.steps,
    );
    let on = on.as_ref().map(|on| {
        let pond = borrowed_pond(on);
        quote_spanned!(Span::mixed_site()=> .on(#pond))
    });
    quote_spanned! {Span::mixed_site()=>
        {
            let function = #function;
            let key = #key;
            #runtime::__private::Call::new(function, key) #on
        }
    }
}

/// The description, from the companion where there is one.
fn referred(cache: &Cache) -> TokenStream {
    let turbofish = turbofish(&cache.constant_generics);
    match &cache.companion {
        Companion::None => in_place(cache),
        Companion::Beside { name, .. } => {
            let name = respanned(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> #name::function #turbofish ())
        }
        Companion::Within { name, .. } => {
            let name = beside(name, Span::mixed_site());
            quote_spanned!(Span::mixed_site()=> Self::#name #turbofish ())
        }
    }
}

/// The function that holds the description, for a companion.
pub fn holder(cache: &Cache, span: Span) -> TokenStream {
    let name = match &cache.companion {
        Companion::Within { name, .. } => beside(name, span),
        _ => Ident::new("function", span),
    };
    let vis = visibility(cache, span);
    let runtime = &cache.runtime;
    let generics = &cache.constant_generics;
    let clause = &generics.where_clause;
    let description = in_place(cache);
    quote_spanned! {span=>
        #[doc(hidden)]
        #vis fn #name #generics () -> &'static #runtime::__private::CachedFunction #clause {
            #description
        }
    }
}

fn beside(entry: &Ident, span: Span) -> Ident {
    format_ident!("__{}_function", entry.unraw(), span = span)
}

/// An item where it can be one, which the compiler checks even if the function is never built; else a
/// constant, which may name `Self::TTL` or `T::PREFIX`.
fn in_place(cache: &Cache) -> TokenStream {
    let runtime = &cache.runtime;
    let description = description(cache);
    if cache.are_constant {
        quote_spanned! {Span::mixed_site()=>
            {
                static CACHED_FUNCTION: #runtime::__private::CachedFunction = #description;
                &CACHED_FUNCTION
            }
        }
    } else {
        quote_spanned!(Span::mixed_site()=> const { &#description })
    }
}

fn description(cache: &Cache) -> TokenStream {
    let Cache {
        runtime,
        shares,
        constants:
            Constants {
                prefix,
                ttl,
                null,
                version,
                flight,
                compress,
                encrypt,
            },
        ..
    } = cache;
    let name = format!("::{} (", plain(&cache.function.sig.ident));
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
        Flight::Process => TokenStream::new(),
        Flight::Off => quote_spanned!(Span::mixed_site()=> .no_flight()),
    };
    let compress = compress.then(|| quote_spanned!(Span::mixed_site()=> .compress()));
    let encrypt = encrypt.then(|| quote_spanned!(Span::mixed_site()=> .encrypt()));
    let shares = shares.as_ref().map(|shared| {
        let (ty, name) = match shared {
            Shared::Companion(path) => (path, Ident::new("function", path.span())),
            Shared::Method(ty, entry) => (ty, beside(entry, entry.span())),
        };
        // As a type, so that an unknown one is not taken for a module.
        let at = Span::mixed_site().located_at(ty.span());
        quote_spanned!(at=> .sharing(<#ty>::#name))
    });
    quote_spanned! {Span::mixed_site()=>
        #runtime::__private::CachedFunction::new(
            ::core::concat!(
                ::core::module_path!(), #name, ::core::file!(), ":", ::core::line!(), ")"
            ),
            #prefix,
            #template,
            #ttl,
        )
        #null #version #flight #compress #encrypt #shares
    }
}
