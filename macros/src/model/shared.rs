//! `shares = get_user`: another cached function whose entries this one uses on purpose.
use darling::FromMeta;
use proc_macro2::Ident;
use syn::{Expr, Meta, Path};

use super::{
    names::entry_name,
    option::{expr, name_of, wrong},
};
use crate::tokens::plain;

/// Who describes the other function.
pub enum Shared {
    /// The companion of a free function.
    Companion(Path),
    /// The type in whose `impl` the method stands, and the function beside it.
    Method(Path, Ident),
}

impl Shared {
    /// Whether only the inside of an `impl` can name it.
    pub fn is_of_self(&self) -> bool {
        matches!(self, Self::Method(ty, _) if ty.is_ident("Self"))
    }
}

impl FromMeta for Shared {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Expr::Path(path) = expr(item, "get_user")? else {
            let name = name_of(item);
            return Err(wrong(format!(
                "`{name}` takes the name of another cached function; write {name} = get_user"
            )));
        };
        let mut ty = path.path.clone();
        let method = ty.segments.pop();
        let is_type = ty
            .segments
            .last()
            .is_some_and(|last| plain(&last.ident).starts_with(char::is_uppercase));
        Ok(match method {
            Some(method) if is_type => {
                ty.segments.pop_punct();
                Self::Method(ty, entry_name(&method.ident))
            }
            _ => Self::Companion(path.path.clone()),
        })
    }
}
