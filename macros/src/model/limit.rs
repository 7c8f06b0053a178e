//! `#[rate_limited]`: who is limited, at what cost, and how a refusal leaves the function.
use proc_macro2::TokenStream;
use syn::{
    Attribute, Expr, ExprLit, ExprUnary, Lit, LitInt, Path, Type, UnOp, visit_mut::VisitMut,
};

use super::{
    Refused, on,
    options::{Known, Options},
    runtime,
    signature::{self, text},
};
use crate::{errors::Errors, function::Function, parse};

pub mod rule;

use rule::{Rule, Units};

const OPTIONS: Known = Known {
    here: &[
        "kind",
        "limit",
        "per",
        "algorithm",
        "id",
        "cost",
        "on_outage",
        "on",
        "crate",
    ],
    later: &[],
};
const EXAMPLE: &str = "kind = \"API\"";

/// Everything that the generated code says.
pub struct Limited {
    pub runtime: Path,
    pub function: Function,
    pub answer: Answer,
    pub rule: Rule,
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

#[derive(Clone, Copy)]
pub enum OnOutage {
    Local,
    Allow,
    Deny,
}

pub enum Cost {
    Known(u64),
    PerCall(Box<Expr>),
}

pub fn check(tokens: TokenStream, function: Function) -> Result<Limited, Refused> {
    let mut errors = Errors::new();
    let given = parse::options(tokens, EXAMPLE, &mut errors).options;
    let is_whole = errors.count() == 0;
    let mut options = Options::new(given, &OPTIONS, &mut errors);
    let is_async = signature::check_async(&function, "rate_limited", &mut errors);

    let runtime = runtime(&mut options, &mut errors);
    let rule = rule::read(&mut options, &function, is_whole, &mut errors);
    let on_outage = on_outage(&mut options, &mut errors);
    let id = id(&mut options, &mut errors);
    let cost = cost(&mut options, rule.as_ref(), &mut errors);
    let on = on(&mut options, &mut errors);
    if let Some(rule) = &rule {
        check_apart(&function, rule, id.as_ref(), &mut errors);
    }
    let answer = is_async.then(|| answer(&function, &mut errors)).flatten();
    errors.finish()?;
    let (Some(rule), Some(answer)) = (rule, answer) else {
        let message = "#[rate_limited] could not be read";
        return Err(syn::Error::new(proc_macro2::Span::call_site(), message).into());
    };
    Ok(Limited {
        runtime,
        function,
        answer,
        rule,
        on_outage,
        id,
        cost,
        on,
    })
}

fn on_outage(options: &mut Options, errors: &mut Errors) -> Option<OnOutage> {
    const POLICIES: Known = Known {
        here: &["local", "allow", "deny"],
        later: &[],
    };
    let policy = options.choice("on_outage", &POLICIES, errors)?;
    Some(match policy.as_str() {
        "allow" => OnOutage::Allow,
        "deny" => OnOutage::Deny,
        _ => OnOutage::Local,
    })
}

fn id(options: &mut Options, errors: &mut Errors) -> Option<Expr> {
    let id = options.expr("id", "id = user_id", errors)?;
    match &id {
        Expr::Lit(ExprLit {
            lit: Lit::Str(literal),
            ..
        }) if literal.value().is_empty() => {
            errors.on(
                literal,
                "an empty id is nobody; leave `id` out for one budget that all callers share",
            );
            None
        }
        _ => Some(id),
    }
}

fn cost(options: &mut Options, rule: Option<&Rule>, errors: &mut Errors) -> Option<Cost> {
    const WANTED: &str = "cost = 3, or an expression such as cost = prompt.len()";
    let number = match options.expr("cost", WANTED, errors)? {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number,
        wrong @ Expr::Lit(_) => {
            errors.on(
                wrong,
                format!("`cost` takes a whole number; write {WANTED}"),
            );
            return None;
        }
        negative if is_negative(&negative) => {
            errors.on(negative, "a cost cannot be negative; write at least 1");
            return None;
        }
        expr => return Some(Cost::PerCall(Box::new(expr))),
    };
    let units = whole(&number);
    if units == 0 {
        errors.on(
            &number,
            "a cost of 0 takes nothing, so nothing is limited; write at least 1",
        );
    } else if let Some(Rule::Anonymous {
        units: Units::Known(limit),
        ..
    }) = rule
        && units > *limit
    {
        let message = format!(
            "a call that costs {number} is never allowed {limit}; write at most {limit}, or a higher limit"
        );
        errors.on(&number, message);
    }
    Some(Cost::Known(units))
}

/// The number, or the highest one where it is too high.
fn whole(number: &LitInt) -> u64 {
    number.base10_parse().unwrap_or(u64::MAX)
}

fn is_negative(expr: &Expr) -> bool {
    matches!(expr, Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(**expr, Expr::Lit(_)))
}

/// Anonymous limits are told apart by their numbers alone, and one limit counts one caller once.
fn check_apart(function: &Function, rule: &Rule, id: Option<&Expr>, errors: &mut Errors) {
    for attr in function.attrs.iter().filter(|attr| is_rate_limited(attr)) {
        let syn::Meta::List(list) = &attr.meta else {
            continue;
        };
        // What is wrong in it, it reports by itself.
        let mut unheard = Errors::new();
        let given = parse::options(list.tokens.clone(), EXAMPLE, &mut unheard).options;
        let mut options = Options::new(given, &OPTIONS, &mut unheard);
        let names = ["limit", "kind"].map(|name| options.name_of(name).cloned());
        let other = rule::read(&mut options, function, false, &mut unheard);
        let other_id = options.expr("id", "", &mut unheard);
        drop(unheard.finish());
        if other.as_ref() != Some(rule) {
            continue;
        }
        let at = names.into_iter().flatten().next();
        if matches!(rule, Rule::Anonymous { .. }) {
            errors.on(at, "two limits with the same numbers on one function share one budget; give one of them a kind, such as kind = EXPORT");
        } else if other_id.as_ref() == id {
            errors.on(at, "the same limit twice would count every call twice; keep one, or give them another `id`");
        }
    }
}

fn is_rate_limited(attr: &Attribute) -> bool {
    let name = attr.path().segments.last();
    name.is_some_and(|name| name.ident == "rate_limited")
}

/// Whether the type can refuse is for the compiler to say, where there is a type.
fn answer(function: &Function, errors: &mut Errors) -> Option<Answer> {
    const FIX: &str = "write `Result<_, E>`, where `E: From<millpond::RateLimited>`";
    let Some(output) = signature::output(&function.sig) else {
        let name = &function.sig.ident;
        errors.on(
            name,
            format!("`{name}` returns nothing, so it cannot refuse; {FIX}"),
        );
        return None;
    };
    let Type::ImplTrait(hidden) = output else {
        let mut output = output.clone();
        Inferred.visit_type_mut(&mut output);
        return Some(Answer::Value(output));
    };
    let is_response = hidden.bounds.iter().any(|bound| match bound {
        syn::TypeParamBound::Trait(bound) => {
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
