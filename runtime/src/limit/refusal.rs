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
