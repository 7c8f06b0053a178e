//! Which limit: a kind, numbers in place, or one that is worked out per call.
use darling::FromMeta;
use proc_macro2::{Ident, Span};
use syn::{Expr, LitStr, Meta};

use crate::{
    errors::Errors,
    function::Function,
    model::{
        choice::choice,
        duration::Length,
        number::{self, is_negative, whole},
        option::{Opt, expr, name_of, wrong},
        signature,
        spelling::Scope,
        value::string,
    },
    nearest::instead,
    tokens::{identifiers, plain, text},
};

const KINDS: [&str; 4] = ["API", "GENERATION", "AUTH", "PUBLIC"];
/// Beyond this the arithmetic of the scripts is no longer exact.
const MOST_UNITS: u64 = 1_000_000_000_000_000;

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

choice! {
    /// How units come back.
    pub enum Algorithm {
        SlidingWindow = "sliding_window",
        FixedWindow = "fixed_window",
        TokenBucket = "token_bucket",
    }
    later []
}

pub enum Units {
    Known(u64),
    /// Left to the compiler, which works it out in a `const`.
    Const(Box<Expr>),
}

/// `kind = "API"`, `kind = EXPORT`
pub enum Kind {
    BuiltIn(LitStr),
    Constant(Box<Expr>),
}

impl FromMeta for Kind {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let expr = expr(item, "\"API\"")?;
        if let Some(literal) = string(expr) {
            return match unknown_kind(&literal.value()) {
                None => Ok(Self::BuiltIn(literal.clone())),
                Some(message) => Err(wrong(message)),
            };
        }
        match expr {
            Expr::Path(_) => Ok(Self::Constant(Box::new(expr.clone()))),
            Expr::Call(_) | Expr::MethodCall(_) => Err(wrong(format!(
                "`{name}` takes a name or a constant; write `limit = ` before this `Limit`"
            ))),
            _ => Err(wrong(format!(
                "`{name}` takes a name or a constant; write {name} = \"API\", or the path of a `Limit` constant, such as {name} = EXPORT"
            ))),
        }
    }
}

fn unknown_kind(name: &str) -> Option<String> {
    if KINDS.contains(&name) {
        return None;
    }
    let near = instead(&name.to_uppercase(), &KINDS, '"').unwrap_or_default();
    let custom = if near.contains(" or ") {
        "; a kind of your own is a constant, such as kind = EXPORT"
    } else {
        ""
    };
    Some(format!("there is no kind \"{name}\"; {near}{custom}"))
}

/// `limit = 5`, `limit = CALLS`, `limit = plan.limit()`
pub enum Amount {
    Number(u64),
    Expr(Box<Expr>),
}

impl FromMeta for Amount {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let example = "5, per = \"1h\"";
        let expr = expr(item, example)?;
        match number::literal(expr).map(whole) {
            Some(0) => Err(wrong("a limit of 0 refuses every call; write at least 1")),
            Some(units) if units > MOST_UNITS => Err(wrong(
                "a limit is at most 1_000_000_000_000_000; write a lower one",
            )),
            Some(units) => Ok(Self::Number(units)),
            None if is_negative(expr) => Err(wrong("a limit cannot be negative; write at least 1")),
            None if matches!(expr, Expr::Lit(_)) => {
                let example = number::quoted(expr).map_or_else(
                    || example.to_owned(),
                    |number| format!("{number}, per = \"1h\""),
                );
                Err(wrong(format!(
                    "`{name}` takes a whole number or a `Limit`; write {name} = {example}"
                )))
            }
            None => Ok(Self::Expr(Box::new(expr.clone()))),
        }
    }
}

impl Rule {
    /// An item can hold it.
    pub fn is_constant(&self, scope: Scope<'_>) -> bool {
        match self {
            Self::BuiltIn(_) => true,
            Self::Kind(expr) => scope.is_constant_expr(expr),
            Self::Anonymous { units, window, .. } => {
                let units = match units {
                    Units::Known(_) => true,
                    Units::Const(expr) => scope.is_constant_number(expr),
                };
                let window = match window {
                    Length::Known(_) => true,
                    Length::Const(expr) => scope.is_constant_expr(expr),
                };
                units && window
            }
            Self::PerCall(_) => false,
        }
    }
}

/// The options that say which limit, before they are judged.
pub struct Given {
    pub kind: Opt<Kind>,
    pub limit: Opt<Amount>,
    pub per: Opt<Length>,
    pub algorithm: Opt<Algorithm>,
}

/// `is_partial`: something of the attribute could not be read at all, which may have been the limit.
pub fn check(
    given: Given,
    function: &Function,
    is_partial: bool,
    errors: &mut Errors,
) -> Option<Rule> {
    if given.kind.name().is_some() {
        check_alone(&given, errors);
        return kind(given.kind, function, errors);
    }
    if given.limit.is_absent() {
        if !is_partial && given.kind.is_absent() {
            missing(&given, errors);
        }
        // Their own mistakes are no consequence of that.
        window(given.per, function, errors);
        algorithm(given.algorithm, errors);
        return None;
    }
    if !given.per.is_absent() {
        return anonymous(given, function, errors);
    }
    alone(given, is_partial, errors)
}

/// A kind has its numbers.
fn check_alone(given: &Given, errors: &mut Errors) {
    if let Some(limit) = given.limit.name() {
        let message = "`limit` beside `kind`; keep one of them, or write two attributes";
        errors.on(limit, message);
        return;
    }
    for name in [given.per.name(), given.algorithm.name()]
        .into_iter()
        .flatten()
    {
        let message = format!("a kind has its own numbers; leave `{name}` out");
        errors.on(name, message);
    }
}

fn missing(given: &Given, errors: &mut Errors) {
    match given.per.name().or(given.algorithm.name()) {
        Some(name) => errors.on(
            name,
            format!("`{name}` without `limit`; write limit = 5 beside it"),
        ),
        None => errors.at(
            Span::call_site(),
            "the limit is missing; write kind = \"API\", or limit = 5, per = \"1h\"",
        ),
    }
}

fn kind(kind: Opt<Kind>, function: &Function, errors: &mut Errors) -> Option<Rule> {
    match kind.value(errors)? {
        Kind::BuiltIn(literal) => Some(Rule::BuiltIn(Ident::new(&literal.value(), literal.span()))),
        Kind::Constant(path) => {
            if let Some(name) = argument_in(&path, function) {
                let message = format!(
                    "`{name}` is an argument, known too late for a kind; write limit = {name}"
                );
                errors.on(&path, message);
                return None;
            }
            Some(Rule::Kind(*path))
        }
    }
}

fn anonymous(given: Given, function: &Function, errors: &mut Errors) -> Option<Rule> {
    let units = given.limit.value(errors).map(|amount| match amount {
        Amount::Number(units) => Units::Known(units),
        Amount::Expr(expr) => {
            check_constant(&expr, function, errors);
            Units::Const(expr)
        }
    });
    let window = window(given.per, function, errors);
    let algorithm = algorithm(given.algorithm, errors);
    Some(Rule::Anonymous {
        algorithm: algorithm?,
        units: units?,
        window: window?,
    })
}

/// A limit without `per` is a `Limit` of its own.
fn alone(given: Given, is_partial: bool, errors: &mut Errors) -> Option<Rule> {
    let name = given.limit.name().cloned();
    match given.limit.value(errors) {
        Some(Amount::Number(_)) if !is_partial => {
            errors.on(name, "`limit` without `per`; write per = \"1h\" beside it");
        }
        Some(Amount::Expr(limit)) => {
            if let Some(algorithm) = given.algorithm.name() {
                let message =
                    "a `Limit` has its own algorithm; leave this out, or write a number and `per`";
                errors.on(algorithm, message);
            }
            return Some(Rule::PerCall(*limit));
        }
        _ => {}
    }
    algorithm(given.algorithm, errors);
    None
}

fn window(window: Opt<Length>, function: &Function, errors: &mut Errors) -> Option<Length> {
    let window = window.value(errors)?;
    if let Length::Const(expr) = &window {
        check_constant(expr, function, errors);
    }
    Some(window)
}

/// `None` is a mistake.
fn algorithm(algorithm: Opt<Algorithm>, errors: &mut Errors) -> Option<Algorithm> {
    if algorithm.is_absent() {
        return Some(Algorithm::SlidingWindow);
    }
    algorithm.value(errors)
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
