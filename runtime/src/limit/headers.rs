//! What HTTP clients are told: header fields and the body of a refusal.

use super::algorithm::{LAST_TIME, Rule};
use super::decision::{Decision, Outcome, Reason};
use super::refusal::RateLimited;
use std::fmt::Write;

/// The largest integer of a structured field (RFC 9651).
const LARGEST: u64 = 999_999_999_999_999;

pub(super) fn budget(decision: &Decision) -> Vec<(&'static str, String)> {
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

pub(super) fn ietf(decision: &Decision) -> Vec<(&'static str, String)> {
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

pub(super) fn body(refusal: &RateLimited) -> String {
    let decision = refusal.decision();
    let (error, message) = match (decision.retry_at_ms(), decision.reason()) {
        (Some(at), _) => (
            "Rate limit exceeded",
            format!("Too many requests. Please try again after {}", rfc3339(at)),
        ),
        (None, Some(Reason::Outage(_))) => (
            "Rate limit unavailable",
            "The rate limit cannot be checked. Please try again later".to_owned(),
        ),
        (None, Some(Reason::NoIdentifier)) => (
            "No identifier",
            "The request does not say who makes it".to_owned(),
        ),
        (None, _) => (
            "Rate limit exceeded",
            "This request costs more than the rate limit ever allows".to_owned(),
        ),
    };
    let mut body = format!(r#"{{"error":"{error}","message":"{message}""#);
    if let Some(seconds) = retry_seconds(decision) {
        // A `String` takes everything.
        let _ = write!(body, r#","retryAfter":{seconds}"#);
    }
    body.push('}');
    body
}

/// Whole seconds, rounded up, so that a client that waits so long is not refused again.
fn retry_seconds(decision: &Decision) -> Option<u64> {
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

/// `2026-01-01T00:00:00.000Z`.
pub(super) fn rfc3339(unix_ms: u64) -> String {
    let unix_ms = unix_ms.min(LAST_TIME);
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    // Years begin in March here, so that the leap day is the last. Source:
    // <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let ms = ms % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::{quoted, rfc3339};

    #[test]
    fn times_are_written_as_rfc_3339_with_milliseconds() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_705_314_600_000, "2024-01-15T10:30:00.000Z"),
            (1_767_225_599_999, "2025-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }

    #[test]
    fn a_kind_cannot_break_out_of_its_quotes() {
        assert_eq!(quoted(r#"A"b\ü"#), r#""A\"b\\_""#);
    }
}
