//! What stands beside another cached function, by the name of that function.
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote_spanned};
use syn::{ExprPath, PathArguments, ext::IdentExt, spanned::Spanned};

use crate::model::{callee::Callee, names::all_name};

/// What a companion has, or a method has beside it.
#[derive(Clone, Copy)]
pub enum Member {
    /// Gives the entry of some arguments.
    Entry,
    /// Gives the description.
    Function,
    /// Tells the return type.
    Returns,
    /// Gives all entries.
    All,
    /// Holds the number of a function whose values stay in this process.
    Number,
}

impl Member {
    /// In a companion.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Function => "function",
            Self::Returns => "returns",
            Self::All => "all_entries",
            Self::Number => "number",
        }
    }

    /// Beside a method of which this is the entry.
    pub fn beside(self, entry: &Ident, span: Span) -> Ident {
        match self {
            Self::Entry => Ident::new(&entry.to_string(), span),
            Self::All => all_name(entry, span),
            Self::Function | Self::Returns | Self::Number => {
                format_ident!("__{}_{}", entry.unraw(), self.name(), span = span)
            }
        }
    }
}

/// The companion of a free function, as a type.
pub fn named_type(path: &ExprPath) -> ExprPath {
    without_arguments(path).0
}

/// The path of a member, with the user's tokens in the user's places.
pub fn member(callee: &Callee, member: Member) -> TokenStream {
    match callee {
        Callee::Companion(path) => {
            let (path, turbofish) = without_arguments(path);
            let last = path.path.segments.last();
            let span = last.map_or_else(Span::call_site, |last| last.ident.span());
            let name = Ident::new(member.name(), span);
            // As a type, so that an unknown one is not taken for a module.
            let at = Span::mixed_site().located_at(path.span());
            quote_spanned!(at=> <#path>::#name #turbofish)
        }
        Callee::Function(path) => {
            let mut path = path.clone();
            if let Some(last) = path.path.segments.last_mut() {
                last.ident = member.beside(&last.ident, last.ident.span());
            }
            path.to_token_stream()
        }
        Callee::Method(_, name, _) => member.beside(name, name.span()).to_token_stream(),
    }
}

/// `get_user::<T>` names a function; in `get_user::entry::<T>` the parameters belong to `entry`.
fn without_arguments(path: &ExprPath) -> (ExprPath, PathArguments) {
    let mut path = path.clone();
    let taken = path
        .path
        .segments
        .last_mut()
        .map(|last| std::mem::take(&mut last.arguments));
    (path, taken.unwrap_or_default())
}
