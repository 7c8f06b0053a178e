//! The values of options that more than one attribute has, or that are one token.
use darling::FromMeta;
use proc_macro2::Ident;
use syn::{
    Expr, ExprLit, ExprPath, Lit, LitStr, Meta, Path, Token, ext::IdentExt, parse::Parser,
    parse_quote, punctuated::Punctuated,
};

use super::{
    number,
    option::{at_name, expr, name_of, wrong},
};
use crate::tokens::text;

/// `in_impl`
pub struct Word;

impl FromMeta for Word {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::Path(_) => Ok(Self),
            _ => Err(at_name(
                item,
                format!("`{}` takes no value; write it alone", name_of(item)),
            )),
        }
    }
}

/// `key = "<user_id>"`
pub struct Text(pub LitStr);

impl FromMeta for Text {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let example = "\"<user_id>\"";
        let expr = expr(item, example)?;
        string(expr).cloned().map(Self).ok_or_else(|| {
            let name = name_of(item);
            wrong(format!("`{name}` takes a string; write {name} = {example}"))
        })
    }
}

pub fn string(expr: &Expr) -> Option<&LitStr> {
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => Some(literal),
        _ => None,
    }
}

/// The path in `"my_crate::millpond"`, which needs no quotes.
fn quoted_path(expr: &Expr) -> Option<String> {
    string(expr)?.parse::<Path>().ok().map(text)
}

/// `null = false`
pub struct Switch(pub bool);

impl FromMeta for Switch {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        if let Expr::Lit(ExprLit {
            lit: Lit::Bool(switch),
            ..
        }) = expr(item, "false")?
        {
            return Ok(Self(switch.value));
        }
        let name = name_of(item);
        Err(wrong(format!(
            "`{name}` takes true or false; write {name} = false"
        )))
    }
}

/// Where the runtime is.
pub struct Runtime(pub Path);

impl Default for Runtime {
    fn default() -> Self {
        Self(parse_quote!(::millpond))
    }
}

impl FromMeta for Runtime {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let example = "my_crate::millpond";
        let name = name_of(item);
        match expr(item, example)? {
            Expr::Path(path) if path.qself.is_none() => Ok(Self(path.path.clone())),
            other => {
                let path = quoted_path(other).unwrap_or_else(|| example.to_owned());
                Err(wrong(format!(
                    "`{name}` takes the path of the millpond crate, without quotes; write {name} = {path}"
                )))
            }
        }
    }
}

/// The `Millpond` to use instead of the current one.
pub struct Pond(pub Expr);

impl FromMeta for Pond {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let example = "self.pond";
        match expr(item, example)? {
            Expr::Lit(_) => {
                let name = name_of(item);
                Err(wrong(format!(
                    "`{name}` takes the Millpond to use; write an expression such as {name} = {example}"
                )))
            }
            other => Ok(Self(other.clone())),
        }
    }
}

/// `when = page < 10`
pub struct Condition(pub Expr);

impl FromMeta for Condition {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let condition = expr(item, "page < 10")?;
        let Some(text) = string(condition) else {
            return Ok(Self(condition.clone()));
        };
        let name = name_of(item);
        let meant = syn::parse_str::<Expr>(&text.value());
        let meant = meant.map_or_else(|_| "page < 10".to_owned(), |_| text.value());
        Err(wrong(format!(
            "`{name}` takes an expression without quotes; write {name} = {meant}"
        )))
    }
}

/// The function that an option takes, by its path or as a closure.
fn function(item: &Meta, signature: &str, example: &str) -> darling::Result<Expr> {
    match expr(item, example)? {
        function @ (Expr::Path(_) | Expr::Closure(_)) => Ok(function.clone()),
        other => {
            let name = name_of(item);
            let path = quoted_path(other).unwrap_or_else(|| example.to_owned());
            Err(wrong(format!(
                "`{name}` takes a function; write the path of a `{signature}`, such as {name} = {path}"
            )))
        }
    }
}

/// `unless = Vec::is_empty`
pub struct Predicate(pub Expr);

impl FromMeta for Predicate {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        function(item, "fn(&T) -> bool", "Vec::is_empty").map(Self)
    }
}

/// `jitter = 0.1`
pub struct Fraction(pub f64);

impl FromMeta for Fraction {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let expr = expr(item, "0.1")?;
        let name = name_of(item);
        if number::is_negative(expr) {
            return Err(wrong(format!(
                "`{name}` cannot be negative; write {name} = 0.1"
            )));
        }
        match number::fraction(expr) {
            Some(fraction) if fraction <= 1.0 => Ok(Self(fraction)),
            Some(_) => Err(wrong(format!(
                "`{name}` is over 1; write a fraction such as {name} = 0.1"
            ))),
            None => Err(wrong(format!(
                "`{name}` takes a fraction; write {name} = 0.1"
            ))),
        }
    }
}

/// `ttl_of = Token::lifetime`
pub struct Lifetime(pub Expr);

impl FromMeta for Lifetime {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        function(item, "fn(&T) -> Duration", "Token::lifetime").map(Self)
    }
}

/// `tags_of = Post::tags`
pub struct ValueTags(pub Expr);

impl FromMeta for ValueTags {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        function(item, "fn(&T) -> Vec<Tag>", "Post::tags").map(Self)
    }
}

/// `shares = get_user`
pub struct Shared(pub ExprPath);

impl FromMeta for Shared {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let example = "get_user";
        let expr = expr(item, example)?;
        if let Expr::Path(path) = expr {
            return Ok(Self(path.clone()));
        }
        let name = name_of(item);
        let path = quoted_path(expr).unwrap_or_else(|| example.to_owned());
        Err(wrong(format!(
            "`{name}` takes the path of a cached function; write {name} = {path}"
        )))
    }
}

/// `version = 2`
pub struct Version(pub u32);

impl FromMeta for Version {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let expr = expr(item, "2")?;
        let number = number::literal(expr).and_then(|number| number.base10_parse().ok());
        number.map(Self).ok_or_else(|| {
            let name = name_of(item);
            let number = number::quoted(expr).unwrap_or_else(|| "2".to_owned());
            wrong(format!(
                "`{name}` takes a whole number; write {name} = {number}"
            ))
        })
    }
}

/// `skip(pool, trace_id)`, with `self` and `Self` among them.
#[derive(Default)]
pub struct Names(pub Vec<Ident>);

impl FromMeta for Names {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let fix = |names: &str| {
            format!("`{name}` takes names of arguments in parentheses; write {name}({names})")
        };
        let example = fix("pool, trace_id");
        let list = match item {
            Meta::List(list) => list,
            Meta::NameValue(pair) => {
                return Err(wrong(match &pair.value {
                    Expr::Path(path) => fix(&text(path)),
                    _ => example,
                }));
            }
            Meta::Path(_) => return Err(at_name(item, example)),
        };
        let names = Punctuated::<Ident, Token![,]>::parse_terminated_with;
        let names = (|content: syn::parse::ParseStream<'_>| names(content, Ident::parse_any))
            .parse2(list.tokens.clone())
            .map_err(|error| wrong(&example).with_span(&error.span()))?;
        if names.is_empty() {
            return Err(at_name(item, example));
        }
        Ok(Self(names.into_iter().collect()))
    }
}

/// The name of something that stands beside the function: `"name"`, `false`, or `true` for the usual one.
pub enum Beside {
    Usual,
    Nothing,
    Named(Ident),
}

impl FromMeta for Beside {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let fix = |word: &str| format!("write {name} = \"{word}\", or {name} = false");
        match expr(item, "\"users\"")? {
            Expr::Lit(ExprLit {
                lit: Lit::Bool(wants),
                ..
            }) if wants.value => Ok(Self::Usual),
            Expr::Lit(ExprLit {
                lit: Lit::Bool(_), ..
            }) => Ok(Self::Nothing),
            Expr::Lit(ExprLit {
                lit: Lit::Str(literal),
                ..
            }) => literal.parse::<Ident>().map(Self::Named).map_err(|_| {
                let word = literal.value();
                wrong(format!(
                    "\"{word}\" cannot be a name in Rust; {}",
                    fix(&as_name(&word))
                ))
            }),
            other => {
                let word = match other {
                    Expr::Path(ExprPath { path, .. }) => path.get_ident().map(ToString::to_string),
                    _ => None,
                };
                let fix = fix(word.as_deref().unwrap_or("users"));
                Err(wrong(format!(
                    "`{name}` takes a name in quotes or false; {fix}"
                )))
            }
        }
    }
}

/// The name that is nearest to the text.
fn as_name(text: &str) -> String {
    let word: String = text
        .trim()
        .chars()
        .map(|character| {
            if character.is_alphanumeric() {
                character
            } else {
                '_'
            }
        })
        .collect();
    let is_name = syn::parse_str::<Ident>(&word).is_ok();
    if is_name { word } else { "users".to_owned() }
}
