//! Everything that a function is called with is in its key, or is left out on purpose: otherwise one caller sees what
//! another asked for.
use std::collections::HashSet;

use proc_macro2::Ident;
use syn::WherePredicate;

use super::{
    generics,
    key::{Key, Sources},
    output,
    prefix::Prefix,
    spelling::value_type,
};
use crate::{
    errors::Errors,
    tokens::{identifiers, plain, text},
};

pub fn check(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    check_self(sources, key, errors);
    check_arguments(sources, key, errors);
    check_type_parameters(sources, key, errors);
    check_const_parameters(sources, key, errors);
}

/// Two values of one type answer with each other's entries.
fn check_self(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    let Some(receiver) = sources.sig.receiver() else {
        return;
    };
    if sources.skips("self") || key.names().any(|used| used == "self") {
        return;
    }
    let name = plain(&sources.sig.ident);
    let message = format!(
        "`self` is not in the key, so calls of `{name}` on different values would share one entry; write `<self.field>` in the key, or skip(self)"
    );
    errors.on(receiver.self_token, message);
}

fn check_arguments(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    let names = sources
        .arguments
        .iter()
        .flat_map(|argument| &argument.names);
    for name in names {
        let text = plain(name);
        if sources.skips(&text) || key.names().any(|used| plain(used) == text) {
            continue;
        }
        let braced = format!("{{{text}}}");
        if let Some(literal) = sources
            .template
            .as_ref()
            .filter(|_| key.text.contains(&braced))
        {
            let message = format!("`{braced}` is text, not the argument; write `<{text}>`");
            errors.on(literal, message);
            continue;
        }
        let message = format!(
            "`{name}` is not in the key, so calls that differ only in `{name}` would share one entry; write `<{text}>` in the key, or skip({name})"
        );
        errors.on(name, message);
    }
}

/// `load::<A>(1)` and `load::<B>(1)` are two functions. What shows in an argument of the key is told apart there, and
/// what only skipped arguments mention is skipped with them; but a type that is returned has to be told apart.
fn check_type_parameters(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    let value = output::written(sources.sig)
        .map(|output| identifiers(value_type(output)))
        .unwrap_or_default();
    let mentioned = mentioned(sources);
    let (types, _) = generics::names(&sources.sig.generics);
    for param in types {
        let name = plain(param);
        if is_named(sources, key, param) {
            continue;
        }
        let function = &sources.sig.ident;
        let message = if value.contains(&name) {
            format!(
                "type parameter `{param}` is in the value but not in the key; write prefix = {param}::PREFIX, or skip({param})"
            )
        } else if mentioned.contains(&name) {
            continue;
        } else {
            format!(
                "type parameter `{param}` is not in the key, so `{function}::<A>` and `{function}::<B>` would share one entry; write prefix = {param}::PREFIX, or skip({param})"
            )
        };
        errors.on(param, message);
    }
}

/// The names in the types of arguments, and what the bounds of these tie to them.
fn mentioned(sources: &Sources<'_>) -> HashSet<String> {
    let mut found: HashSet<String> = sources
        .arguments
        .iter()
        .flat_map(|argument| identifiers(&argument.typed.ty))
        .collect();
    let generics = &sources.sig.generics;
    let params = generics
        .type_params()
        .map(|param| (plain(&param.ident), identifiers(&param.bounds)));
    let clause = generics.where_clause.iter();
    let predicates = clause.flat_map(|clause| &clause.predicates);
    let predicates = predicates.filter_map(|predicate| match predicate {
        WherePredicate::Type(typed) => Some((text(&typed.bounded_ty), identifiers(&typed.bounds))),
        _ => None,
    });
    for (param, bounds) in params.chain(predicates) {
        if found.contains(&param) {
            found.extend(bounds);
        }
    }
    found
}

/// `rows::<3>(1)` and `rows::<4>(1)` are two functions.
fn check_const_parameters(sources: &Sources<'_>, key: &Key, errors: &mut Errors) {
    let (_, consts) = generics::names(&sources.sig.generics);
    for param in consts {
        if is_named(sources, key, param) {
            continue;
        }
        let name = plain(param);
        let message = format!(
            "const parameter `{param}` is not in the key, so calls that differ only in `{param}` would share one entry; write `<{name}>` in the key, or skip({param})"
        );
        errors.on(param, message);
    }
}

/// In the key, in the prefix, or skipped.
fn is_named(sources: &Sources<'_>, key: &Key, param: &Ident) -> bool {
    let name = plain(param);
    let is_in_prefix = match sources.prefix {
        Prefix::Const(path) => identifiers(path).contains(&name),
        Prefix::Literal(_) => false,
    };
    is_in_prefix || sources.skips(&name) || key.names().any(|used| plain(used) == name)
}
