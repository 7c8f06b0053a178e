//! `#[cached]`: the key, the call, the body in its future; and what stands beside the function.
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{body, borrowed_pond, companion, key, length, located, shape, with_body};
use crate::model::{
    cache::Cache,
    signature::{plain, value_type},
    site::{Null, Site},
};

pub fn expand(cache: &Cache) -> TokenStream {
    let Cache {
        runtime,
        function,
        output,
        when,
        unless,
        shares_errors,
        ..
    } = cache;
    let call = call(cache);
    let when = when
        .as_ref()
        .map(|when| quote_spanned!(Span::mixed_site()=> .when(#when)));
    let shape = shape(
        runtime,
        output,
        if *shares_errors {
            "shape"
        } else {
            "shape_unshared"
        },
    );
    // A value that cannot be cached is reported where the return type stands.
    let cacheable = quote_spanned!(Span::mixed_site()=> #runtime::__private::cacheable(shape));
    let cacheable = located(cacheable, value_type(output).span());
    let never = || quote_spanned!(Span::mixed_site()=> #runtime::__private::never);
    let unless = unless
        .as_ref()
        .map_or_else(never, ToTokens::to_token_stream);
    let body = body(function, Some(output));
    let early = cache.site.is_checked_early().then(|| {
        let site = site(cache);
        quote_spanned!(Span::mixed_site()=> const _: #runtime::__private::Site = #site;)
    });
    let function = with_body(
        function,
        &quote_spanned! {Span::mixed_site()=>
            #early
            let call = #call #when;
            #body
            let shape = #shape;
            let shape = #cacheable;
            #runtime::__private::cached(call, shape, #unless, body).await
        },
    );
    let companion = companion::expand(cache);
    quote!(#function #companion)
}

/// The call of one set of arguments: site, key, and the `Millpond` to use.
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
fn site(cache: &Cache) -> TokenStream {
    let Cache {
        runtime,
        site:
            Site {
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
    let flight = (!flight).then(|| quote_spanned!(Span::mixed_site()=> .no_flight()));
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
