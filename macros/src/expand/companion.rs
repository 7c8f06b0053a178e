//! What stands beside a cached function. All names carry the span of the attribute, located at the
//! function's name: a lint takes them for the macro's, a reader is led to the function.
use std::collections::HashSet;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, FieldPat, GenericParam, Generics, Lifetime, Pat, PatIdent, PatType, PatWild, Token,
    Type, TypeReference, Visibility,
    ext::IdentExt,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use super::cache::{call, id};
use crate::model::{
    Missing,
    cache::{Cache, Companion, EntryArguments},
    signature::{Argument, binds, plain},
};

pub fn expand(cache: &Cache) -> TokenStream {
    match &cache.companion {
        Companion::None => TokenStream::new(),
        Companion::Within { name, entry } => {
            let name = Ident::new(&name.to_string(), generated(name.span()));
            entry_function(cache, &name, entry)
        }
        Companion::Beside {
            name,
            invalidate,
            entry,
            arguments,
        } => {
            let companion = beside(cache, name, entry, arguments);
            let invalidate = invalidate
                .as_ref()
                .map(|invalidate| macro_for(cache, name, invalidate));
            quote!(#companion #invalidate)
        }
    }
}

/// A span that no lint of the user's crate looks at, in the place of `at`.
fn generated(at: Span) -> Span {
    Span::call_site().located_at(at)
}

fn respanned(name: &Ident, span: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(span);
    name
}

fn beside(
    cache: &Cache,
    name: &Ident,
    entry: &EntryArguments,
    arguments: &[Argument],
) -> TokenStream {
    let span = generated(name.span());
    let name = respanned(name, span);
    let cfgs = kept_attributes(cache, &["cfg"]);
    // Companions of a deprecated function are deprecated, and call it and each other.
    let deprecated = is_deprecated(cache).then(|| quote_spanned!(span=> #[allow(deprecated)]));
    let vis = visibility(cache, span);
    let entry_name = Ident::new("entry", span);
    let invalidate = invalidate_function(cache, entry, span);
    let entry = entry_function(cache, &entry_name, entry);
    let refresh = forwarding_function(cache, arguments, "refresh", "refreshed", span);
    let uncached = forwarding_function(cache, arguments, "uncached", "uncached", span);
    quote_spanned! {span=>
        #(#cfgs)*
        #[doc(hidden)]
        #vis enum #name {}

        #(#cfgs)*
        #deprecated
        impl #name {
            #entry
            #invalidate
            #refresh
            #uncached
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
    let arguments = entry.arguments.iter().map(|argument| {
        let mut typed = argument.typed.clone();
        Bare { used: &entry.used }.visit_pat_mut(&mut typed.pat);
        typed.attrs.clear();
        typed
    });
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

/// `refresh` and `uncached`: the function itself, called in a mode that it looks at.
fn forwarding_function(
    cache: &Cache,
    arguments: &[Argument],
    name: &str,
    mode: &str,
    span: Span,
) -> TokenStream {
    let lints = kept_attributes(cache, &["cfg", "allow", "expect", "deprecated"]);
    let Cache {
        runtime,
        function,
        output,
        ..
    } = cache;
    let (called, generics) = (&function.sig.ident, &function.sig.generics);
    let vis = visibility(cache, span);
    let clause = &generics.where_clause;
    let (name, mode) = (Ident::new(name, span), Ident::new(mode, span));
    let (arguments, names) = renamed(arguments);
    let turbofish = turbofish(generics);
    let id = id(cache);
    quote_spanned! {span=>
        #[doc = "Calls the function with the cache set aside: see `#[cached]`."]
        #(#lints)*
        #vis async fn #name #generics (#(#arguments),*) -> #output #clause {
            #runtime::__private::#mode(#id, #called #turbofish (#(#names),*)).await
        }
    }
}

/// The macro is found by a name that no other has, and given its public one by an import. An alias of the
/// companion comes with that import, so that the macro can name it wherever it is used.
fn macro_for(cache: &Cache, companion: &Ident, invalidate: &Ident) -> TokenStream {
    let span = generated(invalidate.span());
    let cfgs = kept_attributes(cache, &["cfg"]);
    let vis = visibility(cache, span);
    let companion = respanned(companion, span);
    let invalidate = respanned(invalidate, span);
    let hidden = format_ident!(
        "__{}_{:016x}",
        invalidate.unraw(),
        place(cache.function.sig.ident.span()),
        span = span
    );
    let is_public = matches!(cache.function.vis, Visibility::Public(_));
    let export = is_public.then(|| quote_spanned!(span=> #[macro_export]));
    quote_spanned! {span=>
        #(#cfgs)*
        #[doc(hidden)]
        #export
        macro_rules! #hidden {
            ($($argument:expr),* $(,)?) => { #invalidate::invalidate($($argument),*) };
        }
        #(#cfgs)*
        #[doc(hidden)]
        #vis use #hidden as #invalidate;
        #(#cfgs)*
        #[doc(hidden)]
        #vis type #invalidate = #companion;
    }
}

/// In the place of a macro that could not be made, so that its callers are not blamed.
pub fn stub(missing: &Missing) -> TokenStream {
    let Missing { vis, name, runtime } = missing;
    let span = generated(name.span());
    let name = respanned(name, span);
    let hidden = format_ident!(
        "__{}_{:016x}",
        name.unraw(),
        place(name.span()),
        span = span
    );
    let vis = match vis {
        Visibility::Public(_) => quote_spanned!(span=> pub(crate)),
        other => other.to_token_stream(),
    };
    quote_spanned! {span=>
        macro_rules! #hidden {
            ($($argument:tt)*) => {{
                fn missing() -> #runtime::Invalidation { ::core::unreachable!() }
                missing()
            }};
        }
        #vis use #hidden as #name;
    }
}

/// A number for the place of the function in the source: exported macros share one name space.
fn place(at: Span) -> u64 {
    if !proc_macro::is_available() {
        return 0;
    }
    let (attribute, name) = (proc_macro::Span::call_site(), at.unwrap());
    let text = [attribute, name]
        .map(|span| format!("{}:{}:{}", span.file(), span.line(), span.column()))
        .join(" ");
    // FNV-1a: stable between builds.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The function's visibility: an item that began with the user's own token would pass for the user's.
fn visibility(cache: &Cache, span: Span) -> TokenStream {
    fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
        let one = |mut token: TokenTree| {
            if let TokenTree::Group(group) = &token {
                token = Group::new(group.delimiter(), respanned(group.stream(), span)).into();
            }
            token.set_span(span);
            token
        };
        tokens.into_iter().map(one).collect()
    }
    respanned(cache.function.vis.to_token_stream(), span)
}

fn is_deprecated(cache: &Cache) -> bool {
    cache
        .function
        .attrs
        .iter()
        .any(|attr| attr.path().is_ident("deprecated"))
}

/// The attributes of the function that its companions need too. An expectation would not be met in them.
fn kept_attributes(cache: &Cache, names: &[&str]) -> Vec<TokenStream> {
    let is_kept = |attr: &&Attribute| names.iter().any(|name| attr.path().is_ident(name));
    let attrs = cache.function.attrs.iter().filter(is_kept);
    attrs
        .map(|attr| match &attr.meta {
            syn::Meta::List(list) if list.path.is_ident("expect") => {
                let lints = &list.tokens;
                quote_spanned!(attr.span()=> #[allow(#lints)])
            }
            _ => attr.to_token_stream(),
        })
        .collect()
}

/// The pattern of an argument where fewer of its variables are used, and none is changed.
struct Bare<'a> {
    used: &'a HashSet<String>,
}

impl VisitMut for Bare<'_> {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        if let Pat::Ident(bound) = pat
            && binds(bound)
        {
            bound.mutability = None;
            if bound.subpat.is_none() && !self.used.contains(&plain(&bound.ident)) {
                *pat = Pat::Wild(PatWild {
                    attrs: Vec::new(),
                    underscore_token: Token![_](generated(bound.ident.span())),
                });
                return;
            }
        }
        visit_mut::visit_pat_mut(self, pat);
    }

    fn visit_field_pat_mut(&mut self, field: &mut FieldPat) {
        visit_mut::visit_field_pat_mut(self, field);
        if field.colon_token.is_none() && matches!(*field.pat, Pat::Wild(_)) {
            field.colon_token = Some(Token![:](Span::call_site()));
        }
    }
}

/// The arguments as single variables with hygienic names: one of them may be named as the function is.
fn renamed(arguments: &[Argument]) -> (Vec<PatType>, Vec<Ident>) {
    let names = arguments.iter().enumerate().map(|(at, argument)| {
        match (&*argument.typed.pat, argument.is_plain()) {
            (Pat::Ident(pat), true) => respanned(&pat.ident, Span::mixed_site()),
            _ => format_ident!("argument_{at}", span = Span::mixed_site()),
        }
    });
    let names: Vec<Ident> = names.collect();
    let typed = arguments.iter().zip(&names).map(|(argument, name)| {
        let mut typed = argument.typed.clone();
        *typed.pat = Pat::Ident(PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: name.clone(),
            subpat: None,
        });
        typed.attrs.clear();
        typed
    });
    (typed.collect(), names)
}

fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let names: Vec<_> = generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
            GenericParam::Lifetime(_) => None,
        })
        .collect();
    (!names.is_empty()).then(|| quote_spanned!(Span::mixed_site()=> ::<#(#names),*>))
}

/// The type with every lifetime `'static`: an entry borrows nothing, whatever its error does.
fn lasting(output: &Type, span: Span) -> Type {
    struct Lasting(Span);
    impl VisitMut for Lasting {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            *lifetime = Lifetime::new("'static", self.0);
        }
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            reference.lifetime = Some(Lifetime::new("'static", self.0));
            visit_mut::visit_type_mut(self, &mut reference.elem);
        }
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    }
    let mut lasting = output.clone();
    Lasting(span).visit_type_mut(&mut lasting);
    lasting
}
