//! What stands beside a cached function, and which of its arguments that takes.
use std::collections::HashSet;

use proc_macro2::Ident;
use quote::format_ident;
use syn::{Expr, ExprLit, Generics, Lit, Type, ext::IdentExt};

use super::{
    generics,
    key::Key,
    options::Options,
    signature::{Argument, Place, plain},
    site::Site,
};
use crate::{
    errors::Errors,
    function::{Function, identifiers},
};

pub enum Companion {
    None,
    /// A type of this name, and a macro.
    Beside {
        name: Ident,
        invalidate: Option<Ident>,
        entry: EntryArguments,
        arguments: Vec<Argument>,
    },
    /// A function of this name in the same `impl`.
    Within {
        name: Ident,
        entry: EntryArguments,
    },
}

/// What `entry` takes: the arguments that are in the key, and what `on` needs.
pub struct EntryArguments {
    pub arguments: Vec<Argument>,
    /// The variables of theirs that are used, `self` among them.
    pub used: HashSet<String>,
    pub generics: Generics,
}

/// The names of what stands beside the function.
pub struct Names {
    companion: Option<Ident>,
    pub invalidate: Option<Ident>,
}

pub fn names(
    options: &mut Options,
    function: &Function,
    place: Place,
    errors: &mut Errors,
) -> Names {
    let name = &function.sig.ident;
    let invalidate_name = options.name_of("invalidate").cloned();
    let default = format!("invalidate_{}", stem(&plain(name)));
    let companion = name_option(options, "companion", &plain(name), errors);
    let invalidate = name_option(options, "invalidate", &default, errors);
    if let (Some(Named::As(_)), Some(option)) = (&invalidate, &invalidate_name) {
        if place != Place::Module {
            errors.on(option, format!("an `impl` cannot hold a macro; leave this out and call {}_entry(..).invalidate()", plain(name)));
        } else if matches!(companion, Some(Named::None)) {
            errors.on(option, "the macro names the companion, which companion = false takes away; leave one of them out");
        }
    }
    let companion = match companion {
        Some(Named::None) => None,
        Some(Named::As(companion)) => Some(companion),
        None => Some(name.clone()),
    };
    let invalidate = match invalidate {
        Some(Named::None) => None,
        _ if companion.is_none() || place != Place::Module => None,
        Some(Named::As(invalidate)) => Some(invalidate),
        None => Some(Ident::new(&default, name.span())),
    };
    Names {
        companion,
        invalidate,
    }
}

enum Named {
    None,
    As(Ident),
}

/// `"name"`, `false`, or nothing for the default.
fn name_option(
    options: &mut Options,
    option: &str,
    example: &str,
    errors: &mut Errors,
) -> Option<Named> {
    let wanted = format!("{option} = \"{example}\", or {option} = false");
    match options.expr(option, &wanted, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Bool(wants),
            ..
        }) => (!wants.value).then_some(Named::None),
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => {
            if let Ok(name) = literal.parse::<Ident>() {
                return Some(Named::As(name));
            }
            errors.on(
                &literal,
                format!("\"{}\" is no name in Rust; write {wanted}", literal.value()),
            );
            None
        }
        other => {
            errors.on(
                other,
                format!("`{option}` takes a name in quotes or false; write {wanted}"),
            );
            None
        }
    }
}

/// `get_user` is about a `user`.
pub fn stem(name: &str) -> &str {
    let verbs = ["get_", "fetch_", "find_", "load_", "read_"];
    let stem = verbs
        .iter()
        .find_map(|verb| name.strip_prefix(verb))
        .unwrap_or(name);
    if stem.is_empty() { name } else { stem }
}

/// The name of the function beside a method.
pub fn entry_name(method: &Ident) -> Ident {
    format_ident!("{}_entry", method.unraw(), span = method.span())
}

pub fn companion(
    names: Names,
    place: Place,
    entry: EntryArguments,
    arguments: Vec<Argument>,
) -> Companion {
    match (names.companion, place) {
        (None, _) => Companion::None,
        (Some(name), Place::Module) => Companion::Beside {
            name,
            invalidate: names.invalidate,
            entry,
            arguments,
        },
        (Some(name), _) => Companion::Within {
            name: entry_name(&name),
            entry,
        },
    }
}

pub fn entry_arguments(
    function: &Function,
    arguments: &[Argument],
    key: &Key,
    on: Option<&Expr>,
    site: &Site,
    output: &Type,
) -> EntryArguments {
    let mut used: HashSet<String> = key.names().map(plain).collect();
    used.extend(identifiers(on));
    let arguments: Vec<Argument> = arguments
        .iter()
        .filter(|argument| {
            argument
                .names
                .iter()
                .any(|name| used.contains(&plain(name)))
        })
        .cloned()
        .collect();
    let mut mentioned = used.clone();
    mentioned.extend(site.mentions());
    // The lifetimes of an entry are all `'static`.
    let output = identifiers(output)
        .into_iter()
        .filter(|name| !name.starts_with('\''));
    mentioned.extend(output);
    mentioned.extend(
        arguments
            .iter()
            .flat_map(|argument| identifiers(&argument.typed.ty)),
    );
    EntryArguments {
        arguments,
        used,
        generics: generics::kept(&function.sig.generics, &mentioned),
    }
}
