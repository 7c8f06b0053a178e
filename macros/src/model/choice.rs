//! Options that take one of a few words.
use syn::Meta;

use super::{
    option::{expr, name_of, words_of, wrong},
    value::string,
};
use crate::nearest::{instead, nearest};
use crate::tokens::text;

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
    let several = words_of(item);
    let expr = match &several {
        Some(_) => None,
        None => Some(expr(item, &format!("\"{first}\""))?),
    };
    let Some(literal) = expr.and_then(string) else {
        let bare = match expr {
            Some(expr) => Some(text(expr)),
            None => several,
        };
        // `token bucket` and `token-bucket` are two words.
        let one = |bare: String| bare.replace([' ', '-'], "_").replace("___", "_");
        let meant = bare.and_then(|bare| nearest(&one(bare), words.iter().copied()));
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
