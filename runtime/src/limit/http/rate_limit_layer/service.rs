//! The service that checks.

use super::super::answer::{Answer, StandardAnswer};
use super::super::caller::Caller;
use super::super::fields::{tell, tell_instead};
use super::super::told;
use super::{RateLimitLayer, Unidentified};
use crate::limit::address::ANONYMOUS;
use crate::limit::check;
use crate::limit::decision::Decision;
use crate::limit::decision_log::DecisionLog;
use crate::limit::pair::{Pair, is_same_budget};
use crate::limit::take::give_back;
use crate::pond::Millpond;
use crate::runtime::BoxFuture;
use crate::scope;
use http::request::Parts;
use http::{Request, Response};
use std::task::{Context, Poll};
use tower_service::Service;

/// The service of [`RateLimitLayer`].
///
/// ```
/// use axum::Router;
/// use millpond::limit::{self, ClientAddress, RateLimitLayer};
///
/// // `layer` wraps every route in one.
/// let layer = RateLimitLayer::new(limit::API, ClientAddress::direct());
/// let app: Router = Router::new().layer(layer);
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit<S, C, A = StandardAnswer> {
    inner: S,
    layer: RateLimitLayer<C, A>,
}

impl<S, C, A> RateLimit<S, C, A> {
    pub(super) fn new(inner: S, layer: RateLimitLayer<C, A>) -> Self {
        Self { inner, layer }
    }
}

impl<S, C, A, Q, B> Service<Request<Q>> for RateLimit<S, C, A>
where
    S: Service<Request<Q>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    C: Caller,
    A: Answer<B>,
    Q: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        // The clone takes the place of the one that has been polled until it was ready.
        let inner = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let pond = layer.pond.clone().unwrap_or_else(scope::current);
            let Some(decision) = layer.check(&head, &pond).await else {
                return inner.call(Request::from_parts(head, body)).await;
            };
            let decision = match decision.into_result() {
                Ok(decision) => decision,
                Err(refusal) => {
                    let mut response = layer.answer.answer(&refusal, &head);
                    let decision = refusal.decision().clone();
                    let status = response.status();
                    tell(response.headers_mut(), status, &decision, layer.style);
                    told::leave(response.extensions_mut(), decision);
                    return Ok(response);
                }
            };
            let log = DecisionLog::default();
            let response = log
                .watch(inner.call(Request::from_parts(head, body)))
                .await?;
            let (mut response, decision) = layer.settle(response, decision, &pond).await;
            let inner = told::inner(response.extensions());
            let (status, headers) = (response.status(), response.headers_mut());
            let strictest = match (inner, log.take()) {
                // A layer inside has told already.
                (Some(inner), _) => {
                    let strictest = inner.clone().stricter(decision);
                    if strictest != inner {
                        tell_instead(headers, status, &strictest, layer.style);
                    }
                    strictest
                }
                (None, Some(inner)) => inner.stricter(decision),
                (None, None) => decision,
            };
            tell(headers, status, &strictest, layer.style);
            told::leave(response.extensions_mut(), strictest);
            Ok(response)
        })
    }
}

impl<C: Caller, A> RateLimitLayer<C, A> {
    /// The decision on a request; `None` for one that is not counted.
    async fn check(&self, head: &Parts, pond: &Millpond) -> Option<Decision> {
        if self.skip.as_ref().is_some_and(|skip| skip(head)) {
            return None;
        }
        let state = &pond.0.limits;
        let limit = (self.limit)(head);
        let id = self.caller.identify(head).filter(|id| !id.is_empty());
        let id = match (id, self.unidentified) {
            (Some(id), _) => id,
            (None, Unidentified::Share) => ANONYMOUS.to_owned(),
            (None, Unidentified::Allow) => return None,
            (None, Unidentified::Refuse) => return Some(check::unidentified(state, &limit)),
        };
        let mut pairs = vec![Pair::new(limit, id.as_str(), 1)];
        for (limit, caller) in &self.more {
            let limit = limit(head);
            match caller {
                Some(caller) => {
                    let other = caller(head).filter(|id| !id.is_empty());
                    pairs.extend(other.map(|other| Pair::new(limit, other, 1)));
                }
                None if pairs.iter().any(|pair| is_same_budget(&pair.limit, &limit)) => {}
                None => pairs.push(Pair::new(limit, id.as_str(), 1)),
            }
        }
        Some(check::admit(state, &pairs).await)
    }

    /// Gives the unit back if the response is not to be counted.
    async fn settle<B>(
        &self,
        response: Response<B>,
        decision: Decision,
        pond: &Millpond,
    ) -> (Response<B>, Decision) {
        let Some(count_when) = &self.count_when else {
            return (response, decision);
        };
        let (head, body) = response.into_parts();
        let head = Response::from_parts(head, ());
        let is_counted = count_when(&head);
        let (head, ()) = head.into_parts();
        let response = Response::from_parts(head, body);
        if is_counted {
            return (response, decision);
        }
        let Some(receipt) = decision.receipt() else {
            return (response, decision);
        };
        match give_back(&pond.0.limits, receipt, u64::MAX).await {
            Ok(()) => (response, decision.after_refund(1)),
            Err(error) => {
                tracing::debug!(%error, "a unit that was not to be counted could not be given back");
                (response, decision)
            }
        }
    }
}
