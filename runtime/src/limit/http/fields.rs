//! Decisions as header fields of a response.

use super::EXPOSED;
use crate::limit::decision::Decision;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Which fields a response gets beside `X-RateLimit-*` and `Retry-After`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// `RateLimit` and `RateLimit-Policy`.
    pub(super) ietf: bool,
    /// Their parameter `pk`.
    pub(super) partition_key: bool,
}

/// Adds what the response does not say by itself already.
pub(super) fn tell(headers: &mut HeaderMap, status: StatusCode, decision: &Decision, style: Style) {
    let mut fields = decision.headers();
    if style.ietf || style.partition_key {
        fields.extend(if style.partition_key {
            decision.ietf_headers_with_key()
        } else {
            decision.ietf_headers()
        });
    }
    // A client may wait before it follows a redirection.
    fields.retain(|(name, _)| !(status.is_redirection() && *name == "ratelimit"));
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers
                .entry(HeaderName::from_static(name))
                .or_insert(value);
        }
    }
}

/// Says it instead of what an inner layer said.
pub(super) fn tell_instead(
    headers: &mut HeaderMap,
    status: StatusCode,
    decision: &Decision,
    style: Style,
) {
    let ietf = style.ietf || headers.contains_key("ratelimit-policy");
    for name in EXPOSED {
        headers.remove(name);
    }
    tell(headers, status, decision, Style { ietf, ..style });
}
