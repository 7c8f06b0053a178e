//! Options that take one of a few words.
use syn::{Expr, ExprPath, Meta};

use super::{
    option::{expr, name_of, wrong},
    value::string,
};
use crate::nearest::{instead, nearest};

/// The words of an option, each with what it means.
macro_rules! choice {
    (
        $(#[$doc:meta])*
        pub enum $name:ident { $($variant:ident = $word:literal,)+ }
        later $later:expr
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($variant,)+ }

        impl darling::FromMeta for $name {
            fn from_meta(item: &syn::Meta) -> darling::Result<Self> {
                let words = [$($word),+];
                let variants = [$(Self::$variant),+];
                $crate::model::choice::read(item, &words, &$later).map(|at| variants[at])
            }
        }
    };
}
pub(crate) use choice;

/// The place of the word that was chosen.
pub fn read(item: &Meta, words: &[&str], later: &[&str]) -> darling::Result<usize> {
    let name = name_of(item);
    let first = words.first().copied().unwrap_or_default();
    let expr = expr(item, &format!("\"{first}\""))?;
    let Some(literal) = string(expr) else {
        let bare = match expr {
            Expr::Path(ExprPath { path, .. }) => path.get_ident().map(ToString::to_string),
            _ => None,
        };
        let meant = bare.and_then(|bare| nearest(&bare, words.iter().copied()));
        return Err(wrong(match meant {
            Some(word) => format!("`{name}` takes a word in quotes; write {name} = \"{word}\""),
            None => format!(
                "`{name}` takes a word in quotes; {}",
                instead("", words, '"').unwrap_or_default()
            ),
        }));
    };
    let word = literal.value();
    if let Some(at) = words.iter().position(|known| *known == word) {
        return Ok(at);
    }
    let fix = instead(&word, words, '"').unwrap_or_default();
    Err(wrong(if later.contains(&word.as_str()) {
        format!("{name} = \"{word}\" is not supported yet; {fix}")
    } else {
        format!("`{name}` cannot be \"{word}\"; {fix}")
    }))
}
