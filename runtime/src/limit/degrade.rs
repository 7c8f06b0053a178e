//! What is decided while the store does not answer.

use super::decision::Decision;
use super::pair::Part;
use super::state::Limits;
use super::{API, OnOutage};
use crate::client::outage::Step;
use crate::clock::Moment;
use crate::error::Error;

/// Decides without the store; of several limits, every one has to agree.
pub(super) fn degrade(state: &Limits, parts: &[Part], error: &Error, now: Moment) -> Decision {
    let kind = parts.first().map(|part| part.limit.kind());
    let kind = kind.unwrap_or_default();
    state.client.outages.failed(Step::Limit, &kind, error);
    let cause = error.kind();
    let at = now.unix_ms();
    let with = |policy| {
        parts
            .iter()
            .filter(move |part| part.limit.outage_policy() == policy)
    };
    if let Some(part) = with(OnOutage::Deny).next() {
        return Decision::degraded(&part.limit, false, None, cause, at);
    }
    let counted: Vec<_> = with(OnOutage::Local).collect();
    let local = state.fallback.check(&counted, now);
    let limit = local
        .refused_by
        .or_else(|| parts.first().map(|part| part.limit));
    let limit = limit.unwrap_or(API);
    Decision::degraded(&limit, local.allowed, local.retry_at, cause, at)
}
