//! The refusal as an error, and what HTTP clients get for it.

use super::decision::{Decision, Reason};
use super::headers::retry_seconds;
use super::rfc3339::rfc3339;
use std::error::Error as StdError;
use std::fmt::{self, Write};

/// The refusal of a call, as an error.
///
/// Functions under `#[rate_limited]` return it through `From`:
///
/// ```
/// use millpond::limit::RateLimited;
///
/// enum ApiError {
///     SlowDown(RateLimited),
/// }
///
/// impl From<RateLimited> for ApiError {
///     fn from(refusal: RateLimited) -> Self {
///         Self::SlowDown(refusal)
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimited(Box<Decision>);

impl RateLimited {
    /// The decision that refused the call.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::AUTH).check_n("mallory", 6).await?;
    /// let refusal = decision.into_result().unwrap_err();
    /// assert_eq!(refusal.decision().kind(), "AUTH");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn decision(&self) -> &Decision {
        &self.0
    }

    /// The HTTP status: 429; 503 if the call was refused only because the store is out of reach; 400
    /// if it does not say who makes it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::AUTH).check_n("mallory", 6).await?;
    /// assert_eq!(decision.into_result().unwrap_err().status(), 429);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn status(&self) -> u16 {
        match (self.0.retry_at_ms(), self.0.reason()) {
            (None, Some(Reason::Outage(_))) => 503,
            (_, Some(Reason::NoIdentifier)) => 400,
            _ => 429,
        }
    }

    /// The body for clients, as JSON: `error`, `message` and, where a time is known, `retryAfter` in
    /// seconds.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let pond = Millpond::memory();
    /// pond.limiter(&limit::AUTH).check_n("mallory", 5).await?;
    /// let refused = pond.limiter(&limit::AUTH).check("mallory").await?.into_result().unwrap_err();
    /// assert!(refused.body().starts_with(r#"{"error":"Rate limit exceeded","message":"Too many"#));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn body(&self) -> String {
        body(self)
    }

    /// The body as `application/problem+json` (RFC 9457): of the type `quota-exceeded`, or
    /// `temporary-reduced-capacity` if the call was refused only because the store is out of reach. The limits that
    /// refused are listed by name.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, limit};
    /// let decision = Millpond::memory().limiter(&limit::AUTH).check_n("mallory", 6).await?;
    /// let problem = decision.into_result().unwrap_err().problem();
    /// assert!(problem.contains(r##"http-problem-types#quota-exceeded""##));
    /// assert!(problem.contains(r#""violated-policies":["AUTH"]"#));
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn problem(&self) -> String {
        problem(self)
    }
}

fn problem(refusal: &RateLimited) -> String {
    const TYPES: &str = "https://iana.org/assignments/http-problem-types#";
    let decision = refusal.decision();
    let status = refusal.status();
    let (kind, title) = match status {
        400 => ("about:blank".to_owned(), "Bad Request"),
        503 => (
            format!("{TYPES}temporary-reduced-capacity"),
            "Request cannot be satisfied due to temporary server capacity constraints",
        ),
        _ => (
            format!("{TYPES}quota-exceeded"),
            "Request cannot be satisfied as assigned quota has been exceeded",
        ),
    };
    let refused = decision.policies().filter(|policy| match policy.counted {
        Some(counted) => !counted.allowed,
        None => false,
    });
    let mut violated: Vec<_> = refused.map(|policy| policy.limit.short_name()).collect();
    if violated.is_empty() {
        violated.push(decision.of().short_name());
    }
    let mut problem = serde_json::json!({ "type": kind, "title": title, "status": status });
    if status != 400 {
        problem["violated-policies"] = violated.into();
    }
    problem.to_string()
}

fn body(refusal: &RateLimited) -> String {
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

impl fmt::Display for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.kind();
        match (self.0.retry_at_ms(), self.0.reason()) {
            (Some(at), _) => {
                write!(
                    f,
                    "rate limit {kind} exceeded; try again after {}",
                    rfc3339(at)
                )
            }
            (None, Some(Reason::Outage(_))) => write!(f, "rate limit {kind} cannot be checked now"),
            (None, Some(Reason::NoIdentifier)) => {
                write!(
                    f,
                    "rate limit {kind} cannot be checked for an empty identifier"
                )
            }
            (None, _) => write!(
                f,
                "the call costs more than the rate limit {kind} ever allows"
            ),
        }
    }
}

impl StdError for RateLimited {}

impl Decision {
    /// A refusal as an error, for `?`.
    ///
    /// # Errors
    ///
    /// [`RateLimited`] unless [`Decision::is_allowed`].
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, limit};
    ///
    /// let pond = Millpond::memory();
    /// pond.limiter(&limit::API).check("user-42").await?.into_result()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn into_result(self) -> Result<Self, RateLimited> {
        if self.is_allowed() {
            Ok(self)
        } else {
            Err(RateLimited(Box::new(self)))
        }
    }
}
