//! A call of a rate-limited function: who, at what cost, and how a refusal leaves the function.

use crate::limit::{Group, Limit, RateLimited, admit_call};
use crate::pond::Millpond;
use crate::scope;
use std::fmt::{Display, Write};

/// One call: which limit, who, how much.
#[derive(Debug)]
pub struct LimitCall {
    limit: Limit,
    pond: Option<Millpond>,
    id: Id,
    cost: u64,
}

#[derive(Debug)]
enum Id {
    /// All callers share one budget.
    Everyone,
    Caller(String),
    /// Empty, or it did not display.
    Unknown,
}

impl LimitCall {
    /// A call at this limit, by everyone together, of one unit.
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            pond: None,
            id: Id::Everyone,
            cost: 1,
        }
    }

    /// By this caller.
    #[must_use]
    pub fn id<I: Display + ?Sized>(mut self, id: &I) -> Self {
        let mut text = String::new();
        self.id = match write!(text, "{id}") {
            Ok(()) if !text.is_empty() => Id::Caller(text),
            _ => Id::Unknown,
        };
        self
    }

    /// Of so many units.
    #[must_use]
    pub fn cost(mut self, units: impl Cost) -> Self {
        self.cost = units.units();
        self
    }

    /// In this cache instead of the current one.
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }
}

/// Lets the call through, or says why not.
pub async fn admit(call: LimitCall) -> Result<(), RateLimited> {
    let pond = call.pond.unwrap_or_else(scope::current);
    let limits = Group::one(&pond, &call.limit);
    // Nobody can be called that: an empty identifier is refused everywhere else.
    let id = match &call.id {
        Id::Everyone => Some(""),
        Id::Caller(id) => Some(id.as_str()),
        Id::Unknown => None,
    };
    admit_call(&pond, &limits, id, call.cost).await
}

/// What `cost` can be: any whole number. A negative one is more than any limit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a cost: a cost is a whole number of units",
    label = "write an integer, such as `prompt.len()`"
)]
pub trait Cost {
    /// The units.
    fn units(self) -> u64;
}

macro_rules! costs {
    ($($int:ty),*) => {
        $(impl Cost for $int {
            fn units(self) -> u64 {
                u64::try_from(self).unwrap_or(u64::MAX)
            }
        })*
    };
}

costs!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

/// A return type that a refusal can leave through.
#[diagnostic::on_unimplemented(
    message = "a rate-limited function must be able to refuse, and `{Self}` cannot",
    label = "write `Result<_, E>`, where `E: From<millpond::limit::RateLimited>`",
    note = "with the feature `axum`, handlers that return `Response` or `impl IntoResponse` answer \
            429 by themselves"
)]
pub trait Refuse {
    /// The refusal, as the function returns it.
    fn refuse(refusal: RateLimited) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<RateLimited>> Refuse for Result<T, E> {
    fn refuse(refusal: RateLimited) -> Self {
        Err(E::from(refusal))
    }
}
