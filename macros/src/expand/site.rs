//! The call of one set of arguments, as the function and its companion make it.
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::{
    body::{borrowed_pond, length},
    key,
};
use crate::{
    model::{
        cache::Cache,
        constants::{Constants, Flight, Null},
    },
    tokens::plain,
};

/// Site, key, and the `Millpond` to use.
pub fn call(cache: &Cache) -> TokenStream {
    let Cache { runtime, on, .. } = cache;
    let site = site(cache);
    let key = key::written(
        &quote_spanned!(Span::mixed_site()=> #runtime::__private::KeyWriter::new(site)),
        &cache.key.steps,
    );
    let on = on.as_ref().map(|on| {
        let pond = borrowed_pond(runtime, on);
        quote_spanned!(Span::mixed_site()=> .on(#pond))
    });
    quote_spanned! {Span::mixed_site()=>
        {
            let site = const { &#site };
            let key = #key;
            #runtime::__private::Call::new(site, key) #on
        }
    }
}

/// A constant rather than a static, because it may name `Self::TTL` or `T::PREFIX`.
pub fn site(cache: &Cache) -> TokenStream {
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
            },
        ..
    } = cache;
    let id = id(cache);
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
    quote_spanned! {Span::mixed_site()=>
        #runtime::__private::Site::new(#id, #prefix, #template, #ttl)
            #null #version #flight #compress #encrypt
    }
}

/// The same text in the function and in its companion.
pub fn id(cache: &Cache) -> TokenStream {
    let name = format!("::{}:", plain(&cache.function.sig.ident));
    quote_spanned! {Span::mixed_site()=>
        ::core::concat!(::core::module_path!(), #name, ::core::line!(), ":", ::core::column!())
    }
}
