//! What HTTP clients are told of their budget in header fields.

use super::algorithm::Rule;
use super::decision::{Decision, Outcome};

impl Decision {
    /// Headers that tell a client its budget, on an answer of any status: `X-RateLimit-Limit`,
    /// `X-RateLimit-Remaining`, `X-RateLimit-Reset` (milliseconds since the Unix epoch), and
    /// `Retry-After` (seconds) if it was refused. A degraded decision has no budget to tell.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert_eq!(decision.headers()[1], ("x-ratelimit-remaining", "99".to_owned()));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        budget(self)
    }

    /// The same as `RateLimit` and `RateLimit-Policy`, of the IETF draft
    /// `draft-ietf-httpapi-ratelimit-headers`.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// let policy = ("ratelimit-policy", r#""API";q=100;w=60"#.to_owned());
    /// assert_eq!(decision.ietf_headers()[0], policy);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn ietf_headers(&self) -> Vec<(&'static str, String)> {
        ietf(self)
    }
}

/// The largest integer of a structured field (RFC 9651).
const LARGEST: u64 = 999_999_999_999_999;

fn budget(decision: &Decision) -> Vec<(&'static str, String)> {
    let mut fields = Vec::with_capacity(4);
    if let (Some(limit), Some(remaining)) = (decision.limit(), decision.remaining()) {
        fields.push(("x-ratelimit-limit", limit.to_string()));
        fields.push(("x-ratelimit-remaining", remaining.to_string()));
        fields.push(("x-ratelimit-reset", decision.reset_ms().to_string()));
    }
    if !decision.is_allowed()
        && let Some(seconds) = retry_seconds(decision)
    {
        fields.push(("retry-after", seconds.to_string()));
    }
    fields
}

fn ietf(decision: &Decision) -> Vec<(&'static str, String)> {
    let Some(remaining) = decision.remaining() else {
        return Vec::new();
    };
    let name = quoted(decision.of().short_name());
    let Rule {
        units,
        window,
        refill,
        ..
    } = decision.of().rule();
    let full_after = units.div_ceil(refill) * window;
    let (quota, remaining) = (units.min(LARGEST), remaining.min(LARGEST));
    let policy = format!("{name};q={quota};w={}", full_after.div_ceil(1000));
    let wait = decision
        .reset_ms()
        .saturating_sub(decision.now_ms())
        .div_ceil(1000);
    vec![
        ("ratelimit-policy", policy),
        ("ratelimit", format!("{name};r={remaining};t={wait}")),
    ]
}

/// Whole seconds, rounded up, so that a client that waits so long is not refused again.
pub(super) fn retry_seconds(decision: &Decision) -> Option<u64> {
    match decision.retry_at_ms() {
        Some(at) => Some(at.saturating_sub(decision.now_ms()).div_ceil(1000).max(1)),
        // During an outage nothing is known; a second keeps clients from hammering.
        None => (decision.outcome() == Outcome::Degraded).then_some(1),
    }
}

/// A string of a structured field, which is printable ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            ' '..='~' => out.push(char),
            _ => out.push('_'),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_kind_cannot_break_out_of_its_quotes() {
        assert_eq!(quoted(r#"A"b\ü"#), r#""A\"b\\_""#);
    }
}
