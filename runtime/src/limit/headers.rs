//! What HTTP clients are told of their budget in header fields.

use super::algorithm::Rule;
use super::decision::{Decision, Outcome, PolicyRef, Reason};

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
        ietf(self, false)
    }

    /// As [`ietf_headers`](Self::ietf_headers), with the parameter `pk`: it tells a client with several budgets of
    /// one kind which of them is meant. It is the beginning of a hash of the budget's name, never the identifier.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::API).check("user-42").await?;
    /// assert!(decision.ietf_headers_with_key()[1].1.contains(";pk=:"));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn ietf_headers_with_key(&self) -> Vec<(&'static str, String)> {
        ietf(self, true)
    }
}

/// The largest integer of a structured field (RFC 9651).
const LARGEST: u64 = 999_999_999_999_999;

fn budget(decision: &Decision) -> Vec<(&'static str, String)> {
    let mut fields = Vec::with_capacity(4);
    let limit = |limit: u64| ("x-ratelimit-limit", limit.to_string());
    match (decision.limit(), decision.remaining()) {
        (Some(units), Some(remaining)) => {
            fields.push(limit(units));
            fields.push(("x-ratelimit-remaining", remaining.to_string()));
            fields.push(("x-ratelimit-reset", decision.reset_ms().to_string()));
        }
        (Some(units), None) if decision.reason() == Some(Reason::CostAboveLimit) => {
            fields.push(limit(units));
        }
        _ => {}
    }
    if !decision.is_allowed()
        && let Some(seconds) = retry_seconds(decision)
    {
        fields.push(("retry-after", seconds.to_string()));
    }
    fields
}

fn ietf(decision: &Decision, with_key: bool) -> Vec<(&'static str, String)> {
    let list = decision.policies().map(|policy| {
        let key = if with_key {
            partition_key(policy)
        } else {
            String::new()
        };
        quota(policy) + &key
    });
    let list: Vec<_> = list.collect();
    if list.is_empty() {
        return Vec::new();
    }
    let mut fields = vec![("ratelimit-policy", list.join(", "))];
    let left = decision.policies().filter_map(|policy| {
        let counted = policy.counted?;
        let name = quoted(policy.limit.short_name());
        let remaining = counted.remaining.min(LARGEST);
        // A client must not wait for a limit that would have let it through.
        let until = match counted.retry_at {
            Some(at) if !counted.allowed => Some(at),
            _ => Some(counted.reset).filter(|_| decision.is_allowed()),
        };
        let wait = until.map_or_else(String::new, |until| {
            format!(";t={}", seconds_until(until, decision.now_ms()))
        });
        let key = if with_key {
            partition_key(policy)
        } else {
            String::new()
        };
        Some(format!("{name};r={remaining}{wait}{key}"))
    });
    let left: Vec<_> = left.collect();
    if !left.is_empty() {
        fields.push(("ratelimit", left.join(", ")));
    }
    fields
}

/// `"API";q=100;w=60`
fn quota(policy: PolicyRef<'_>) -> String {
    let Rule {
        units,
        window,
        refill,
        ..
    } = policy.limit.rule();
    let full_after = units.div_ceil(refill).saturating_mul(window);
    let name = quoted(policy.limit.short_name());
    let quota = units.min(LARGEST);
    let unit = policy
        .limit
        .quota_unit()
        .map_or_else(String::new, |unit| format!(";qu={}", quoted(unit)));
    format!(
        "{name};q={quota}{unit};w={}",
        full_after.div_ceil(1000).max(1)
    )
}

fn partition_key(policy: PolicyRef<'_>) -> String {
    format!(";pk=:{}:", base64(&policy.name.digest()))
}

/// Base64 with padding (RFC 4648), of the few bytes that a header holds.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let three = chunk.iter().chain([0, 0].iter()).take(3);
        let bits = three.fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}

/// Whole seconds, rounded up: at least 1, so that nobody comes back at once.
fn seconds_until(at: u64, now: u64) -> u64 {
    at.saturating_sub(now).div_ceil(1000).max(1)
}

/// Whole seconds, rounded up, so that a client that waits so long is not refused again.
pub(super) fn retry_seconds(decision: &Decision) -> Option<u64> {
    match decision.retry_at_ms() {
        Some(at) => Some(seconds_until(at, decision.now_ms())),
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
    use super::{base64, quoted};

    #[test]
    fn bytes_are_written_as_base64() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_kind_cannot_break_out_of_its_quotes() {
        assert_eq!(quoted(r#"A"b\ü"#), r#""A\"b\\_""#);
    }
}
