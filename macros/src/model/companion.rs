//! What stands beside a cached function, and which of its arguments that takes.
use std::collections::HashSet;

use proc_macro2::Ident;
use syn::{Expr, Generics, Type};

use super::{
    constants::Constants,
    generics,
    key::Key,
    names::{entry_name, stem},
    option::Opt,
    signature::{Argument, Place},
    tags::Tag,
    value::Beside,
};
use crate::{
    errors::Errors,
    function::Function,
    surroundings::{self, Surroundings},
    tokens::{identifiers, plain},
};

pub enum Companion {
    None,
    /// A type of this name, and a macro.
    Beside {
        name: Ident,
        invalidate: Option<Ident>,
        entry: EntryArguments,
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

impl Names {
    pub fn has_companion(&self) -> bool {
        self.companion.is_some()
    }
}

pub fn names(
    companion: Opt<Beside>,
    invalidate: Opt<Beside>,
    function: &Function,
    place: Place,
    errors: &mut Errors,
) -> Names {
    let name = &function.sig.ident;
    let option = invalidate.name().cloned();
    let companion = companion.value(errors);
    let invalidate = invalidate.value(errors);
    if let (Some(Beside::Named(_)), Some(option)) = (&invalidate, &option) {
        if place != Place::Module {
            errors.on(option, format!("an `impl` cannot hold a macro; leave this out and call {}_entry(..).invalidate()", plain(name)));
        } else if matches!(companion, Some(Beside::Nothing)) {
            errors.on(option, "the macro names the companion, which companion = false takes away; leave one of them out");
        }
    }
    let companion = match companion {
        Some(Beside::Nothing) => None,
        Some(Beside::Named(companion)) => Some(companion),
        Some(Beside::Usual) | None => Some(name.clone()),
    };
    let invalidate = match invalidate {
        Some(Beside::Nothing) => None,
        _ if companion.is_none() || place != Place::Module => None,
        Some(Beside::Named(invalidate)) => Some(invalidate),
        Some(Beside::Usual) | None => {
            let usual = format!("invalidate_{}", stem(&plain(name)));
            Some(Ident::new(&usual, name.span()))
        }
    };
    Names {
        companion,
        invalidate,
    }
}

/// What is generated has to be allowed where the function stands, and only the source shows where that is.
pub fn check_place(names: &Names, function: &Function, place: Place, errors: &mut Errors) -> bool {
    let ident = &function.sig.ident;
    if names.companion.is_none() {
        return true;
    }
    let message = match (surroundings::of(ident.span()), place) {
        (Some(Surroundings::TraitImpl), _) => format!(
            "an `impl` of a trait has no place for the companion of `{ident}`; write companion = false"
        ),
        (Some(Surroundings::Impl | Surroundings::Trait), Place::Module) => {
            format!(
                "`{ident}` stands in an `impl`, and nothing in it shows that; write in_impl in the attribute"
            )
        }
        _ => return true,
    };
    errors.on(ident, message);
    false
}

pub fn companion(names: Names, place: Place, entry: EntryArguments) -> Companion {
    match (names.companion, place) {
        (None, _) => Companion::None,
        (Some(name), Place::Module) => Companion::Beside {
            name,
            invalidate: names.invalidate,
            entry,
        },
        (Some(name), _) => Companion::Within {
            name: entry_name(&name),
            entry,
        },
    }
}

/// The names in a return type of which the lifetimes are all `'static`.
pub fn lasting_names(output: &Type) -> HashSet<String> {
    let mut names = identifiers(output);
    names.retain(|name| !name.starts_with('\''));
    names
}

pub fn entry_arguments(
    function: &Function,
    arguments: &[Argument],
    key: &Key,
    on: Option<&Expr>,
    tags: &[Tag],
    constants: &Constants,
    output: &Type,
) -> EntryArguments {
    let mut used: HashSet<String> = key.names().map(plain).collect();
    used.extend(identifiers(on));
    used.extend(tags.iter().flat_map(Tag::names));
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
    mentioned.extend(constants.mentions());
    mentioned.extend(lasting_names(output));
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
