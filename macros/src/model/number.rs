//! Numbers as they are written.
use syn::{Expr, ExprLit, ExprUnary, Lit, LitInt, UnOp};

use super::option::ungrouped;

/// The number, or the highest one where it is too high.
pub fn whole(number: &LitInt) -> u64 {
    number.base10_parse().unwrap_or(u64::MAX)
}

/// `-3`
pub fn is_negative(expr: &Expr) -> bool {
    matches!(expr, Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(ungrouped(expr), Expr::Lit(_)))
}

/// `3` or `3u64`, and not `3m`.
pub fn literal(expr: &Expr) -> Option<&LitInt> {
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) if number.suffix().is_empty() || number.suffix().starts_with(['u', 'i']) => Some(number),
        _ => None,
    }
}

/// `0.1` or `1`
pub fn fraction(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit {
            lit: Lit::Float(number),
            ..
        }) => number.base10_parse().ok(),
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }) => number.base10_parse().ok(),
        _ => None,
    }
}

/// `"3"`: the number that was put in quotes.
pub fn quoted(expr: &Expr) -> Option<String> {
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = expr
    else {
        return None;
    };
    let text = text.value().trim().to_owned();
    text.parse::<u64>().is_ok().then_some(text)
}
