//! The return type: whether what it holds can be kept.
use syn::{
    GenericArgument, Lifetime, PathArguments, ReturnType, Signature, Type, TypeReference,
    visit::{self, Visit},
};

use super::spelling::{arguments, bare_type, value_type};
use crate::{
    errors::Errors,
    tokens::{plain, text},
};

/// The type after `->`; a missing one is `()`.
pub fn written(sig: &Signature) -> Option<&Type> {
    match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, output) => Some(output),
    }
}

/// What is stored has to outlive the call, so it can neither borrow nor hide its type.
pub fn check_owned(output: &Type, errors: &mut Errors) {
    if let Some(hidden) = hidden(output) {
        errors.on(
            hidden,
            "`impl Trait` cannot be stored; write the type itself",
        );
        return;
    }
    let value = value_type(output);
    if let Some(reference) = borrowed(value) {
        let owned = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
            Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
            other => text(other),
        };
        errors.on(
            reference,
            format!("a cached value cannot be borrowed; write `{owned}`"),
        );
    } else if let Some(lifetime) = lifetime(value, !std::ptr::eq(value, bare_type(output))) {
        errors.on(
            lifetime,
            "a cached value cannot be borrowed; write a type without this lifetime, or 'static",
        );
    }
}

/// An `impl Trait` in the type.
pub fn hidden(output: &Type) -> Option<&Type> {
    struct Hidden<'ast>(Option<&'ast Type>);
    impl<'ast> Visit<'ast> for Hidden<'ast> {
        fn visit_type(&mut self, ty: &'ast Type) {
            if matches!(ty, Type::ImplTrait(_)) {
                self.0 = self.0.or(Some(ty));
            }
            visit::visit_type(self, ty);
        }
    }
    let mut found = Hidden(None);
    found.visit_type(output);
    found.0
}

/// What holds values of its parameters, and nothing else.
const CONTAINERS: [&str; 11] = [
    "Option", "Result", "Vec", "VecDeque", "Box", "Rc", "Arc", "HashMap", "BTreeMap", "HashSet",
    "BTreeSet",
];

/// The types that a value of this type holds for sure.
fn held(ty: &Type) -> Vec<&Type> {
    match bare_type(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Array(array) => vec![&array.elem],
        other => match arguments(other) {
            Some((name, types)) if CONTAINERS.contains(&name.as_str()) => types,
            _ => Vec::new(),
        },
    }
}

/// A reference that is part of the value: what an alias or a type of the user's makes of one, traits decide.
fn borrowed(value: &Type) -> Option<&TypeReference> {
    match bare_type(value) {
        Type::Reference(reference) => Some(reference),
        other => held(other).into_iter().find_map(borrowed),
    }
}

/// The lifetime of a type that the value holds. The return type itself may be an alias of a `Result` with a borrowed
/// error.
fn lifetime(value: &Type, is_held: bool) -> Option<&Lifetime> {
    let mut inner = held(value).into_iter();
    inner.find_map(|ty| lifetime(ty, true)).or_else(|| {
        own_lifetime(value)
            .filter(|(name, _)| is_held || name == "Cow")
            .map(|(_, lifetime)| lifetime)
    })
}

fn own_lifetime(ty: &Type) -> Option<(String, &Lifetime)> {
    let Type::Path(path) = bare_type(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let mut lifetimes = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => Some(lifetime),
        _ => None,
    });
    Some((plain(&last.ident), lifetimes.next()?))
}
