//! `#[cached]`: the key, the call, the body in its future; and what stands beside the function.
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    asked::Asked,
    body::{future, with_body},
    cached_function::{call, call_of_function, in_pond, own_pond, referred},
    callee::{Member, member},
    companion, key, local,
    spans::located,
    stale,
};
use crate::model::{
    cache::Cache,
    own_body::Body,
    spelling::{parts, value_type},
};

pub fn expand(cache: &Cache) -> TokenStream {
    if cache.is_local() {
        let function = local::expand(cache);
        let companion = companion::expand(cache);
        return quote!(#function #companion);
    }
    let Cache {
        runtime,
        function,
        output,
        unless,
        ..
    } = cache;
    let Asked {
        when,
        names_owner,
        owner,
        kind,
    } = Asked::of(cache);
    // A value that cannot be cached is reported where the return type stands.
    let value = value_type(output);
    let never = || quote_spanned!(Span::mixed_site()=> #runtime::__private::never);
    let mut unless = unless.as_ref().map_or_else(
        never,
        |unless| quote_spanned!(Span::mixed_site()=> #runtime::__private::unless(kind, #unless)),
    );
    // Of a value that is made of others, the one that is to blame.
    let mut blamed = TokenStream::new();
    for part in parts(value) {
        blamed.extend(quote_spanned! {Span::mixed_site()=>
            let (kind, unless) = {
                use #runtime::__private::kinds::*;
                (&&&&#runtime::__private::Part::<#part, _>::new(kind, #unless)).checked()
            };
        });
        unless = quote_spanned!(Span::mixed_site()=> unless);
    }
    let cacheable = quote_spanned!(Span::mixed_site()=> #runtime::__private::cacheable(kind));
    let cacheable = located(cacheable, value.span());
    let fitting = what_fits(cache);
    let look = local::look(cache, owner.as_ref(), cache.when.as_ref());
    let kept = look
        .is_some()
        .then(|| quote_spanned!(Span::mixed_site()=> .kept(form)));
    let kind = quote_spanned!(Span::mixed_site()=> let kind = #kind;);
    let checked = quote_spanned! {Span::mixed_site()=>
        #fitting
        #blamed
        let cacheable = #cacheable #kept;
    };
    let before = if let Some(look) = look {
        // Most calls end with a look at what this process keeps.
        quote_spanned!(Span::mixed_site()=> #names_owner #kind #look #checked)
    } else if let Some(peek) = peek(cache, owner.as_ref()) {
        let function = referred(cache);
        let call = call_of_function(cache);
        let sets_when = cache
            .when
            .is_some()
            .then(|| quote_spanned!(Span::mixed_site()=> .when(when)));
        let when = local::condition(cache.when.as_ref());
        let call = in_pond(
            cache,
            &quote_spanned!(Span::mixed_site()=> #peek #call #owner #sets_when),
        );
        quote_spanned! {Span::mixed_site()=>
            let function = #function;
            #names_owner
            #kind
            #checked
            let when: bool = #when;
            let call = #call;
        }
    } else {
        let call = call(cache);
        quote_spanned!(Span::mixed_site()=> #names_owner let call = #call #owner #when; #kind #checked)
    };
    let function = if let Some(body) = &cache.body {
        may_be_stale(cache, body, &before, &unless)
    } else {
        let body = future(function, Some(output));
        with_body(
            function,
            // What stands in a block does not outlive it: of all this, the future holds the answer alone.
            &quote_spanned! {Span::mixed_site()=>
                {
                    #before
                    #runtime::__private::cached(call, cacheable, #unless, #body)
                }
                .await
            },
        )
    };
    let companion = companion::expand(cache);
    quote!(#function #companion)
}

/// A look at what the embedded engine has under a short key. Nothing comes back where more is to be seen to.
fn peek(cache: &Cache, owner: Option<&TokenStream>) -> Option<TokenStream> {
    let Cache {
        runtime,
        key,
        constants,
        tags,
        all,
        body,
        ..
    } = cache;
    let are_tagged = !tags.is_empty() || all.is_some() || constants.tags_of.is_some();
    if are_tagged || body.is_some() || constants.encrypt {
        return None;
    }
    let key = key::short(runtime, &key.steps)?;
    let pond = own_pond(cache);
    Some(quote_spanned! {Span::mixed_site()=>
        if let ::core::option::Option::Some(peek) = #runtime::__private::Peek::at(#pond, when) {
            let found = peek #owner .look(function, #key, &cacheable);
            if let ::core::option::Option::Some(returned) = found {
                return returned;
            }
        }
    })
}

/// What the compiler checks of the functions that the options name: that their types are those of the value.
fn what_fits(cache: &Cache) -> TokenStream {
    let Cache {
        runtime, shares, ..
    } = cache;
    let shares = shares.as_ref().map(|shares| {
        let returns = member(shares, Member::Returns);
        let same = quote_spanned!(Span::mixed_site()=> #runtime::__private::same_value);
        let same = located(same, shares.span());
        quote_spanned! {Span::mixed_site()=>
            let _ = || {
                use #runtime::__private::kinds::*;
                let own = #runtime::__private::value_of(kind);
                let other = #runtime::__private::value_of((&&&&#returns()).mutation_kind());
                #same(own, other);
            };
        }
    });
    // A function of another type is reported where it is named.
    let ttl_of = cache.constants.ttl_of.as_ref().map(|ttl_of| {
        let takes_value = quote_spanned!(Span::mixed_site()=> #runtime::__private::takes_value);
        let takes_value = located(takes_value, ttl_of.span());
        quote_spanned!(Span::mixed_site()=> let _ = || #takes_value(kind, #ttl_of);)
    });
    let tags_of = cache.constants.tags_of.as_ref().map(|tags_of| {
        let gives_tags = quote_spanned!(Span::mixed_site()=> #runtime::__private::gives_tags);
        let gives_tags = located(gives_tags, tags_of.span());
        quote_spanned!(Span::mixed_site()=> let _ = || #gives_tags(kind, #tags_of);)
    });
    quote!(#shares #ttl_of #tags_of)
}

/// A function that may return an old value while, or because, its body runs.
fn may_be_stale(
    cache: &Cache,
    body: &Body,
    before: &TokenStream,
    unless: &TokenStream,
) -> TokenStream {
    let Cache {
        runtime, function, ..
    } = cache;
    let start = stale::start(runtime, function, body);
    let holder = stale::holder(function, body);
    let (within, beside) = match &body.beside {
        Some(_) => (None, Some(holder)),
        None => (Some(holder), None),
    };
    let function = with_body(
        &stale::outside(function, body),
        &quote_spanned! {Span::mixed_site()=>
            #within
            #before
            #runtime::__private::cached_or_stale(call, cacheable, #unless, #start).await
        },
    );
    quote!(#function #beside)
}
