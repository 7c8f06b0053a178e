//! What stands beside a cached function. All names carry the span of the attribute, located at the
//! function's name: a lint takes them for the macro's, a reader is led to the function.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::{
    cached_function::{call, holder},
    spans::generated,
};
use crate::{
    model::{
        cache::Cache,
        companion::{Companion, EntryArguments},
    },
    tokens::{plain, respanned},
};

mod arguments;
mod attributes;
pub mod invalidate;

pub use arguments::turbofish;
use arguments::{lasting, narrowed, renamed};
pub use attributes::visibility;
use attributes::{is_deprecated, kept_attributes};

pub fn expand(cache: &Cache) -> TokenStream {
    match &cache.companion {
        Companion::None => TokenStream::new(),
        Companion::Within { name, entry } => {
            let span = generated(name.span());
            let name = Ident::new(&name.to_string(), span);
            let entry = entry_function(cache, &name, entry);
            let cfgs = kept_attributes(cache, &["cfg"]);
            let holder = holder(cache, span);
            quote!(#entry #(#cfgs)* #holder)
        }
        Companion::Beside {
            name,
            invalidate,
            entry,
        } => {
            let companion = beside(cache, name, entry);
            let invalidate = invalidate
                .as_ref()
                .map(|invalidate| invalidate::expand(cache, name, invalidate));
            quote!(#companion #invalidate)
        }
    }
}

fn beside(cache: &Cache, name: &Ident, entry: &EntryArguments) -> TokenStream {
    let span = generated(name.span());
    let name = respanned(name, span);
    let cfgs = kept_attributes(cache, &["cfg"]);
    // Companions of a deprecated function are deprecated, and call it and each other.
    let deprecated = is_deprecated(cache).then(|| quote_spanned!(span=> #[allow(deprecated)]));
    let vis = visibility(cache, span);
    let entry_name = Ident::new("entry", span);
    let invalidate = invalidate_function(cache, entry, span);
    let entry = entry_function(cache, &entry_name, entry);
    let holder = holder(cache, span);
    quote_spanned! {span=>
        #(#cfgs)*
        #[doc(hidden)]
        #vis enum #name {}

        #(#cfgs)*
        #deprecated
        impl #name {
            #entry
            #invalidate
            #holder
        }
    }
}

/// `entry(args)`: site and key as the function makes them, and nothing is run.
fn entry_function(cache: &Cache, name: &Ident, entry: &EntryArguments) -> TokenStream {
    let span = name.span();
    let lints = kept_attributes(cache, &["cfg", "allow", "expect", "deprecated"]);
    let vis = visibility(cache, span);
    let runtime = &cache.runtime;
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let receiver = cache.function.sig.receiver().map(|receiver| {
        let is_used = entry.used.contains("self");
        let self_token = Ident::new(
            "self",
            if is_used {
                receiver.self_token.span
            } else {
                span
            },
        );
        quote_spanned!(span=> &#self_token,)
    });
    let arguments = entry
        .arguments
        .iter()
        .map(|argument| narrowed(argument, &entry.used));
    let output = lasting(&cache.output, span);
    let call = call(cache);
    let doc = format!(
        "The cache entry of `{}` with these arguments.",
        plain(&cache.function.sig.ident)
    );
    quote_spanned! {span=>
        #[doc = #doc]
        #(#lints)*
        #vis fn #name #generics (#receiver #(#arguments),*) -> #runtime::Entry<#output> #clause {
            #runtime::__private::entry(#call)
        }
    }
}

fn invalidate_function(cache: &Cache, entry: &EntryArguments, span: Span) -> TokenStream {
    let lints = kept_attributes(cache, &["cfg", "allow", "expect", "deprecated"]);
    let vis = visibility(cache, span);
    let runtime = &cache.runtime;
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let (arguments, names) = renamed(&entry.arguments);
    let turbofish = turbofish(generics);
    quote_spanned! {span=>
        #[doc = "Removes the entry, here and in Redis."]
        #(#lints)*
        #vis fn invalidate #generics (#(#arguments),*) -> #runtime::Invalidation #clause {
            #runtime::__private::invalidate(Self::entry #turbofish (#(#names),*))
        }
    }
}
