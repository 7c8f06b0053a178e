//! For how long a value may be used after its lifetime, and when it is loaded again before that ends.
use darling::FromMeta;
use proc_macro2::{Ident, Span};
use syn::{Expr, ExprLit, Lit, Meta};

use super::{
    duration::Length,
    number,
    option::{Opt, expr, name_of, wrong},
};
use crate::errors::Errors;

/// When a value is loaded again before its lifetime ends.
#[derive(Clone, Copy)]
pub enum Ahead {
    /// From this fraction of the lifetime on.
    From(f64),
    /// At random, by the length of the body.
    AtRandom,
}

impl FromMeta for Ahead {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let expr = expr(item, "0.8")?;
        let name = name_of(item);
        let fix = format!("write {name} = 0.8, or {name} = \"xfetch\"");
        if number::is_negative(expr) {
            return Err(wrong(format!("`{name}` cannot be negative; {fix}")));
        }
        if let Expr::Lit(ExprLit {
            lit: Lit::Str(word),
            ..
        }) = expr
            && word.value() == "xfetch"
        {
            return Ok(Self::AtRandom);
        }
        match number::fraction(expr) {
            Some(0.0) => Err(wrong(format!(
                "`{name}` is 0, so that every call would load again; {fix}"
            ))),
            Some(fraction) if fraction < 1.0 => Ok(Self::From(fraction)),
            Some(1.0) => Err(wrong(format!(
                "`{name}` is 1, which is when the lifetime is over; {fix}"
            ))),
            Some(_) => Err(wrong(format!("`{name}` is over 1; {fix}"))),
            None => Err(wrong(format!(
                "`{name}` takes a fraction of the lifetime; {fix}"
            ))),
        }
    }
}

/// The options, before they are judged.
pub struct Given {
    pub while_revalidate: Opt<Length>,
    pub if_error: Opt<Length>,
    pub soft_timeout: Opt<Length>,
    pub ahead: Opt<Ahead>,
}

/// Part of the description of the function.
pub struct Windows {
    /// The first of the options, as written.
    pub option: Ident,
    pub while_revalidate: Option<Length>,
    pub if_error: Option<Length>,
    pub soft_timeout: Option<Length>,
    pub ahead: Option<Ahead>,
}

impl Windows {
    pub fn lengths(&self) -> impl Iterator<Item = &Length> {
        let windows = [&self.while_revalidate, &self.if_error, &self.soft_timeout];
        windows.into_iter().flatten()
    }
}

/// Nothing where the function has none of the options.
pub fn check(given: Given, errors: &mut Errors) -> Option<Windows> {
    let names = [
        given.while_revalidate.name(),
        given.if_error.name(),
        given.ahead.name(),
    ];
    let first = names.into_iter().flatten().next().cloned();
    let lost = given.if_error.is_broken();
    let (soft, error) = (
        given.soft_timeout.name().cloned(),
        given.if_error.name().cloned(),
    );
    let none = || Ident::new("stale_if_error", Span::call_site());
    let windows = Windows {
        option: first.clone().unwrap_or_else(none),
        while_revalidate: given.while_revalidate.value(errors),
        if_error: given.if_error.value(errors),
        soft_timeout: given.soft_timeout.value(errors),
        ahead: given.ahead.value(errors),
    };
    if let (Some(soft), None, false) = (&soft, &windows.if_error, lost) {
        let message = format!(
            "`{soft}` needs an old value to return; add stale_if_error = \"1h\", or leave it out"
        );
        errors.on(soft, message);
    }
    if let (Some(name), Some(Length::Known(error)), Some(Length::Known(revalidate))) =
        (&error, &windows.if_error, &windows.while_revalidate)
        && error <= revalidate
    {
        let message = format!(
            "`{name}` has no effect, since stale_while_revalidate lasts as long; write a longer one, or leave it out"
        );
        errors.on(name, message);
    }
    first.map(|_| windows)
}
