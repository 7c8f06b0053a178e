//! `#[cached]`: the key, the call, the body in its future; and what stands beside the function.
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    body::{body, shape, with_body},
    companion,
    site::{call, site},
    spans::located,
};
use crate::model::{cache::Cache, spelling::value_type};

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
    let early = cache.are_checked_early.then(|| {
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
