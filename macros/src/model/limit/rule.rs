//! Which limit: a kind, numbers in place, or one that is worked out per call.
use proc_macro2::{Ident, Span};
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{is_negative, whole};
use crate::{
    errors::{Errors, instead},
    function::{Function, identifiers},
    model::{
        duration::{self, Length},
        key::is_free,
        options::{Known, Options},
        signature::{self, plain, text},
    },
};

const KINDS: [&str; 4] = ["API", "GENERATION", "AUTH", "PUBLIC"];
/// Beyond this the arithmetic of the scripts is no longer exact.
const MOST_UNITS: u64 = 1_000_000_000_000_000;

#[derive(PartialEq)]
pub enum Rule {
    /// One of the runtime's own.
    BuiltIn(Ident),
    /// A constant of the user's.
    Kind(Expr),
    /// Named by the function and its numbers.
    Anonymous {
        algorithm: Algorithm,
        units: Units,
        window: Length,
    },
    PerCall(Expr),
}

#[derive(Clone, Copy, PartialEq)]
pub enum Algorithm {
    SlidingWindow,
    FixedWindow,
    TokenBucket,
}

#[derive(PartialEq)]
pub enum Units {
    Known(u64),
    /// Left to the compiler, which works it out in a `const`.
    Const(Box<Expr>),
}

impl Rule {
    /// An item can hold it, so that it is checked even where the function is never built.
    pub fn is_item(&self) -> bool {
        // A single letter may be a parameter of the function or of the `impl` around it.
        let is_constant = |expr: &Expr| matches!(expr, Expr::Path(path) if is_free(path) && path.path.get_ident().is_none_or(|name| name.to_string().len() > 1));
        match self {
            Self::BuiltIn(_) => true,
            Self::Kind(expr) => is_constant(expr),
            Self::Anonymous { units, window, .. } => {
                let units = match units {
                    Units::Known(_) => true,
                    Units::Const(expr) => is_constant(expr),
                };
                let window = match window {
                    Length::Known(_) => true,
                    Length::Const(expr) => is_constant(expr),
                };
                units && window
            }
            Self::PerCall(_) => false,
        }
    }
}

/// `is_whole`: nothing of the attribute was lost to another mistake.
pub fn read(
    options: &mut Options,
    function: &Function,
    is_whole: bool,
    errors: &mut Errors,
) -> Option<Rule> {
    let limit = options.name_of("limit").cloned();
    let per = options.name_of("per").cloned();
    let algorithm = options.name_of("algorithm").cloned();
    if options.name_of("kind").is_some() {
        if let Some(limit) = limit {
            errors.on(
                limit,
                "`limit` beside `kind`; keep one of them, or write two attributes",
            );
        } else {
            for name in [per, algorithm].into_iter().flatten() {
                errors.on(
                    &name,
                    format!("a kind has its own numbers; leave `{name}` out"),
                );
            }
        }
        return kind(options, function, errors);
    }
    let Some(limit) = limit else {
        let is_missing = is_whole && !options.was_meant("limit") && !options.was_meant("kind");
        match per.as_ref().or(algorithm.as_ref()) {
            _ if !is_missing => {}
            Some(name) => errors.on(
                name,
                format!("`{name}` without `limit`; write limit = 5 beside it"),
            ),
            None => errors.at(
                Span::call_site(),
                "the limit is missing; write kind = \"API\", or limit = 5, per = \"1h\"",
            ),
        }
        // Their own mistakes are no consequence of that.
        self::window(options, function, errors);
        self::algorithm(options, errors);
        return None;
    };
    if per.is_some() || options.was_meant("per") {
        return anonymous(options, function, errors);
    }
    let expr = options.expr("limit", "limit = 5, per = \"1h\"", errors)?;
    let is_number = matches!(
        expr,
        Expr::Lit(ExprLit {
            lit: Lit::Int(_),
            ..
        })
    );
    if !is_number {
        return per_call(expr, algorithm, errors);
    }
    if is_whole {
        errors.on(limit, "`limit` without `per`; write per = \"1h\" beside it");
    }
    self::algorithm(options, errors);
    None
}

fn kind(options: &mut Options, function: &Function, errors: &mut Errors) -> Option<Rule> {
    const WANTED: &str = "kind = \"API\", or the path of a `Limit` constant, such as kind = EXPORT";
    match options.expr("kind", WANTED, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) => built_in(&literal, errors).map(Rule::BuiltIn),
        path @ Expr::Path(_) => {
            if let Some(name) = argument_in(&path, function) {
                errors.on(
                    &path,
                    format!(
                        "`{name}` is an argument, known too late for a kind; write limit = {name}"
                    ),
                );
                return None;
            }
            Some(Rule::Kind(path))
        }
        call @ (Expr::Call(_) | Expr::MethodCall(_)) => {
            errors.on(
                &call,
                "`kind` takes a name or a constant; write `limit = ` before this `Limit`",
            );
            None
        }
        other => {
            errors.on(
                other,
                format!("`kind` takes a name or a constant; write {WANTED}"),
            );
            None
        }
    }
}

fn built_in(literal: &LitStr, errors: &mut Errors) -> Option<Ident> {
    let name = literal.value();
    if KINDS.contains(&name.as_str()) {
        return Some(Ident::new(&name, literal.span()));
    }
    let near = instead(&name.to_uppercase(), &KINDS, '"').unwrap_or_default();
    let custom = if near.contains(" or ") {
        "; a kind of your own is a constant, such as kind = EXPORT"
    } else {
        ""
    };
    errors.on(
        literal,
        format!("there is no kind \"{name}\"; {near}{custom}"),
    );
    None
}

fn anonymous(options: &mut Options, function: &Function, errors: &mut Errors) -> Option<Rule> {
    let units = units(options, function, errors);
    let window = window(options, function, errors);
    let algorithm = algorithm(options, errors);
    Some(Rule::Anonymous {
        algorithm: algorithm?,
        units: units?,
        window: window?,
    })
}

fn window(options: &mut Options, function: &Function, errors: &mut Errors) -> Option<Length> {
    let window = duration::option(options, "per", errors)?;
    if let Length::Const(expr) = &window {
        check_constant(expr, function, errors);
    }
    Some(window)
}

fn units(options: &mut Options, function: &Function, errors: &mut Errors) -> Option<Units> {
    const WANTED: &str = "limit = 5";
    let number = match options.expr("limit", WANTED, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number,
        wrong if matches!(wrong, Expr::Lit(_)) || is_negative(&wrong) => {
            errors.on(
                wrong,
                format!("`limit` takes a whole number; write {WANTED}"),
            );
            return None;
        }
        expr => {
            check_constant(&expr, function, errors);
            return Some(Units::Const(Box::new(expr)));
        }
    };
    match whole(&number) {
        0 => errors.on(&number, "a limit of 0 refuses every call; write at least 1"),
        units if units > MOST_UNITS => errors.on(
            &number,
            "a limit is at most 1_000_000_000_000_000; write a lower one",
        ),
        units => return Some(Units::Known(units)),
    }
    None
}

/// `None` is a mistake.
fn algorithm(options: &mut Options, errors: &mut Errors) -> Option<Algorithm> {
    const ALGORITHMS: Known = Known {
        here: &["sliding_window", "fixed_window", "token_bucket"],
        later: &[],
    };
    if options.name_of("algorithm").is_none() {
        return Some(Algorithm::SlidingWindow);
    }
    let name = options.choice("algorithm", &ALGORITHMS, errors)?;
    Some(match name.as_str() {
        "fixed_window" => Algorithm::FixedWindow,
        "token_bucket" => Algorithm::TokenBucket,
        _ => Algorithm::SlidingWindow,
    })
}

fn per_call(expr: Expr, algorithm: Option<Ident>, errors: &mut Errors) -> Option<Rule> {
    if matches!(expr, Expr::Lit(_)) || is_negative(&expr) {
        errors.on(
            expr,
            "`limit` takes a whole number or a `Limit`; write limit = 5, per = \"1h\"",
        );
        return None;
    }
    if let Some(algorithm) = algorithm {
        errors.on(
            algorithm,
            "a `Limit` has its own algorithm; leave this out, or write a number and `per`",
        );
    }
    Some(Rule::PerCall(expr))
}

fn check_constant(expr: &Expr, function: &Function, errors: &mut Errors) {
    if let Some(name) = argument_in(expr, function) {
        errors.on(expr, format!("`{name}` is an argument, known too late for this; write a constant, or limit = {} without `per` if it is a `Limit`", text(expr)));
    }
}

/// An argument that the expression names.
fn argument_in(expr: &Expr, function: &Function) -> Option<String> {
    let mentioned = identifiers(expr);
    let mut names = signature::arguments(&function.sig)
        .into_iter()
        .flat_map(|argument| argument.names)
        .map(|name| plain(&name));
    names.find(|name| mentioned.contains(name))
}
