//! A check in front of routes.

mod service;

pub use service::RateLimit;

use super::answer::{GrpcAnswer, OnRefusal, StandardAnswer};
use super::caller::Caller;
use super::fields::Style;
use crate::limit::Limit;
use crate::limit::refusal::RateLimited;
use crate::pond::Millpond;
use http::Response;
use http::request::Parts;
use std::fmt;
use std::sync::Arc;
use tower_layer::Layer;

/// Checks every request to what it wraps against a limit, or several at once: a refused one is answered with 429, and
/// every other response gets `X-RateLimit-*`. Where layers are nested, or a handler has a limit of its own, the
/// strictest budget is told.
///
/// The service can be one of axum, tonic or hyper: whatever its requests and responses carry. Requests of every
/// method count, a `HEAD` as the `GET` whose answer it asks for.
///
/// ```
/// use axum::{Router, routing::get};
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// let app: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .layer(RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct()));
/// ```
#[derive(Clone)]
pub struct RateLimitLayer<C, A = StandardAnswer> {
    limit: LimitFn,
    caller: C,
    more: Vec<(LimitFn, Option<CallerFn>)>,
    pond: Option<Millpond>,
    unidentified: Unidentified,
    skip: Option<Test<Parts>>,
    count_when: Option<Test<Response<()>>>,
    answer: A,
    style: Style,
}

type LimitFn = Arc<dyn Fn(&Parts) -> Limit + Send + Sync>;
type CallerFn = Arc<dyn Fn(&Parts) -> Option<String> + Send + Sync>;
type Test<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

/// What happens to a request that does not say who makes it.
///
/// ```
/// use millpond::limit::{self, ClientAddress, RateLimitLayer, Unidentified};
/// let layer = RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct()).unidentified(Unidentified::Share);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unidentified {
    /// It is refused with status 400.
    #[default]
    Refuse,
    /// All such requests share one budget, that of `anonymous`.
    Share,
    /// It goes through, uncounted.
    Allow,
}

/// The limit of a request: a [`Limit`], or a closure over the request's head that says which one (by plan, say).
pub trait LimitOf: Send + Sync + 'static {
    /// The limit of this request.
    fn limit_of(&self, request: &Parts) -> Limit;
}

impl LimitOf for Limit {
    fn limit_of(&self, _: &Parts) -> Limit {
        *self
    }
}

impl<F: Fn(&Parts) -> Limit + Send + Sync + 'static> LimitOf for F {
    fn limit_of(&self, request: &Parts) -> Limit {
        self(request)
    }
}

fn limit_fn(limit: impl LimitOf) -> LimitFn {
    Arc::new(move |request: &Parts| limit.limit_of(request))
}

impl<C: Caller> RateLimitLayer<C> {
    /// Checks against this limit, in the current `Millpond`. A closure chooses one for each request:
    ///
    /// ```
    /// use http::request::Parts;
    /// use millpond::limit::{self, ClientAddress, Limit, RateLimitLayer};
    ///
    /// #[derive(Clone)]
    /// struct Paying;
    ///
    /// fn plan(request: &Parts) -> Limit {
    ///     match request.extensions.get::<Paying>() {
    ///         Some(_) => limit::API,
    ///         None => limit::GENERATION,
    ///     }
    /// }
    ///
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct());
    /// let by_plan = RateLimitLayer::new(plan, ClientAddress::direct());
    /// ```
    pub fn new(limit: impl LimitOf, caller: C) -> Self {
        Self {
            limit: limit_fn(limit),
            caller,
            more: Vec::new(),
            pond: None,
            unidentified: Unidentified::default(),
            skip: None,
            count_when: None,
            answer: StandardAnswer::default(),
            style: Style::default(),
        }
    }

    /// Answers refused requests with `application/problem+json` (RFC 9457), of the type `quota-exceeded`, or
    /// `temporary-reduced-capacity` where the call was refused only because the store is out of reach.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).problem_json();
    /// ```
    #[must_use]
    pub fn problem_json(mut self) -> Self {
        self.answer.is_problem = true;
        self
    }
}

impl<C: Caller, A> RateLimitLayer<C, A> {
    /// Also checks against this limit, in the same decision; see [`Limiter::and`](crate::limit::Limiter::and). Of two
    /// that would share their budgets, the first counts.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, Limit, RateLimitLayer};
    /// # use std::time::Duration;
    /// const DAILY: Limit = Limit::fixed_window("DAILY", 5_000, Duration::from_secs(24 * 60 * 60));
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).and(DAILY);
    /// ```
    #[must_use]
    pub fn and(mut self, limit: impl LimitOf) -> Self {
        self.more.push((limit_fn(limit), None));
        self
    }

    /// Also takes from this limit for somebody else, in the same decision: the organization beside the user, say; see
    /// [`Limiter::and_for`](crate::limit::Limiter::and_for). A request that does not say who that is is not counted
    /// there.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// # use http::request::Parts;
    /// fn user(request: &Parts) -> Option<String> {
    ///     request.extensions.get::<String>().cloned()
    /// }
    ///
    /// let layer = RateLimitLayer::new(limit::PUBLIC, ClientAddress::direct()).and_for(limit::API, user);
    /// ```
    #[must_use]
    pub fn and_for(mut self, limit: impl LimitOf, caller: impl Caller) -> Self {
        let caller: CallerFn = Arc::new(move |request: &Parts| caller.identify(request));
        self.more.push((limit_fn(limit), Some(caller)));
        self
    }

    /// Checks in this `Millpond` instead.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let pond = millpond::Millpond::memory();
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).on(&pond);
    /// ```
    #[must_use]
    pub fn on(mut self, pond: &Millpond) -> Self {
        self.pond = Some(pond.clone());
        self
    }

    /// What happens to a request without an identifier: one whose address is not known, for example.
    /// [`Unidentified::Refuse`] by default.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer, Unidentified};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).unidentified(Unidentified::Allow);
    /// ```
    #[must_use]
    pub fn unidentified(mut self, unidentified: Unidentified) -> Self {
        self.unidentified = unidentified;
        self
    }

    /// Lets requests through uncounted for which this holds.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct())
    ///     .skip(|request| request.uri.path() == "/health");
    /// ```
    #[must_use]
    pub fn skip(mut self, test: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        self.skip = Some(Arc::new(test));
        self
    }

    /// Counts only requests whose response is such: failed logins, for example. The unit is taken first and given
    /// back afterwards, so that requests that run at the same time cannot all pass.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::AUTH, ClientAddress::direct())
    ///     .count_when(|response| response.status().is_client_error());
    /// ```
    #[must_use]
    pub fn count_when(
        mut self,
        test: impl Fn(&Response<()>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.count_when = Some(Arc::new(test));
        self
    }

    /// Answers refused requests as this closure says. `X-RateLimit-*` and `Retry-After` are added.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// use axum::response::{Html, IntoResponse};
    ///
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct())
    ///     .on_refusal(|refusal, _request| (http::StatusCode::from(refusal.clone()), Html("<p>Slow down.</p>")).into_response());
    /// ```
    #[must_use]
    pub fn on_refusal<F, B>(self, answer: F) -> RateLimitLayer<C, OnRefusal<F>>
    where
        F: Fn(&RateLimited, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
    {
        self.answering(OnRefusal(answer))
    }

    /// Answers as gRPC expects it, for a service whose bodies cannot be made of a text, as tonic's. (A layer that
    /// answers with JSON does so for requests of gRPC by itself.)
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).grpc();
    /// ```
    #[must_use]
    pub fn grpc(self) -> RateLimitLayer<C, GrpcAnswer> {
        self.answering(GrpcAnswer)
    }

    fn answering<T>(self, answer: T) -> RateLimitLayer<C, T> {
        RateLimitLayer {
            limit: self.limit,
            caller: self.caller,
            more: self.more,
            pond: self.pond,
            unidentified: self.unidentified,
            skip: self.skip,
            count_when: self.count_when,
            answer,
            style: self.style,
        }
    }

    /// Adds the fields of the IETF draft, `RateLimit` and `RateLimit-Policy`.
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).ietf();
    /// ```
    #[must_use]
    pub fn ietf(mut self) -> Self {
        self.style.ietf = true;
        self
    }

    /// Adds the fields of the IETF draft with the parameter `pk`; see
    /// [`Decision::ietf_headers_with_key`](crate::limit::Decision::ietf_headers_with_key).
    ///
    /// ```
    /// # use millpond::limit::{self, ClientAddress, RateLimitLayer};
    /// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct()).partition_key();
    /// ```
    #[must_use]
    pub fn partition_key(mut self) -> Self {
        self.style = Style {
            ietf: true,
            partition_key: true,
        };
        self
    }
}

impl<C: fmt::Debug, A> fmt::Debug for RateLimitLayer<C, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("caller", &self.caller)
            .field("unidentified", &self.unidentified)
            .field("style", &self.style)
            .finish_non_exhaustive()
    }
}

impl<S, C: Clone, A: Clone> Layer<S> for RateLimitLayer<C, A> {
    type Service = RateLimit<S, C, A>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit::new(inner, self.clone())
    }
}
