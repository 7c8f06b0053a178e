//! The constant part of a cached function: prefix, lifetimes, version, stored form.
use std::collections::HashSet;

use proc_macro2::{Ident, Span};
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{
    companion::stem,
    duration::{self, Length},
    key::{self, Prefix},
    options::{Known, Options},
    signature::{Argument, plain},
};
use crate::{errors::Errors, function::identifiers};

/// The constant part.
pub struct Site {
    pub prefix: Prefix,
    pub ttl: Length,
    pub null: Null,
    pub version: Option<u32>,
    pub flight: bool,
    pub compress: bool,
    pub encrypt: bool,
}

pub enum Null {
    /// For as long as the runtime thinks right: a minute.
    Default,
    Kept(Length),
    NotKept,
}

/// `is_whole` is false where a part of the attribute could not be read, which may have been the prefix.
pub fn check(
    options: &mut Options,
    name: &Ident,
    arguments: &[Argument],
    is_whole: bool,
    errors: &mut Errors,
) -> Site {
    // Where there is none, there is an error, and nothing is made of this.
    let none = || Prefix::Literal(LitStr::new("", name.span()));
    let site = Site {
        prefix: prefix(options, name, is_whole, errors).unwrap_or_else(none),
        ttl: duration::option(options, "ttl", errors).unwrap_or(Length::Known(duration::MEDIUM)),
        null: null(options, errors),
        version: version(options, errors),
        flight: flight(options, errors),
        compress: options.word("compress", errors),
        encrypt: options.word("encrypt", errors),
    };
    check_constants(&site, arguments, errors);
    site
}

fn prefix(
    options: &mut Options,
    name: &Ident,
    is_whole: bool,
    errors: &mut Errors,
) -> Option<Prefix> {
    let wanted = format!("prefix = \"{}\"", stem(&plain(name)));
    if options.name_of("prefix").is_none() {
        if is_whole && !options.was_meant("prefix") {
            errors.at(
                Span::call_site(),
                format!("the prefix is missing; write {wanted}"),
            );
        }
        return None;
    }
    match options.expr("prefix", &wanted, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => {
            key::check_prefix(&literal, errors);
            Some(Prefix::Literal(literal))
        }
        Expr::Path(path) => Some(Prefix::Const(path)),
        other => {
            errors.on(
                other,
                format!("`prefix` takes a string or the path of a constant; write {wanted}"),
            );
            None
        }
    }
}

fn null(options: &mut Options, errors: &mut Errors) -> Null {
    let null = options.expr("null", "null = false", errors);
    let ttl_name = options.name_of("null_ttl").cloned();
    let ttl = duration::option(options, "null_ttl", errors);
    match null {
        Some(Expr::Lit(ExprLit {
            lit: Lit::Bool(kept),
            ..
        })) if !kept.value => {
            if let Some(name) = ttl_name {
                errors.on(
                    name,
                    "`null_ttl` has nothing to say beside null = false; leave one of them out",
                );
            }
            return Null::NotKept;
        }
        Some(Expr::Lit(ExprLit {
            lit: Lit::Bool(_), ..
        }))
        | None => {}
        Some(other) => errors.on(other, "`null` takes true or false; write null = false"),
    }
    ttl.map_or(Null::Default, Null::Kept)
}

fn flight(options: &mut Options, errors: &mut Errors) -> bool {
    const FLIGHTS: Known = Known {
        here: &["process", "off"],
        later: &["cluster"],
    };
    options
        .choice("flight", &FLIGHTS, errors)
        .is_none_or(|choice| choice != "off")
}

fn version(options: &mut Options, errors: &mut Errors) -> Option<u32> {
    let expr = options.expr("version", "version = 2", errors)?;
    if let Expr::Lit(ExprLit {
        lit: Lit::Int(number),
        ..
    }) = &expr
        && let Ok(version) = number.base10_parse()
    {
        return Some(version);
    }
    errors.on(expr, "`version` takes a whole number; write version = 2");
    None
}

/// Prefix and lifetimes are worked out once, by the compiler.
fn check_constants(site: &Site, arguments: &[Argument], errors: &mut Errors) {
    let names = arguments
        .iter()
        .flat_map(|argument| &argument.names)
        .collect::<Vec<_>>();
    let lengths = site.constant_lengths().filter_map(|length| match length {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    });
    let prefix = match &site.prefix {
        Prefix::Const(path) => path.path.get_ident(),
        Prefix::Literal(_) => None,
    };
    for name in lengths.chain(prefix).filter(|name| names.contains(name)) {
        errors.on(
            name,
            format!("`{name}` is an argument, known too late for this; write a constant"),
        );
    }
}

impl Site {
    /// Holds what only the compiler can check (constants of the user's, features of the runtime), and an item
    /// can hold it as well, to have it checked even where the function is never built.
    pub fn is_checked_early(&self) -> bool {
        let lengths = self
            .constant_lengths()
            .map(|length| matches!(length, Expr::Path(path) if key::is_free(path)));
        let prefix = match &self.prefix {
            Prefix::Const(path) => Some(key::is_free(path)),
            Prefix::Literal(_) => None,
        };
        let mut constants = lengths.chain(prefix).peekable();
        let is_featured = self.compress || self.encrypt;
        (is_featured || constants.peek().is_some()) && constants.all(|is_free| is_free)
    }

    fn constant_lengths(&self) -> impl Iterator<Item = &Expr> {
        let null = match &self.null {
            Null::Kept(length) => Some(length),
            Null::Default | Null::NotKept => None,
        };
        [&self.ttl]
            .into_iter()
            .chain(null)
            .filter_map(|length| match length {
                Length::Const(expr) => Some(&**expr),
                Length::Known(_) => None,
            })
    }

    /// The names that stand in it.
    pub fn mentions(&self) -> HashSet<String> {
        let mut found: HashSet<String> = self.constant_lengths().flat_map(identifiers).collect();
        if let Prefix::Const(path) = &self.prefix {
            found.extend(identifiers(path));
        }
        found
    }
}
