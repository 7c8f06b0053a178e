//! `#[rate_limited]`: who is limited, at what cost, and how a refusal leaves the function.
use darling::FromMeta;
use proc_macro2::{Ident, TokenStream};
use syn::{Expr, LitInt, Meta, Path, Type, TypeParamBound, visit_mut::VisitMut};

use super::{
    choice::choice,
    duration::Length,
    number::{self, is_negative, whole},
    option::{self, expr, name_of, options, wrong},
    output,
    refused::Refused,
    signature::{self, Place},
    spelling::Scope,
    value::{Pond, Runtime},
};
use crate::{errors::Errors, function::Function, parse, tokens::text};

pub mod mark;
pub mod rule;

pub use mark::Mark;
use rule::{Algorithm, Amount, Kind, Rule, Units};

options! {
    /// The options of `#[rate_limited]`.
    pub struct Given {
        kind: Kind, also ["name", "prefix", "bucket", "limiter", "tier", "plan", "policy", "category"];
        limit: Amount, also ["max", "requests", "max_requests", "calls", "max_calls", "rate", "quota", "count", "capacity", "burst", "limits"];
        per: Length, also ["window", "window_secs", "period", "interval", "every", "duration", "within", "ttl", "time", "seconds", "secs"];
        algorithm: Algorithm, also ["strategy", "algo", "method", "mode", "type"];
        id: Id, also ["key", "by", "user", "user_id", "ip", "caller", "who", "identify", "identifier", "identity", "subject"];
        cost: Cost, also ["units", "tokens", "weight", "points", "price"];
        on_outage: OnOutage, also ["on_error", "fallback", "fail_open", "fail_closed", "on_failure", "failure_mode", "outage"];
        on: Pond, also ["pond", "client", "store", "redis", "pool", "backend", "connection", "conn", "db", "database", "with"];
        runtime as "crate": Runtime, also ["crate_path"];
    }
    later []
}

/// Everything that the generated code says.
pub struct Limited {
    pub runtime: Path,
    pub function: Function,
    pub answer: Answer,
    pub rule: Rule,
    /// An item can hold the limit, so that it is checked even where the function is never built.
    pub is_checked_early: bool,
    /// What a second attribute on the same function finds of this one.
    pub mark: Mark,
    pub on_outage: Option<OnOutage>,
    pub id: Option<Expr>,
    pub cost: Option<Cost>,
    pub on: Option<Expr>,
}

/// How a refusal leaves the function.
pub enum Answer {
    /// As a value of this type, which has a `_` for each `impl Trait`.
    Value(Type),
    /// As a response: the function returns this `impl IntoResponse`.
    Response(Type),
}

choice! {
    /// What happens while the store cannot answer.
    pub enum OnOutage {
        Local = "local",
        Allow = "allow",
        Deny = "deny",
    }
    later []
}

/// `id = user_id`
pub struct Id(Expr);

impl FromMeta for Id {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let example = "user_id";
        let expr = expr(item, example)?;
        let Expr::Lit(_) = expr else {
            return Ok(Self(expr.clone()));
        };
        let name = name_of(item);
        let text = super::value::string(expr).map(syn::LitStr::value);
        let meant = text.as_deref().and_then(template);
        // A name in quotes is most likely that of an argument.
        let example = text
            .as_deref()
            .filter(|text| syn::parse_str::<Ident>(text).is_ok())
            .unwrap_or(example);
        Err(wrong(match meant {
            Some(meant) => {
                format!("`{name}` takes an expression and no template; write {name} = {meant}")
            }
            None => format!(
                "a literal is the same for every caller; write an expression such as {name} = {example}, or leave `{name}` out for one budget that all callers share"
            ),
        }))
    }
}

/// The expression that is meant with `"<user.id>"`, `"{user.id}"` or `"<org>:<user>"`; nothing if all of it is text.
fn template(text: &str) -> Option<String> {
    const OPENS: [char; 2] = ['<', '{'];
    let text = text.trim();
    let (mut format, mut arguments, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, marked)) = rest.split_once(OPENS) {
        let (inner, after) = marked.split_once(['>', '}'])?;
        // What follows the name says how a key shows it.
        let name = inner.split([':', '?']).next().unwrap_or_default();
        let meant = syn::parse_str::<Expr>(name).ok()?;
        if !matches!(meant, Expr::Path(_) | Expr::Field(_)) {
            return None;
        }
        format.extend([before, "{}"]);
        arguments.push(name);
        rest = after;
    }
    format.push_str(rest);
    match &arguments[..] {
        [] => None,
        [only] if format == "{}" => Some((*only).to_owned()),
        several => Some(format!("format!(\"{format}\", {})", several.join(", "))),
    }
}

pub enum Cost {
    Known { units: u64, written: LitInt },
    PerCall(Box<Expr>),
}

impl FromMeta for Cost {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let name = name_of(item);
        let example = format!("3, or an expression such as {name} = prompt.len()");
        let expr = expr(item, &example)?;
        match number::literal(expr) {
            Some(number) if whole(number) == 0 => Err(wrong(
                "a cost of 0 takes nothing, so nothing is limited; write at least 1",
            )),
            Some(number) => Ok(Self::Known {
                units: whole(number),
                written: number.clone(),
            }),
            None if is_negative(expr) => Err(wrong("a cost cannot be negative; write at least 1")),
            None if matches!(expr, Expr::Lit(_)) => {
                let example = number::quoted(expr).unwrap_or(example);
                Err(wrong(format!(
                    "`{name}` takes a whole number; write {name} = {example}"
                )))
            }
            None => Ok(Self::PerCall(Box::new(expr.clone()))),
        }
    }
}

pub fn check(tokens: TokenStream, function: Function) -> Result<Limited, Refused> {
    let mut errors = Errors::new();
    let written = tokens.clone();
    let read = parse::options(tokens, "kind = \"API\"", &mut errors);
    let is_partial = read.is_partial;
    let given: Given = option::read(read.options, &mut errors);
    let is_async = signature::check_async(&function, "rate_limited", &mut errors);

    let Runtime(runtime) = given.runtime.value(&mut errors).unwrap_or_default();
    let named = given.kind.name().or(given.limit.name()).cloned();
    let rule = rule::check(
        rule::Given {
            kind: given.kind,
            limit: given.limit,
            per: given.per,
            algorithm: given.algorithm,
        },
        &function,
        is_partial,
        &mut errors,
    );
    let on_outage = given.on_outage.value(&mut errors);
    let id = given.id.value(&mut errors).map(|Id(id)| id);
    let cost = given.cost.value(&mut errors);
    check_cost(cost.as_ref(), rule.as_ref(), &mut errors);
    let on = given.on.value(&mut errors).map(|Pond(on)| on);
    let mark = rule.as_ref().map(|rule| Mark::new(rule, id.as_ref()));
    check_apart(&function, mark.as_ref(), named.as_ref(), &mut errors);
    let answer = is_async.then(|| answer(&function, &mut errors)).flatten();
    let place = signature::place(&function, written, false);
    errors.finish()?;
    let (Some(rule), Some(mark), Some(answer)) = (rule, mark, answer) else {
        let message = "#[rate_limited] could not be read";
        return Err(syn::Error::new(proc_macro2::Span::call_site(), message).into());
    };
    Ok(Limited {
        runtime,
        is_checked_early: is_checked_early(&rule, &function, place),
        function,
        answer,
        rule,
        mark,
        on_outage,
        id,
        cost,
        on,
    })
}

fn is_checked_early(rule: &Rule, function: &Function, place: Place) -> bool {
    rule.is_constant(Scope::of(&function.sig, place))
}

fn check_cost(cost: Option<&Cost>, rule: Option<&Rule>, errors: &mut Errors) {
    if let (
        Some(Cost::Known { units, written }),
        Some(Rule::Anonymous {
            units: Units::Known(limit),
            ..
        }),
    ) = (cost, rule)
        && units > limit
    {
        let message = format!(
            "a call that costs {written} is never allowed by a limit of {limit}; write at most {limit}, or a higher limit"
        );
        errors.on(written, message);
    }
}

/// Anonymous limits are told apart by their numbers alone, and one limit counts one caller once.
fn check_apart(
    function: &Function,
    mark: Option<&Mark>,
    named: Option<&Ident>,
    errors: &mut Errors,
) {
    let Some(mark) = mark else {
        return;
    };
    for other in mark::found(function) {
        if !mark.is_same_limit(&other) {
            continue;
        }
        if mark.is_anonymous() {
            errors.on(named, "two limits with the same numbers on one function share one budget; give one of them a kind, such as kind = EXPORT");
        } else if mark.is_same_caller(&other) {
            errors.on(named, "the same limit twice would count every call twice; keep one, or give them another `id`");
        }
    }
}

/// Whether the type can refuse is for the compiler to say, where there is a type.
fn answer(function: &Function, errors: &mut Errors) -> Option<Answer> {
    const FIX: &str = "write `Result<_, E>`, where `E: From<millpond::RateLimited>`";
    let Some(output) = output::written(&function.sig) else {
        let name = &function.sig.ident;
        errors.on(
            name,
            format!("`{name}` returns nothing, so it cannot refuse; {FIX}"),
        );
        return None;
    };
    let Type::ImplTrait(hidden) = super::spelling::bare_type(output) else {
        let mut output = output.clone();
        Inferred.visit_type_mut(&mut output);
        return Some(Answer::Value(output));
    };
    let is_response = hidden.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            let name = bound.path.segments.last();
            name.is_some_and(|name| name.ident == "IntoResponse")
        }
        _ => false,
    });
    if !is_response {
        errors.on(output, format!("`{}` cannot refuse; {FIX}", text(output)));
        return None;
    }
    Some(Answer::Response(output.clone()))
}

/// What a body returns behind an `impl Trait`, the compiler finds out.
struct Inferred;

impl VisitMut for Inferred {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = syn::parse_quote!(_);
        }
        syn::visit_mut::visit_type_mut(self, ty);
    }
}
