//! A body that runs in the call or in the background: it stands in a function of its own, so that what is wrong in it
//! is reported once. In the call it gets the arguments as they are, in the background what owns them.
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{FnArg, Pat, PatIdent, Path, spanned::Spanned};

use super::{
    companion::{kept_attributes, turbofish},
    spans::{generated, located},
};
use crate::{
    function::Function,
    model::own_body::{Body, Held},
};

/// How the body is started, once it is known where.
pub fn start(runtime: &Path, function: &Function, body: &Body) -> TokenStream {
    let span = Span::mixed_site().located_at(function.sig.ident.span());
    let name = name(function, body, span);
    let turbofish = turbofish(&function.sig.generics);
    let path = if body.beside.is_some() {
        quote_spanned!(span=> Self::#name #turbofish)
    } else {
        quote_spanned!(span=> #name #turbofish)
    };
    let receiver = body.receiver.as_ref().map(|held| {
        let receiver = function.sig.receiver();
        let token = receiver.map(|receiver| receiver.self_token);
        let kept = Ident::new("receiver", Span::mixed_site());
        let at = token.map_or(span, |token| token.span);
        (quote!(#token), kept, held, at)
    });
    let arguments = body.arguments.iter().enumerate();
    let arguments = arguments.map(|(at, (name, ty, held))| {
        let kept = quote::format_ident!("kept_{at}", span = Span::mixed_site());
        (quote!(#name), kept, held, ty.span())
    });
    let all: Vec<_> = receiver.into_iter().chain(arguments).collect();
    let given = all.iter().map(|(given, ..)| given);
    let kept = all.iter().map(|(given, kept, held, at)| {
        let door = |name: &str| {
            let name = Ident::new(name, Span::mixed_site());
            located(quote!(#runtime::__private::#name), *at)
        };
        let value = match held {
            Held::Moved => {
                let moved = door("moved");
                quote_spanned!(Span::mixed_site()=> #moved(#given))
            }
            Held::Copied(ty) => {
                let copied = door("copied");
                quote_spanned!(Span::mixed_site()=> #copied::<#ty, _>(#given))
            }
            Held::CopiedOption(ty) => {
                let copied = door("copied");
                quote_spanned!(Span::mixed_site()=> #given.map(#copied::<#ty, _>))
            }
        };
        quote_spanned!(Span::mixed_site()=> let #kept = #value;)
    });
    let lent = all.iter().map(|(_, kept, held, _)| match held {
        Held::Moved => quote_spanned!(Span::mixed_site()=> #kept),
        Held::Copied(ty) => {
            quote_spanned!(Span::mixed_site()=> #kept.lend::<#ty>())
        }
        Held::CopiedOption(ty) => quote_spanned! {Span::mixed_site()=>
            #kept.as_ref().map(#runtime::__private::OwnCopy::lend::<#ty>)
        },
    });
    quote_spanned! {span=>
        move |place| match place {
            #runtime::__private::Place::Call => {
                #runtime::__private::Started::Call(#path(#(#given),*))
            }
            #runtime::__private::Place::Background => {
                #(#kept)*
                #runtime::__private::Started::Background(::std::boxed::Box::pin(async move {
                    #path(#(#lent),*).await
                }))
            }
        }
    }
}

fn name(function: &Function, body: &Body, span: Span) -> Ident {
    match &body.beside {
        Some(name) => Ident::new(&name.to_string(), generated(function.sig.ident.span())),
        None => Ident::new("body", span),
    }
}

/// The function that holds the body: in the cached one, or beside it.
pub fn holder(function: &Function, body: &Body) -> TokenStream {
    let span = Span::mixed_site().located_at(function.sig.ident.span());
    let mut sig = function.sig.clone();
    sig.ident = name(function, body, span);
    let attrs = kept_attributes(
        function,
        &["cfg", "allow", "expect", "deny", "warn", "deprecated"],
    );
    let hidden = body
        .beside
        .is_some()
        .then(|| quote_spanned!(span=> #[doc(hidden)]));
    let used = body
        .used
        .iter()
        .map(|name| quote_spanned!(Span::mixed_site()=> let _ = &#name;));
    let statements = function.body.stream();
    let mut braced = Group::new(Delimiter::Brace, quote!(#(#used)* #statements));
    braced.set_span(function.body.span());
    // What the body leaves out, the function around it uses.
    let lints = quote_spanned!(span=> #[allow(clippy::unused_async, clippy::unused_self)]);
    quote!(#(#attrs)* #hidden #lints #sig #braced)
}

/// The function without what only its body needs: its arguments are handed on.
pub fn outside(function: &Function, body: &Body) -> Function {
    let mut sig = function.sig.clone();
    let typed = sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(receiver) => {
            receiver.mutability = None;
            None
        }
    });
    for (typed, (name, ..)) in typed.zip(&body.arguments) {
        typed.attrs.clear();
        *typed.pat = Pat::Ident(PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: name.clone(),
            subpat: None,
        });
    }
    Function {
        attrs: function.attrs.clone(),
        vis: function.vis.clone(),
        sig,
        body: function.body.clone(),
    }
}
