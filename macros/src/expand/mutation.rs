//! `#[invalidates]` and `#[updates]`: entries first, then the body, then what becomes of them.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};

use super::{
    body::{body, return_kind, with_body},
    callee::{Member, member},
    catalogue,
};
use crate::model::{
    callee::Callee,
    mutation::{Argument, Effect, Mutation, Target},
};

pub fn expand(mutation: &Mutation) -> TokenStream {
    let catalogued = catalogue::mutation(mutation);
    let statements = match &mutation.effect {
        Effect::Invalidate {
            early,
            late,
            always,
        } => invalidate(mutation, early, late, *always),
        Effect::Update {
            updated,
            invalidated,
        } => update(mutation, updated, invalidated),
    };
    with_body(&mutation.function, &quote!(#catalogued #statements))
}

fn invalidate(mutation: &Mutation, early: &[Target], late: &[Target], always: bool) -> TokenStream {
    let Mutation {
        runtime,
        function,
        output,
        ..
    } = mutation;
    let targets = Ident::new("targets", Span::mixed_site());
    let added = early.iter().map(|target| {
        let arguments = target.arguments.iter().map(|argument| &argument.expr);
        let entry = entry(target, &arguments.collect::<Vec<_>>());
        quote_spanned!(Span::mixed_site()=> #targets.add(#entry);)
    });
    let (kept, late): (TokenStream, Vec<TokenStream>) = late
        .iter()
        .enumerate()
        .map(|(at, target)| split(at, target))
        .unzip();
    let late = if late.is_empty() {
        quote_spanned!(Span::mixed_site()=> |_, _| {})
    } else {
        // The user's own word, so it is named as the user sees it.
        let output = Ident::new("output", Span::call_site());
        quote_spanned!(Span::mixed_site()=> |#output, targets| { #(targets.add(#late);)* })
    };
    let kind = return_kind(runtime, &returned(output.as_ref()), "mutation_kind");
    let body = body(function, output.as_ref());
    let run = Ident::new(
        if always {
            "invalidating_always"
        } else {
            "invalidating"
        },
        Span::mixed_site(),
    );
    quote_spanned! {Span::mixed_site()=>
        let mut #targets = #runtime::__private::Targets::new();
        #(#added)*
        #kept
        #body
        #runtime::__private::#run(#targets, #kind, #late, body).await
    }
}

fn update(mutation: &Mutation, updated: &[Target], invalidated: &[Target]) -> TokenStream {
    let Mutation {
        runtime,
        function,
        output,
        ..
    } = mutation;
    let also = invalidated.iter().map(|target| {
        let arguments = target.arguments.iter().map(|argument| &argument.expr);
        let entry = entry(target, &arguments.collect::<Vec<_>>());
        quote_spanned!(Span::mixed_site()=> entries.also(#entry);)
    });
    let added = updated.iter().map(|target| {
        let arguments = target.arguments.iter().map(|argument| &argument.expr);
        let entry = entry(target, &arguments.collect::<Vec<_>>());
        let at = Span::mixed_site().located_at(target.callee.span());
        let entries = Ident::new("entries", at);
        quote_spanned!(at=> #entry.entry_ref().add_to(&mut #entries);)
    });
    let kind = return_kind(runtime, &returned(output.as_ref()), "mutation_kind");
    let body = body(function, output.as_ref());
    quote_spanned! {Span::mixed_site()=>
        let mut entries = #runtime::__private::EntryRefs::new(#kind);
        #(#added)*
        #(#also)*
        #body
        #runtime::__private::updating(entries, body).await
    }
}

fn returned(output: Option<&syn::Type>) -> TokenStream {
    output.map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

/// The arguments that do not name the success value are worked out before the body, which may consume
/// what they are made from.
fn split(at: usize, target: &Target) -> (TokenStream, TokenStream) {
    let mut kept = TokenStream::new();
    let mut arguments = Vec::new();
    for (number, Argument { expr, is_late }) in target.arguments.iter().enumerate() {
        if *is_late {
            arguments.push(expr.to_token_stream());
        } else {
            let name = format_ident!("kept_{at}_{number}", span = Span::mixed_site());
            kept.extend(quote_spanned!(Span::mixed_site()=> let #name = #expr;));
            arguments.push(name.to_token_stream());
        }
    }
    (kept, entry(target, &arguments))
}

/// The call that gives the entry, with the user's tokens in the user's places.
fn entry(target: &Target, arguments: &[impl ToTokens]) -> TokenStream {
    let wanted = if target.is_all {
        Member::All
    } else {
        Member::Entry
    };
    let name = member(&target.callee, wanted);
    match &target.callee {
        Callee::Companion(_) | Callee::Function(_) => quote!(#name(#(#arguments),*)),
        Callee::Method(receiver, _, turbofish) => {
            quote!(#receiver.#name #turbofish (#(#arguments),*))
        }
    }
}
