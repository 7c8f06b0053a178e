//! Another cached function, as a list or an option names it.
use proc_macro2::{Ident, Span};
use syn::{AngleBracketedGenericArguments, Expr, ExprPath, spanned::Spanned};

use super::{names::entry_name, spelling::Scope};
use crate::tokens::plain;

pub enum Callee {
    /// `get_user::<T>` as written: `entry` is a function of that type.
    Companion(ExprPath),
    /// `Repo::get_user_entry`
    Function(ExprPath),
    /// `self.get_user_entry`
    Method(Box<Expr>, Ident, Option<AngleBracketedGenericArguments>),
}

impl Callee {
    /// Where the function is named.
    pub fn span(&self) -> Span {
        match self {
            Self::Companion(path) | Self::Function(path) => path.span(),
            Self::Method(_, name, _) => name.span(),
        }
    }

    /// An item can name it: nothing in it may be a parameter of what stands around.
    pub fn is_constant(&self, scope: Scope<'_>) -> bool {
        let Self::Companion(path) = self else {
            return false;
        };
        let has_arguments = path
            .path
            .segments
            .iter()
            .any(|name| !name.arguments.is_empty());
        scope.is_constant(path) && !has_arguments
    }
}

/// `Upper::f` is a method's, as are `Self::f` and `<T as Trait>::f`; other paths name a free function.
pub fn of(mut path: ExprPath) -> Callee {
    let is_type = |name: &Ident| plain(name).starts_with(char::is_uppercase);
    let owner = path.path.segments.iter().rev().nth(1);
    if !owner.is_some_and(|owner| is_type(&owner.ident)) && path.qself.is_none() {
        return Callee::Companion(path);
    }
    if let Some(last) = path.path.segments.last_mut() {
        last.ident = entry_name(&last.ident);
    }
    Callee::Function(path)
}
