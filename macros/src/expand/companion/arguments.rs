//! Arguments, parameters and return types as companions have them.
use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::{
    FieldPat, GenericParam, Generics, Lifetime, Pat, PatIdent, PatType, PatWild, Token, Type,
    TypeReference,
    visit_mut::{self, VisitMut},
};

use crate::{
    expand::spans::generated,
    model::signature::{Argument, binds},
    tokens::{plain, respanned},
};

/// The argument where only some of its variables are used, and none is changed.
pub fn narrowed(argument: &Argument, used: &HashSet<String>) -> PatType {
    let mut typed = argument.typed.clone();
    Narrow { used }.visit_pat_mut(&mut typed.pat);
    typed.attrs.clear();
    typed
}

struct Narrow<'a> {
    used: &'a HashSet<String>,
}

impl VisitMut for Narrow<'_> {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        if let Pat::Ident(bound) = pat
            && binds(bound)
        {
            bound.mutability = None;
            if !self.used.contains(&plain(&bound.ident)) {
                let wild = || {
                    Pat::Wild(PatWild {
                        attrs: Vec::new(),
                        underscore_token: Token![_](generated(bound.ident.span())),
                    })
                };
                // `all @ Point { x, .. }` may be asked for `x` alone.
                *pat = match bound.subpat.take() {
                    Some((_, inner)) => *inner,
                    None => wild(),
                };
                self.visit_pat_mut(pat);
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
pub fn renamed(arguments: &[Argument]) -> (Vec<PatType>, Vec<Ident>) {
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

pub fn turbofish(generics: &Generics) -> Option<TokenStream> {
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
pub fn lasting(output: &Type, span: Span) -> Type {
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
