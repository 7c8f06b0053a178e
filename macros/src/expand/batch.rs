//! `#[cached(batch = ids, of = get_user(ids))]`: the entries of the items, and the body as a closure over a list.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Lifetime, Type, TypeReference,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

use super::{
    body::{return_kind, with_body},
    callee::{Member, member},
    catalogue,
    spans::located,
};
use crate::model::{
    batch::{Batch, List, is_item},
    callee::Callee,
    spelling::value_type,
};

pub fn expand(batch: &Batch) -> TokenStream {
    let Batch {
        runtime,
        function,
        output,
        name,
        list,
        item,
        when,
        ..
    } = batch;
    let when = when
        .as_ref()
        .map_or_else(|| quote!(true), ToTokens::to_token_stream);
    let items = match list {
        List::Borrowed => {
            quote_spanned!(Span::mixed_site()=> ::core::convert::AsRef::<[#item]>::as_ref(#name).to_vec())
        }
        List::Owned => name.to_token_stream(),
    };
    let entry = entry(batch);
    // A type that cannot be returned is reported where it stands.
    let batchable = quote_spanned!(Span::mixed_site()=> #runtime::__private::batchable::<_, #item, _, _>(kind, &entries));
    let batchable = located(batchable, value_type(output).span());
    let kind = return_kind(runtime, output, "kind_unshared");
    let body = body(batch);
    let catalogued = catalogue::batch(batch);
    with_body(
        function,
        &quote_spanned! {Span::mixed_site()=>
            #catalogued
            let when = #when;
            let items: ::std::vec::Vec<#item> = #items;
            let mut entries = #runtime::__private::BatchEntries::new(when);
            for #name in &items {
                entries.add(#entry.entry_ref());
            }
            let kind = #kind;
            let batchable = #batchable;
            let body = #body;
            let again = {
                use #runtime::__private::{ViaClone, ViaOnce};
                (&&#runtime::__private::Again::of(&body)).again()
            };
            #runtime::__private::batch(entries, batchable, items, body, again).await
        },
    )
}

/// The entry of one item, in which the name of the list stands for the item.
fn entry(batch: &Batch) -> TokenStream {
    let runtime = &batch.runtime;
    let arguments = batch.of.arguments.iter().map(|argument| {
        let expr = &argument.expr;
        if is_item(expr, &batch.name) {
            let at = Span::mixed_site().located_at(expr.span());
            quote_spanned!(at=> #runtime::__private::Item(#expr).pass())
        } else {
            expr.to_token_stream()
        }
    });
    let entry = member(&batch.of.callee, Member::Entry);
    match &batch.of.callee {
        Callee::Companion(_) | Callee::Function(_) => quote!(#entry(#(#arguments),*)),
        Callee::Method(receiver, _, turbofish) => {
            quote!(#receiver.#entry #turbofish (#(#arguments),*))
        }
    }
}

/// The user's statements over a list that this call chooses.
fn body(batch: &Batch) -> TokenStream {
    let Batch {
        function,
        output,
        argument,
        list,
        item,
        ..
    } = batch;
    let missing = Ident::new("missing", Span::mixed_site());
    let given = match list {
        List::Borrowed => quote_spanned!(Span::mixed_site()=> &#missing),
        List::Owned => missing.to_token_stream(),
    };
    let pat = &argument.typed.pat;
    let ty = without_lifetime(&argument.typed.ty);
    let at = Span::mixed_site().located_at(output.span());
    let edge = quote_spanned! {at=>
        if let ::core::option::Option::Some(edge) = ::core::option::Option::<#output>::None {
            return edge;
        }
    };
    let statements = function.body.stream();
    let bound = quote_spanned!(Span::mixed_site()=> let #pat: #ty = #given;);
    let mut braced = Group::new(Delimiter::Brace, quote!(#bound #edge #statements));
    braced.set_span(function.body.span());
    let at = Span::mixed_site().located_at(function.body.span());
    quote_spanned!(at=> move |#missing: ::std::vec::Vec<#item>| async move #braced)
}

/// The list that the body gets lives no longer than the body.
fn without_lifetime(ty: &Type) -> Type {
    struct Outermost(bool);
    impl VisitMut for Outermost {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            if !self.0 {
                self.0 = true;
                reference.lifetime = None;
                return;
            }
            visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_lifetime_mut(&mut self, _: &mut Lifetime) {}
    }
    let mut ty = ty.clone();
    Outermost(false).visit_type_mut(&mut ty);
    ty
}
