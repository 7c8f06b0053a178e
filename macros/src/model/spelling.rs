//! What only spelling shows, since a macro sees no types. Each guess errs on the side that compiles: where it is
//! wrong, a check comes later or an error is shared less often, and nothing is refused that a trait could decide.
use std::collections::HashSet;

use quote::ToTokens;
use syn::{
    Expr, ExprPath, GenericArgument, GenericParam, Generics, PathArguments, Signature, Type,
};

use super::{option::ungrouped, signature::Place};
use crate::tokens::{identifiers, plain};

/// Where an expression stands: in a function with these parameters, in an `impl` or not.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    generics: Option<&'a Generics>,
    place: Place,
}

impl<'a> Scope<'a> {
    /// Inside of some function.
    pub const UNKNOWN: Self = Self {
        generics: None,
        place: Place::Method,
    };

    pub fn of(sig: &'a Signature, place: Place) -> Self {
        Self {
            generics: Some(&sig.generics),
            place,
        }
    }

    /// Whether the path of a prefix, a duration or a `Limit` can stand in an item of its own, so that the compiler
    /// works it out even where the function is never built. No parameter has one of these types, but a constant may
    /// belong to one.
    pub fn is_constant(self, path: &ExprPath) -> bool {
        let is_module = |segment: &syn::PathSegment| {
            let name = plain(&segment.ident);
            name.starts_with(char::is_lowercase) && !self.parameters().any(|param| param == name)
        };
        path.qself.is_none() && path.path.segments.iter().rev().skip(1).all(is_module)
    }

    /// As [`Self::is_constant`], of anything that is a path.
    pub fn is_constant_expr(self, expr: &Expr) -> bool {
        matches!(ungrouped(expr), Expr::Path(path) if self.is_constant(path))
    }

    /// As [`Self::is_constant`], of a whole number, which a parameter of the function can be, or of an `impl` around it.
    pub fn is_constant_number(self, expr: &Expr) -> bool {
        let name = match ungrouped(expr) {
            Expr::Path(path) => path.path.get_ident().map(plain),
            _ => None,
        };
        let may_be_parameter = name.is_some_and(|name| {
            self.place != Place::Module || self.parameters().any(|param| param == name)
        });
        self.is_constant_expr(expr) && !may_be_parameter
    }

    fn parameters(self) -> impl Iterator<Item = String> + 'a {
        let params = self
            .generics
            .into_iter()
            .flat_map(|generics| &generics.params);
        params.map(|param| match param {
            GenericParam::Lifetime(param) => param.lifetime.to_string(),
            GenericParam::Type(param) => plain(&param.ident),
            GenericParam::Const(param) => plain(&param.ident),
        })
    }

    /// Whether `E: Clone + 'static` may be asked of the error in this type: it names nothing that may be
    /// shorter-lived. That a parameter of the `impl` is no such error, the runtime finds by traits.
    pub fn outlives_calls(self, output: &Type) -> bool {
        let parameters: HashSet<String> = self.parameters().collect();
        let is_short = |name: &String| {
            (name.starts_with('\'') && name != "'static") || parameters.contains(name)
        };
        !output.to_token_stream().to_string().contains('&')
            && !identifiers(output).iter().any(is_short)
    }
}

/// A type without the invisible group that a `macro_rules!` variable leaves around it, and without parentheses.
pub fn bare_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare_type(&group.elem),
        Type::Paren(paren) => bare_type(&paren.elem),
        other => other,
    }
}

/// The first parameter of what is spelled `Result<T, E>`. It serves messages and their places only.
pub fn value_type(output: &Type) -> &Type {
    match arguments(output) {
        Some((name, types)) if name == "Result" => {
            types.first().map_or(output, |value| bare_type(value))
        }
        _ => output,
    }
}

/// The types that a type is made of, each before its own parts: of a `Vec<Page<User>>`, `Page<User>` and `User`.
/// Without those that anybody can store. It serves messages only.
pub fn parts(ty: &Type) -> Vec<&Type> {
    let within = match bare_type(ty) {
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Array(array) => vec![&*array.elem],
        Type::Slice(slice) => vec![&*slice.elem],
        other => arguments(other).map_or_else(Vec::new, |(_, types)| types),
    };
    let within = within.into_iter().map(bare_type);
    let mut found = Vec::new();
    for part in within {
        if !is_of_the_language(part) {
            found.push(part);
        }
        found.extend(parts(part));
    }
    found
}

/// What is spelled as a number, a text or another type that needs nothing to be stored.
fn is_of_the_language(ty: &Type) -> bool {
    const WORDS: [&str; 18] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
        "u32", "u64", "u128", "usize", "str", "String",
    ];
    match ty {
        Type::Path(path) => {
            let name = path.path.get_ident().map(plain);
            name.is_some_and(|name| WORDS.contains(&name.as_str()))
        }
        // What stands in these is looked at by itself; a borrowed part is reported as such.
        other => matches!(
            other,
            Type::Tuple(_)
                | Type::Array(_)
                | Type::Slice(_)
                | Type::Reference(_)
                | Type::TraitObject(_)
        ),
    }
}

/// The last name of a path, and the types in its brackets.
pub fn arguments(ty: &Type) -> Option<(String, Vec<&Type>)> {
    let Type::Path(path) = bare_type(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((plain(&last.ident), types.collect()))
}
