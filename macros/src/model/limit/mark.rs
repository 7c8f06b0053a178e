//! What an attribute leaves in the body for the one that is expanded after it: names say nothing, since an
//! attribute can be imported under any.
use syn::{
    Expr, ItemConst,
    parse::{ParseStream, Parser},
};

use super::rule::{Algorithm, Rule, Units};
use crate::{function::Function, model::duration::Length, tokens::text};

/// A limit and its callers, as text that two attributes have in common if they mean the same.
pub struct Mark {
    pub limit: String,
    pub caller: String,
}

const ANONYMOUS: &str = "in place: ";

impl Mark {
    /// The last name of the mark's type.
    pub const TYPE: &str = "LimitMark";

    pub fn new(rule: &Rule, id: Option<&Expr>) -> Self {
        let limit = match rule {
            Rule::BuiltIn(kind) => format!("millpond::limit::{kind}"),
            Rule::Kind(expr) => text(expr),
            Rule::PerCall(expr) => format!("per call: {}", text(expr)),
            Rule::Anonymous {
                algorithm,
                units,
                window,
            } => {
                let units = match units {
                    Units::Known(units) => units.to_string(),
                    Units::Const(expr) => text(expr),
                };
                let window = match window {
                    Length::Known(window) => format!("{window:?}"),
                    Length::Const(expr) => text(expr),
                };
                let algorithm = match algorithm {
                    Algorithm::SlidingWindow => "sliding window",
                    Algorithm::FixedWindow => "fixed window",
                    Algorithm::TokenBucket => "token bucket",
                };
                format!("{ANONYMOUS}{units} per {window}, {algorithm}")
            }
        };
        let caller = id.map_or_else(String::new, text);
        Self { limit, caller }
    }

    pub fn is_anonymous(&self) -> bool {
        self.limit.starts_with(ANONYMOUS)
    }

    pub fn is_same_limit(&self, other: &Self) -> bool {
        self.limit == other.limit
    }

    pub fn is_same_caller(&self, other: &Self) -> bool {
        self.caller == other.caller
    }
}

/// The marks at the beginning of the body, of which each attribute leaves one.
pub fn found(function: &Function) -> Vec<Mark> {
    let parser = |input: ParseStream<'_>| {
        let items = items(input)?;
        input.parse::<proc_macro2::TokenStream>()?;
        Ok(items.iter().filter_map(read).collect())
    };
    parser.parse2(function.body.stream()).unwrap_or_default()
}

/// The same, as they are written; the input is behind them afterwards.
pub fn items(input: ParseStream<'_>) -> syn::Result<Vec<ItemConst>> {
    let mut items = Vec::new();
    while let Ok(item) = input.fork().parse::<ItemConst>() {
        if read(&item).is_none() {
            break;
        }
        items.push(input.parse()?);
    }
    Ok(items)
}

/// `const _: ..::LimitMark = ..::LimitMark { limit: "..", caller: ".." };`
fn read(item: &ItemConst) -> Option<Mark> {
    let Expr::Struct(mark) = &*item.expr else {
        return None;
    };
    if mark.path.segments.last()?.ident != Mark::TYPE {
        return None;
    }
    let mut texts = mark
        .fields
        .iter()
        .filter_map(|field| crate::model::value::string(&field.expr))
        .map(syn::LitStr::value);
    Some(Mark {
        limit: texts.next()?,
        caller: texts.next()?,
    })
}
