//! What every option has in common: it is known, it is supported, it is given once. Names are judged here;
//! `darling` then fills the struct, and each value says by itself what is wrong with it.
use darling::{
    FromMeta,
    ast::{MetaNameValueInvalidExpr, NestedMeta},
};
use proc_macro2::{Ident, Span};
use syn::{Expr, Meta};

use crate::{errors::Errors, nearest::nearest, parse::Written};

/// An option of an attribute.
#[derive(Default)]
pub enum Opt<T> {
    #[default]
    Absent,
    /// It was meant, but is misspelt or has no value that could be read. That is reported already.
    Lost,
    /// Its value is wrong.
    Failed {
        name: Ident,
        error: syn::Error,
    },
    Given {
        name: Ident,
        value: T,
    },
}

impl<T> Opt<T> {
    /// What depends on the option being absent holds only if nobody tried to give it.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// It was meant, and what it says is not known.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Lost | Self::Failed { .. })
    }

    /// The name as written, where it is right.
    pub fn name(&self) -> Option<&Ident> {
        match self {
            Self::Absent | Self::Lost => None,
            Self::Failed { name, .. } | Self::Given { name, .. } => Some(name),
        }
    }

    /// The value; what is wrong with it is reported here.
    pub fn value(self, errors: &mut Errors) -> Option<T> {
        match self {
            Self::Absent | Self::Lost => None,
            Self::Failed { error, .. } => {
                errors.add(error);
                None
            }
            Self::Given { value, .. } => Some(value),
        }
    }
}

/// A value that fails is a value too: `darling` would drop the whole struct, and with it all later rules.
impl<T: FromMeta> FromMeta for Opt<T> {
    fn from_none() -> Option<Self> {
        Some(Self::Absent)
    }

    fn from_invalid_expr(_: &MetaNameValueInvalidExpr) -> darling::Result<Self> {
        Ok(Self::Lost)
    }

    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Some(name) = item.path().get_ident().cloned() else {
            return Ok(Self::Lost);
        };
        Ok(match T::from_meta(item) {
            Ok(value) => Self::Given { name, value },
            Err(error) => Self::Failed {
                error: placed(&error, item),
                name,
            },
        })
    }
}

/// `darling` keeps only one span. A mistake without one is about the whole value, however many tokens that has.
fn placed(error: &darling::Error, item: &Meta) -> syn::Error {
    match (error.explicit_span(), item) {
        (Some(span), _) => syn::Error::new(span, error),
        (None, Meta::NameValue(pair)) => syn::Error::new_spanned(ungrouped(&pair.value), error),
        (None, Meta::List(list)) => syn::Error::new(list.delimiter.span().join(), error),
        (None, Meta::Path(name)) => syn::Error::new_spanned(name, error),
    }
}

/// The options of one attribute, made by [`options!`].
pub trait Options: FromMeta + Default {
    /// Each with other words for it.
    const KNOWN: &'static [(&'static str, &'static [&'static str])];
    /// What is decided, and not supported yet.
    const LATER: &'static [&'static str];
}

/// The struct of an attribute's options, and their names from its fields. A field that no rule reads stops the
/// build of this crate.
macro_rules! options {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $($field:ident $(as $word:tt)?: $value:ty $(, also $synonyms:tt)?;)*
        }
        later $later:expr
    ) => {
        $(#[$doc])*
        #[derive(Default, darling::FromMeta)]
        #[deny(dead_code)]
        pub struct $name {
            $(
                $(#[darling(rename = $word)])?
                pub $field: $crate::model::option::Opt<$value>,
            )*
        }

        impl $crate::model::option::Options for $name {
            const KNOWN: &'static [(&'static str, &'static [&'static str])] = &[$((
                $crate::model::option::options!(@name $field $($word)?),
                &$crate::model::option::options!(@also $($synonyms)?),
            )),*];
            const LATER: &'static [&'static str] = &$later;
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $word:tt) => { $word };
    (@also) => { [] };
    (@also $synonyms:tt) => { $synonyms };
}
pub(crate) use options;

/// Judges names and duplicates, and reads the rest.
pub fn read<O: Options>(written: Vec<Written>, errors: &mut Errors) -> O {
    let mut items: Vec<NestedMeta> = Vec::new();
    let mut given: Vec<String> = Vec::new();
    let mut meant = Vec::new();
    for Written { name, item } in written {
        let text = name.to_string();
        if O::LATER.contains(&text.as_str()) {
            errors.on(name, format!("`{text}` is not supported yet; leave it out"));
        } else if !O::KNOWN.iter().any(|(known, _)| *known == text) {
            let near = known_as::<O>(&text);
            meant.extend(near.map(|near| Ident::new(near, name.span())));
            let fix = near.map_or_else(
                || "leave it out".to_owned(),
                |near| format!("write `{near}`"),
            );
            errors.on(name, format!("there is no option `{text}`; {fix}"));
        } else if given.contains(&text) {
            errors.on(name, format!("`{text}` is given twice; keep one"));
        } else {
            given.push(text);
            items.push(item);
        }
    }
    for name in meant {
        if !given.contains(&name.to_string()) {
            given.push(name.to_string());
            items.push(Written::lost(name).item);
        }
    }
    O::from_list(&items).unwrap_or_else(|_| {
        // Not reached: names are known, none stands twice, and no value fails.
        errors.at(
            Span::call_site(),
            "the options of this attribute cannot be read",
        );
        O::default()
    })
}

/// The option that a word was meant to be.
fn known_as<O: Options>(word: &str) -> Option<&'static str> {
    let synonym = O::KNOWN
        .iter()
        .find(|(_, synonyms)| synonyms.contains(&word));
    synonym
        .map(|(known, _)| *known)
        .or_else(|| nearest(word, O::KNOWN.iter().map(|(known, _)| *known)))
}

/// A mistake in the name of an option.
pub fn at_name(item: &Meta, message: impl std::fmt::Display) -> darling::Error {
    darling::Error::custom(message).with_span(item.path())
}

/// A mistake in all of a value.
pub fn wrong(message: impl std::fmt::Display) -> darling::Error {
    darling::Error::custom(message)
}

/// The name of the option, for messages.
pub fn name_of(item: &Meta) -> String {
    item.path()
        .get_ident()
        .map(Ident::to_string)
        .unwrap_or_default()
}

/// What stands after the `=`, without the invisible group that a `macro_rules!` variable leaves around it.
/// `example` is a value as one would write it.
pub fn expr<'a>(item: &'a Meta, example: &str) -> darling::Result<&'a Expr> {
    let name = name_of(item);
    match item {
        Meta::NameValue(pair) if matches!(pair.value, Expr::Verbatim(_)) => Err(wrong(format!(
            "this is no value of `{name}`; write one such as {name} = {example}"
        ))),
        Meta::NameValue(pair) => Ok(ungrouped(&pair.value)),
        Meta::Path(_) => Err(at_name(
            item,
            format!("`{name}` takes a value; write {name} = {example}"),
        )),
        Meta::List(list) => {
            let written = syn::parse2::<syn::Lit>(list.tokens.clone());
            let value = written.map_or_else(|_| example.to_owned(), |_| list.tokens.to_string());
            Err(wrong(format!(
                "parentheses after `{name}`; write {name} = {value}"
            )))
        }
    }
}

/// The words that stand side by side where one value is to be, as written and in one.
pub fn words_of(item: &Meta) -> Option<String> {
    let Meta::NameValue(pair) = item else {
        return None;
    };
    let Expr::Verbatim(several) = &pair.value else {
        return None;
    };
    let words = several.clone().into_iter().map(|token| token.to_string());
    Some(words.collect::<Vec<_>>().join(" "))
}

pub fn ungrouped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => ungrouped(&group.expr),
        other => other,
    }
}
