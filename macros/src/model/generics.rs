//! Which generic parameters a companion needs, and which of them a key has to show.
use std::collections::HashSet;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::{GenericParam, Generics, TypeParamBound, WherePredicate, punctuated::Punctuated};

use crate::tokens::identifiers;

/// The name of a parameter as [`identifiers`] gives it.
fn name(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(param) => param.lifetime.to_string(),
        GenericParam::Type(param) => param.ident.to_string(),
        GenericParam::Const(param) => param.ident.to_string(),
    }
}

/// The parameters that `mentioned` holds, with the bounds that speak of no others.
pub fn kept(generics: &Generics, mentioned: &HashSet<String>) -> Generics {
    let dropped: HashSet<String> = generics
        .params
        .iter()
        .map(name)
        .filter(|name| !mentioned.contains(name))
        .collect();
    let stays = |tokens: &dyn ToTokens| identifiers(tokens.to_token_stream()).is_disjoint(&dropped);
    let mut kept = generics.clone();
    kept.params = generics
        .params
        .iter()
        .filter(|param| mentioned.contains(&name(param)))
        .cloned()
        .collect();
    for param in &mut kept.params {
        match param {
            GenericParam::Type(param) => param.bounds = bounds(&param.bounds, &stays),
            GenericParam::Lifetime(param) => {
                param.bounds = param
                    .bounds
                    .iter()
                    .filter(|bound| stays(bound))
                    .cloned()
                    .collect();
            }
            GenericParam::Const(_) => {}
        }
    }
    if kept.params.is_empty() {
        (kept.lt_token, kept.gt_token) = (None, None);
    }
    if let Some(clause) = &mut kept.where_clause {
        clause.predicates = clause
            .predicates
            .iter()
            .filter_map(|predicate| narrowed(predicate, &stays))
            .collect();
    }
    kept.where_clause = kept
        .where_clause
        .filter(|clause| !clause.predicates.is_empty());
    kept
}

type Stays<'a> = &'a dyn Fn(&dyn ToTokens) -> bool;

fn bounds(
    all: &Punctuated<TypeParamBound, syn::Token![+]>,
    stays: Stays<'_>,
) -> Punctuated<TypeParamBound, syn::Token![+]> {
    all.iter().filter(|bound| stays(bound)).cloned().collect()
}

fn narrowed(predicate: &WherePredicate, stays: Stays<'_>) -> Option<WherePredicate> {
    let WherePredicate::Type(typed) = predicate else {
        return stays(predicate).then(|| predicate.clone());
    };
    let mut typed = typed.clone();
    typed.bounds = bounds(&typed.bounds, stays);
    (stays(&typed.bounded_ty) && !typed.bounds.is_empty()).then_some(WherePredicate::Type(typed))
}

/// The type parameters and the `const` parameters of the function, in order.
pub fn names(generics: &Generics) -> (Vec<&Ident>, Vec<&Ident>) {
    let types = generics.type_params().map(|param| &param.ident).collect();
    let consts = generics.const_params().map(|param| &param.ident).collect();
    (types, consts)
}
