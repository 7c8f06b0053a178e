//! `#[tag]`: the function that gives the tag, and what invalidates it.
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse_quote;

use super::{
    catalogue,
    companion::renamed,
    key,
    spans::{generated, respanned_tokens},
};
use crate::{
    model::{
        key::Step,
        tag::{self, Declaration, TagFunction},
        tags::Tag,
    },
    tokens::respanned,
};

pub fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let declaration = syn::parse2::<Declaration>(item);
    let (name, errors) = match declaration {
        Ok(declaration) => {
            let (vis, sig) = (declaration.vis.clone(), declaration.sig.clone());
            match tag::check(options, declaration) {
                Ok(function) => return function_and_companion(&function),
                Err(errors) => (
                    Some(quote!(#[allow(unused_variables)] #vis #sig { ::core::unreachable!() })),
                    errors,
                ),
            }
        }
        Err(errors) => (None, errors),
    };
    let errors = errors.into_compile_error();
    quote!(#name #errors)
}

fn function_and_companion(function: &TagFunction) -> TokenStream {
    let TagFunction {
        runtime,
        declaration: Declaration { attrs, vis, sig },
        arguments,
        steps,
    } = function;
    let catalogued = catalogue::tag(function);
    let written = written(runtime, steps);
    let span = generated(sig.ident.span());
    let name = respanned(&sig.ident, span);
    let vis_of_companion = respanned_tokens(vis, span);
    let cfgs = attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    let cfgs: Vec<_> = cfgs.map(ToTokens::to_token_stream).collect();
    let (arguments, names) = renamed(arguments);
    let (generics, clause) = (&sig.generics, &sig.generics.where_clause);
    let (entry, invalidate) = (Ident::new("entry", span), Ident::new("invalidate", span));
    quote_spanned! {span=>
        #(#attrs)*
        #vis #sig { #catalogued #written }

        #(#cfgs)*
        #[doc(hidden)]
        #vis_of_companion enum #name {}

        #(#cfgs)*
        impl #name {
            #[doc(hidden)]
            #vis_of_companion fn #entry #generics (#(#arguments),*) -> #runtime::Tag #clause {
                #name(#(#names),*)
            }
            #[doc = "Invalidates every value that was stored under this tag."]
            #vis_of_companion fn #invalidate #generics (#(#arguments),*) -> #runtime::Invalidation #clause {
                #runtime::__private::invalidate_tag(&#name(#(#names),*))
            }
        }
    }
}

fn written(runtime: &syn::Path, steps: &[Step]) -> TokenStream {
    let writer: syn::Expr = parse_quote!(#runtime::__private::KeyWriter::tag());
    let key = key::written(&writer.to_token_stream(), steps);
    quote!(#runtime::Tag::from(#key))
}

/// A tag of an entry, as an expression.
pub fn value(runtime: &syn::Path, tag: &Tag) -> TokenStream {
    match tag {
        Tag::Typed(expr) => expr.to_token_stream(),
        Tag::Text(steps) => written(runtime, steps),
    }
}
