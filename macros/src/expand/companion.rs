//! What stands beside a cached function. All names carry the span of the attribute, located at the
//! function's name: a lint takes them for the macro's, a reader is led to the function.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{PatType, Path, Type};

use super::{
    body::borrowed_pond,
    cached_function::{call, holders, referred},
    callee::Member,
    local,
    spans::generated,
};
use crate::{
    function::Function,
    model::{
        cache::{All, Cache},
        companion::{Companion, EntryArguments},
        refused::Missing,
    },
    tokens::{plain, respanned},
};

mod arguments;
mod attributes;
mod invalidate;

use arguments::narrowed;
pub use arguments::{lasting, renamed, turbofish};
pub use attributes::kept_attributes;
use attributes::{is_deprecated, visibility};

pub fn expand(cache: &Cache) -> TokenStream {
    match &cache.companion {
        Companion::None => TokenStream::new(),
        Companion::Within { name, entry } => {
            let span = generated(name.span());
            let name = Ident::new(&name.to_string(), span);
            let entry = entry_function(cache, &name, entry);
            let cfgs = kept_attributes(&cache.function, &["cfg"]);
            let holders = holders(cache, span, &cfgs);
            let all = cache.all.as_ref().map(|All(arguments)| {
                let name = Member::All.beside(&name, span);
                all_function(cache, arguments, &name)
            });
            quote!(#entry #all #holders)
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
    let cfgs = kept_attributes(&cache.function, &["cfg"]);
    // Companions of a deprecated function are deprecated, and call it and each other.
    let deprecated =
        is_deprecated(&cache.function).then(|| quote_spanned!(span=> #[allow(deprecated)]));
    let vis = visibility(&cache.function, span);
    let entry_name = Ident::new("entry", span);
    let invalidate = invalidate_function(cache, entry, span);
    let entry = entry_function(cache, &entry_name, entry);
    let holders = holders(cache, span, &[]);
    let all = cache.all.as_ref().map(|All(arguments)| {
        let all = all_function(cache, arguments, &Ident::new("all_entries", span));
        let invalidate_all = invalidate_all_function(cache, arguments, span);
        quote!(#all #invalidate_all)
    });
    quote_spanned! {span=>
        #(#cfgs)*
        #[doc(hidden)]
        #vis enum #name {}

        #(#cfgs)*
        #deprecated
        impl #name {
            #entry
            #invalidate
            #all
            #holders
        }
    }
}

/// `all_entries(args)`: every entry, in the cache that `on` gives for these arguments.
fn all_function(cache: &Cache, entry: &EntryArguments, name: &Ident) -> TokenStream {
    let span = name.span();
    let (runtime, function) = (&cache.runtime, &cache.function);
    let lints = kept_attributes(function, &["cfg", "allow", "expect", "deprecated"]);
    let vis = visibility(function, span);
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let (all, give) = if cache.is_local() {
        ("LocalEntries", "local_entries")
    } else {
        ("AllEntries", "all_entries")
    };
    let (all, give) = (Ident::new(all, span), Ident::new(give, span));
    let arguments = entry.arguments.iter();
    let arguments = arguments.map(|argument| narrowed(argument, &entry.used));
    let receiver = receiver(function, entry, span);
    let pond = cache.on.as_ref().map(borrowed_pond).map_or_else(
        || quote_spanned!(span=> ::core::option::Option::None),
        |pond| quote_spanned!(span=> ::core::option::Option::Some(#pond)),
    );
    let description = referred(cache);
    let doc = format!("Every entry of `{}`.", plain(&function.sig.ident));
    quote_spanned! {span=>
        #[doc = #doc]
        #(#lints)*
        #vis fn #name #generics (#receiver #(#arguments),*) -> #runtime::#all #clause {
            #runtime::__private::#give(#description, #pond)
        }
    }
}

fn invalidate_all_function(cache: &Cache, entry: &EntryArguments, span: Span) -> TokenStream {
    let lints = kept_attributes(&cache.function, &["cfg", "allow", "expect", "deprecated"]);
    let vis = visibility(&cache.function, span);
    let runtime = &cache.runtime;
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let (arguments, names) = renamed(&entry.arguments);
    let turbofish = turbofish(generics);
    let invalidation = invalidation(cache, span);
    let doc = if cache.is_local() {
        "Removes every entry."
    } else {
        "Invalidates every entry, with one command."
    };
    quote_spanned! {span=>
        #[doc = #doc]
        #(#lints)*
        #vis fn invalidate_all #generics (#(#arguments),*) -> #runtime::#invalidation #clause {
            Self::all_entries #turbofish (#(#names),*).invalidate()
        }
    }
}

/// `entry(args)`: description and key as the function makes them, and nothing is run.
fn entry_function(cache: &Cache, name: &Ident, entry: &EntryArguments) -> TokenStream {
    let Cache {
        runtime,
        function,
        output,
        ..
    } = cache;
    let lints = kept_attributes(function, &["cfg", "allow", "expect", "deprecated"]);
    let arguments = entry.arguments.iter();
    let arguments: Vec<_> = arguments
        .map(|argument| narrowed(argument, &entry.used))
        .collect();
    let returned = if cache.is_local() {
        "LocalEntry"
    } else {
        "Entry"
    };
    let signature = signature(runtime, function, output, name, entry, &arguments, returned);
    let lasting = lasting(output, Span::mixed_site());
    let made = if cache.is_local() {
        local::entry(cache, &lasting)
    } else {
        let call = call(cache);
        if cache.constants.near.is_some() {
            local::near_entry(cache, &call, &lasting)
        } else {
            quote_spanned!(name.span()=> #runtime::__private::entry(#call))
        }
    };
    let doc = format!(
        "The cache entry of `{}` with these arguments.",
        plain(&function.sig.ident)
    );
    quote_spanned! {name.span()=>
        #[doc = #doc]
        #(#lints)*
        #signature {
            #made
        }
    }
}

/// That of `entry`.
fn signature(
    runtime: &Path,
    function: &Function,
    output: &Type,
    name: &Ident,
    entry: &EntryArguments,
    arguments: &[PatType],
    returned: &str,
) -> TokenStream {
    let span = name.span();
    let vis = visibility(function, span);
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let receiver = receiver(function, entry, span);
    let output = lasting(output, span);
    let returned = Ident::new(returned, span);
    quote_spanned! {span=>
        #vis fn #name #generics (#receiver #(#arguments),*) -> #runtime::#returned<#output> #clause
    }
}

/// `&self`, where the function has a receiver.
fn receiver(function: &Function, entry: &EntryArguments, span: Span) -> Option<TokenStream> {
    function.sig.receiver().map(|receiver| {
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
    })
}

/// In the place of what could not be made, so that nobody is blamed for naming it.
pub fn stand_in(missing: &Missing) -> TokenStream {
    let Missing {
        runtime,
        function,
        output,
        companion,
    } = missing;
    let cfgs = kept_attributes(function, &["cfg"]);
    let entry = |name: &Ident, entry: &EntryArguments| {
        // Their names are of no use here, and no lint of the user's is to ask for one.
        let (arguments, _) = renamed(&entry.arguments);
        let signature = signature(runtime, function, output, name, entry, &arguments, "Entry");
        quote_spanned! {name.span()=>
            #(#cfgs)*
            #signature { ::core::unreachable!() }
        }
    };
    match companion {
        Companion::None => TokenStream::new(),
        Companion::Within {
            name,
            entry: arguments,
        } => {
            let name = Ident::new(&name.to_string(), generated(name.span()));
            entry(&name, arguments)
        }
        Companion::Beside {
            name,
            invalidate,
            entry: arguments,
        } => {
            let span = generated(name.span());
            let name = respanned(name, span);
            let vis = visibility(function, span);
            let entry = entry(&Ident::new("entry", span), arguments);
            let (arguments_of, names) = renamed(&arguments.arguments);
            let (generics, clause) = (&arguments.generics, &arguments.generics.where_clause);
            let turbofish = turbofish(generics);
            let invalidate = invalidate
                .as_ref()
                .map(|invalidate| invalidate::stub(runtime, function, invalidate));
            quote_spanned! {span=>
                #(#cfgs)*
                #vis enum #name {}

                #(#cfgs)*
                impl #name {
                    #entry
                    #vis fn invalidate #generics (#(#arguments_of),*) -> #runtime::Invalidation #clause {
                        #runtime::__private::invalidate(Self::entry #turbofish (#(#names),*))
                    }
                }
                #invalidate
            }
        }
    }
}

/// The type of an invalidation.
fn invalidation(cache: &Cache, span: Span) -> Ident {
    let name = if cache.is_local() {
        "LocalInvalidation"
    } else {
        "Invalidation"
    };
    Ident::new(name, span)
}

fn invalidate_function(cache: &Cache, entry: &EntryArguments, span: Span) -> TokenStream {
    let lints = kept_attributes(&cache.function, &["cfg", "allow", "expect", "deprecated"]);
    let vis = visibility(&cache.function, span);
    let runtime = &cache.runtime;
    let (generics, clause) = (&entry.generics, &entry.generics.where_clause);
    let (arguments, names) = renamed(&entry.arguments);
    let turbofish = turbofish(generics);
    let invalidation = invalidation(cache, span);
    let (doc, invalidate) = if cache.is_local() {
        ("Removes the entry.", "invalidate_local")
    } else {
        ("Removes the entry, here and in Redis.", "invalidate")
    };
    let invalidate = Ident::new(invalidate, span);
    quote_spanned! {span=>
        #[doc = #doc]
        #(#lints)*
        #vis fn invalidate #generics (#(#arguments),*) -> #runtime::#invalidation #clause {
            #runtime::__private::#invalidate(Self::entry #turbofish (#(#names),*))
        }
    }
}
