//! A call of a rate-limited function: who, at what cost, and how a refusal leaves the function.

use crate::limit::{self, Limit, Pair, RateLimited};
use crate::pond::Millpond;
use crate::scope;
use std::fmt::{self, Display, Write};
use std::sync::Arc;

/// One call: which limit, who, how much.
pub struct LimitCall {
    limit: Limit,
    pond: Option<Millpond>,
    id: Id,
    cost: u64,
}

enum Id {
    /// All callers share one budget.
    Everyone,
    Caller(String),
    /// Empty, or it did not display.
    Unknown,
}

impl fmt::Debug for LimitCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An identifier can be a secret: an API key, a session.
        f.debug_struct("LimitCall")
            .field("limit", &self.limit)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
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
    pub fn id<I: Identify + ?Sized>(mut self, id: &I) -> Self {
        let mut text = String::new();
        self.id = match id.write_to(&mut text) {
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

/// Left in a body by `#[rate_limited]`, for another one on the same function to find.
#[derive(Debug)]
pub struct LimitMark {
    /// The limit.
    pub limit: &'static str,
    /// The expression that says who is limited; empty for all callers together.
    pub caller: &'static str,
}

/// Lets the call through if all limits allow it, or says why not. Those of one `Millpond` are one decision.
pub async fn admit<const N: usize>(calls: [LimitCall; N]) -> Result<(), RateLimited> {
    let mut decisions: Vec<(Millpond, Vec<Pair<'_>>)> = Vec::with_capacity(1);
    for call in &calls {
        let pond = call.pond.clone().unwrap_or_else(scope::current);
        // Nobody can be called that: an empty identifier is refused everywhere else.
        let id = match &call.id {
            Id::Everyone => "",
            Id::Caller(id) => id.as_str(),
            Id::Unknown => {
                let decision = limit::unidentified(&pond.0.limits, &call.limit);
                return decision.into_result().map(|_| ());
            }
        };
        let pair = Pair::new(call.limit, id, call.cost);
        let same = |(known, _): &&mut (Millpond, _)| Arc::ptr_eq(&known.0, &pond.0);
        match decisions.iter_mut().find(same) {
            Some((_, pairs)) => pairs.push(pair),
            None => decisions.push((pond, vec![pair])),
        }
    }
    for (pond, pairs) in &decisions {
        limit::admit(&pond.0.limits, pairs).await.into_result()?;
    }
    Ok(())
}

/// What `id` can be: anything with `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say who calls: it does not implement `Display`",
    label = "this type has no text",
    note = "write an expression that has, such as `user.id`; `millpond::limit::identifier` makes one of a \
            user who may be missing and an address"
)]
pub trait Identify {
    #[doc(hidden)]
    fn write_to(&self, out: &mut String) -> fmt::Result;
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Identify for T {
    fn write_to(&self, out: &mut String) -> fmt::Result {
        write!(out, "{self}")
    }
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

#[diagnostic::do_not_recommend]
impl<C: Cost + Copy> Cost for &C {
    fn units(self) -> u64 {
        (*self).units()
    }
}

costs!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

/// A return type that a refusal can leave through.
#[diagnostic::on_unimplemented(
    message = "a rate-limited function must be able to refuse, and `{Self}` cannot",
    label = "write `Result<_, E>`, where `E: From<millpond::RateLimited>`",
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

#[cfg(feature = "axum")]
impl Refuse for axum::response::Response {
    fn refuse(refusal: RateLimited) -> Self {
        refusal.into()
    }
}

/// What a handler that says `impl IntoResponse` returns.
#[diagnostic::on_unimplemented(
    message = "a handler that returns `impl IntoResponse` needs the feature `axum` of millpond",
    label = "add the feature in Cargo.toml, or write `Result<_, E>`, where \
             `E: From<millpond::RateLimited>`"
)]
pub trait Respond {
    /// The response, of one type for the body's answer and the refusal.
    type Answer;
    /// From the body's answer.
    fn respond(self) -> Self::Answer;
    /// From the refusal.
    fn refuse(refusal: RateLimited) -> Self::Answer;
}

/// How what a body returns, or a refusal, becomes a response. It carries what needs the trait, since the
/// compiler cannot tell that a future is `Send` which asks for `&'static str: Respond` itself.
pub struct Responding<R, A> {
    respond: fn(R) -> A,
    refuse: fn(RateLimited) -> A,
}

impl<R, A> std::fmt::Debug for Responding<R, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Responding")
    }
}

/// See [`Responding`].
pub fn responding<R: Respond>() -> Responding<R, R::Answer> {
    Responding {
        respond: R::respond,
        refuse: R::refuse,
    }
}

/// Answers a request by the body, or by the refusal.
pub async fn respond<R, A, const N: usize>(
    calls: [LimitCall; N],
    body: impl Future<Output = R>,
    responding: Responding<R, A>,
) -> A {
    match admit(calls).await {
        Ok(()) => (responding.respond)(body.await),
        Err(refusal) => (responding.refuse)(refusal),
    }
}

#[cfg(feature = "axum")]
#[diagnostic::do_not_recommend]
impl<R: axum::response::IntoResponse> Respond for R {
    type Answer = axum::response::Response;

    fn respond(self) -> Self::Answer {
        self.into_response()
    }

    fn refuse(refusal: RateLimited) -> Self::Answer {
        refusal.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{LimitCall, Refuse, admit};
    use crate::limit::{Algorithm, Limit, RateLimited, Reason};
    use crate::pond::Millpond;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);
    const TWO: Limit = Limit::anonymous(Algorithm::FixedWindow, "app::users", "list", 2, MINUTE);

    fn call(pond: &Millpond) -> LimitCall {
        LimitCall::new(TWO).on(pond)
    }

    fn reason(refused: Result<(), RateLimited>) -> Option<Reason> {
        refused
            .err()
            .and_then(|refusal| refusal.decision().reason())
    }

    #[tokio::test]
    async fn without_an_identifier_everyone_shares_one_budget() {
        let pond = Millpond::memory();
        assert_eq!(admit([call(&pond)]).await, Ok(()));
        assert_eq!(admit([call(&pond).id("u")]).await, Ok(()));
        assert_eq!(admit([call(&pond)]).await, Ok(()));
        assert_eq!(reason(admit([call(&pond)]).await), Some(Reason::Exhausted));
    }

    #[tokio::test]
    async fn an_empty_identifier_is_nobody_and_not_everyone() {
        let pond = Millpond::memory();
        let refused = admit([call(&pond).id("")]).await;
        assert_eq!(reason(refused), Some(Reason::NoIdentifier));
    }

    #[tokio::test]
    async fn a_negative_cost_gives_nothing_back() {
        let pond = Millpond::memory();
        let refused = admit([call(&pond).id(&7).cost(-1)]).await;
        assert_eq!(reason(refused), Some(Reason::CostAboveLimit));
        assert_eq!(admit([call(&pond).id(&7).cost(2_usize)]).await, Ok(()));
    }

    #[tokio::test]
    async fn a_refusal_becomes_the_error_of_the_function() {
        let pond = Millpond::memory();
        let refusal = admit([call(&pond).cost(3)]).await.unwrap_err();
        let returned: Result<String, RateLimited> = Refuse::refuse(refusal);
        let text = returned.unwrap_err().to_string();
        assert_eq!(
            text,
            "the call costs more than the rate limit app.users.list.FixedWindow.2.60000 ever allows"
        );
    }

    #[test]
    fn an_identifier_is_not_shown() {
        let call = call(&Millpond::memory()).id("session-4711");
        assert!(!format!("{call:?}").contains("4711"));
    }
}
