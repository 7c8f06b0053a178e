//! `#[rate_limited]`: the calls, the question whether they may go on, the body.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;

mod joined;

use super::{
    body::{body, borrowed_pond, length, with_body},
    catalogue,
    spans::located,
};
use crate::{
    model::limit::{
        Answer, Cost, Limited, Mark, OnOutage,
        rule::{Algorithm, Rule, Units},
    },
    tokens::plain,
};

pub fn expand(limited: &Limited) -> TokenStream {
    let mark = mark(limited);
    let call = call(limited);
    let statements = match joined::find(&limited.function) {
        Some(earlier) => earlier.with(&mark, &call),
        None => alone(limited, &mark, &call),
    };
    with_body(&limited.function, &statements)
}

/// The statements of a function with one limit, in the form in which another attribute finds them.
fn alone(limited: &Limited, mark: &TokenStream, call: &TokenStream) -> TokenStream {
    let Limited {
        runtime,
        function,
        answer,
        ..
    } = limited;
    let calls = Ident::new(joined::CALLS, Span::mixed_site());
    match answer {
        Answer::Value(output) => {
            // A type that cannot refuse is reported where it stands.
            let refuse = located(
                quote_spanned!(Span::mixed_site()=> #runtime::__private::Refuse),
                output.span(),
            );
            // In braces, so that what is declared in the body means nothing to the attribute.
            let mut body = Group::new(Delimiter::Brace, function.body.stream());
            body.set_span(Span::mixed_site().located_at(function.body.span()));
            quote_spanned! {Span::mixed_site()=>
                #mark
                let #calls = [#call];
                if let ::core::result::Result::Err(refusal) = #runtime::__private::admit(#calls).await {
                    return <#output as #refuse>::refuse(refusal);
                }
                #body
            }
        }
        Answer::Response(output) => {
            let responding = located(
                quote_spanned!(Span::mixed_site()=> #runtime::__private::responding),
                output.span(),
            );
            let body = body(function, None);
            quote_spanned! {Span::mixed_site()=>
                #mark
                let #calls = [#call];
                #body
                #runtime::__private::respond(#calls, body, #responding()).await
            }
        }
    }
}

/// What tells another attribute on this function which limit was taken here.
fn mark(limited: &Limited) -> TokenStream {
    let Limited { runtime, mark, .. } = limited;
    let Mark { limit, caller } = mark;
    let mark = Ident::new(Mark::TYPE, Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        const _: #runtime::__private::#mark = #runtime::__private::#mark {
            limit: #limit,
            caller: #caller,
        };
    }
}

/// Everything about the caller is worked out here, and only borrowed, before the body consumes it.
fn call(limited: &Limited) -> TokenStream {
    let Limited {
        runtime,
        id,
        cost,
        on,
        ..
    } = limited;
    let limit = limit(limited);
    let id = id.as_ref().map(|id| {
        let value = quote_spanned!(Span::mixed_site().located_at(id.span())=> &(#id));
        quote_spanned!(Span::mixed_site()=> .id(#value))
    });
    let cost = cost.as_ref().map(|cost| {
        let units = match cost {
            Cost::Known { units, .. } => units.to_token_stream(),
            Cost::PerCall(expr) => expr.to_token_stream(),
        };
        quote_spanned!(Span::mixed_site()=> .cost(#units))
    });
    let on = on.as_ref().map(|on| {
        let pond = borrowed_pond(on);
        quote_spanned!(Span::mixed_site()=> .on(#pond))
    });
    quote_spanned!(Span::mixed_site()=> #runtime::__private::LimitCall::new(#limit) #id #cost #on)
}

fn limit(limited: &Limited) -> TokenStream {
    let Limited {
        runtime,
        rule,
        on_outage,
        ..
    } = limited;
    let written = written(limited);
    let limit = match on_outage {
        None => written,
        Some(policy) => {
            let policy = match policy {
                OnOutage::Local => "Local",
                OnOutage::Allow => "Allow",
                OnOutage::Deny => "Deny",
            };
            let policy = Ident::new(policy, Span::mixed_site());
            quote_spanned! {Span::mixed_site()=>
                #runtime::Limit::on_outage(#written, #runtime::limit::OnOutage::#policy)
            }
        }
    };
    match rule {
        Rule::PerCall(_) => {
            let catalogued = catalogue::limit(limited, None);
            quote_spanned!(Span::mixed_site()=> { #catalogued #limit })
        }
        _ if limited.is_checked_early => {
            let item = Ident::new("__LIMIT", Span::mixed_site());
            let catalogued = catalogue::limit(limited, Some(&item));
            quote_spanned! {Span::mixed_site()=>
                { const #item: #runtime::Limit = #limit; #catalogued #item }
            }
        }
        _ => {
            let catalogued = catalogue::limit(limited, None);
            quote_spanned!(Span::mixed_site()=> { #catalogued const { #limit } })
        }
    }
}

fn written(limited: &Limited) -> TokenStream {
    let runtime = &limited.runtime;
    let (algorithm, units, window) = match &limited.rule {
        Rule::BuiltIn(name) => {
            return quote_spanned!(Span::mixed_site()=> #runtime::limit::#name);
        }
        Rule::Kind(expr) | Rule::PerCall(expr) => return expr.to_token_stream(),
        Rule::Anonymous {
            algorithm,
            units,
            window,
        } => (algorithm, units, window),
    };
    let algorithm = match algorithm {
        Algorithm::SlidingWindow => "SlidingWindow",
        Algorithm::FixedWindow => "FixedWindow",
        Algorithm::TokenBucket => "TokenBucket",
    };
    let algorithm = Ident::new(algorithm, Span::mixed_site());
    let function = plain(&limited.function.sig.ident);
    let units = match units {
        Units::Known(units) => units.to_token_stream(),
        Units::Const(expr) => expr.to_token_stream(),
    };
    let window = length(window);
    quote_spanned! {Span::mixed_site()=>
        #runtime::Limit::anonymous(
            #runtime::limit::Algorithm::#algorithm,
            ::core::module_path!(),
            #function,
            #units,
            #window,
        )
    }
}
