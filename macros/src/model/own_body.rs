//! A body that may run in the background: whether a load there can own what the body needs.
use std::collections::HashSet;

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::{
    GenericArgument, Lifetime, PathArguments, Receiver, ReceiverKind, Type, TypeReference,
    visit::{self, Visit},
};

use super::{
    companion::Names,
    key::Sources,
    signature::{Argument, Place},
    spelling::bare_type,
};
use crate::{
    errors::Errors,
    function::Function,
    surroundings::{self, Surroundings},
    tokens::plain,
};

/// How the background owns what a body takes.
pub enum Held {
    /// Moved there.
    Moved,
    /// Borrowed by the body from an owned copy.
    Copied(Type),
    /// The same, of something that may not be there.
    CopiedOption(Type),
}

/// What the body takes, which stands in a function of its own.
pub struct Body {
    /// Beside the function, where it cannot stand in it.
    pub beside: Option<Ident>,
    pub receiver: Option<Held>,
    pub arguments: Vec<(Ident, Type, Held)>,
    /// The variables that the key and other options use: the body need not.
    pub used: Vec<Ident>,
}

/// Each argument that a load in the background could not own is one error.
pub fn check(
    option: &Ident,
    sources: &Sources<'_>,
    function: &Function,
    names: &Names,
    used: &HashSet<String>,
    errors: &mut Errors,
) -> Body {
    let Sources {
        place, arguments, ..
    } = *sources;
    let name = &function.sig.ident;
    match (surroundings::of(name.span()), place) {
        (Some(Surroundings::TraitImpl | Surroundings::Trait), _) => {
            let message = format!(
                "`{option}` needs a place for the body beside `{name}`, and a trait has none; write `{name}` in an `impl` of its own and call it from here"
            );
            errors.on(option, message);
        }
        (_, Place::Module) => {}
        _ if !names.has_companion() => {
            let message = format!(
                "`{option}` needs a place for the body beside `{name}`, which companion = false denies; leave one of them out"
            );
            errors.on(option, message);
        }
        _ => {}
    }
    let receiver = function.sig.receiver();
    let receiver = receiver.map(|receiver| held_receiver(option, receiver, errors));
    let arguments = arguments.iter().enumerate();
    let arguments = arguments.map(|(at, argument)| {
        let ty = &*argument.typed.ty;
        let held = held(option, ty, errors);
        let name = variable(option, at, argument, errors);
        (name, ty.clone(), held)
    });
    let arguments: Vec<(Ident, Type, Held)> = arguments.collect();
    let names = arguments.iter().map(|(name, ..)| name);
    let used = names.filter(|name| used.contains(&plain(name)));
    let used = used.cloned().collect();
    if let Some(lifetime) = shorter(&function.sig.output) {
        let message = format!(
            "with `{option}` the body may outlive the call, so what it returns cannot borrow; write a type without this lifetime, or 'static"
        );
        errors.at(lifetime, message);
    }
    Body {
        beside: (place != Place::Module).then(|| {
            let name = format!("__{}_body", plain(name));
            Ident::new(&name, Span::call_site())
        }),
        receiver,
        arguments,
        used,
    }
}

/// An argument that is taken apart in the signature cannot be handed on as a whole.
fn variable(option: &Ident, at: usize, argument: &Argument, errors: &mut Errors) -> Ident {
    match &*argument.typed.pat {
        syn::Pat::Ident(pat) if argument.is_plain() => pat.ident.clone(),
        syn::Pat::Wild(_) => quote::format_ident!("argument_{at}", span = Span::mixed_site()),
        pattern => {
            let message = format!(
                "with `{option}` an argument is handed on to the body; write a variable here, and take it apart in the body"
            );
            errors.on(pattern, message);
            quote::format_ident!("argument_{at}", span = Span::mixed_site())
        }
    }
}

fn held_receiver(option: &Ident, receiver: &Receiver, errors: &mut Errors) -> Held {
    match &receiver.kind {
        ReceiverKind::Reference(_, _, Some(mutability)) => {
            let message = format!(
                "with `{option}` the body may run in the background, where nothing can be changed for the caller; write `&self`"
            );
            errors.on(mutability, message);
            Held::Moved
        }
        ReceiverKind::Reference(..) => Held::Copied(syn::parse_quote!(Self)),
        ReceiverKind::Typed(_, ty) => held(option, ty, errors),
        _ => Held::Moved,
    }
}

fn held(option: &Ident, ty: &Type, errors: &mut Errors) -> Held {
    if let Type::Reference(reference) = bare_type(ty) {
        return borrowed(option, reference, errors).map_or(Held::Moved, Held::Copied);
    }
    if let Some(reference) = optional(ty) {
        return borrowed(option, reference, errors).map_or(Held::Moved, Held::CopiedOption);
    }
    if let Some(at) = shorter(ty) {
        let message = format!(
            "with `{option}` the body may run in the background, and own what it uses; take this by value, or as a plain `&T`"
        );
        errors.at(at, message);
    }
    Held::Moved
}

/// What is behind a reference; nothing if that outlives everything, or is an error.
fn borrowed(option: &Ident, reference: &TypeReference, errors: &mut Errors) -> Option<Type> {
    if let Some(mutability) = &reference.mutability {
        let message = format!(
            "with `{option}` the body may run in the background, where nothing can be changed for the caller; take this by value, or as `&T`"
        );
        errors.on(mutability, message);
        return None;
    }
    if let Some(at) = shorter(&reference.elem) {
        let message = format!(
            "with `{option}` the body may run in the background, and own what it uses; take this by value, or as a plain `&T`"
        );
        errors.at(at, message);
        return None;
    }
    let is_static = |lifetime: &Lifetime| lifetime.ident == "static";
    let is_static = reference.lifetime.as_ref().is_some_and(is_static);
    (!is_static).then(|| (*reference.elem).clone())
}

/// The reference in what is spelled `Option<&T>`.
fn optional(ty: &Type) -> Option<&TypeReference> {
    let Type::Path(path) = bare_type(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if last.ident == "Option" => match bare_type(inner) {
            Type::Reference(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

/// Where a lifetime other than `'static` stands, or a reference without one.
fn shorter(tokens: &impl ToTokens) -> Option<Span> {
    struct Shorter(Option<Span>);
    impl<'ast> Visit<'ast> for Shorter {
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0 = self.0.or(Some(lifetime.span()));
            }
        }
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            if reference.lifetime.is_none() {
                self.0 = self.0.or(Some(reference.and_token.span));
            }
            visit::visit_type_reference(self, reference);
        }
        /// It is a type of its own, with lifetimes of its own.
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments(
            &mut self,
            _: &'ast syn::ParenthesizedGenericArguments,
        ) {
        }
    }
    let mut found = Shorter(None);
    let ty: Option<Type> = syn::parse2(tokens.to_token_stream()).ok();
    if let Some(ty) = ty {
        found.visit_type(&ty);
    } else {
        let output: syn::ReturnType = syn::parse2(tokens.to_token_stream()).ok()?;
        found.visit_return_type(&output);
    }
    found.0
}
