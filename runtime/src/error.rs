//! The one error type: opaque, cheap to clone, with a [`ErrorKind`] to match on.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong, as a class that code can act on.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{ErrorKind, Millpond};
///
/// let pond = Millpond::memory();
/// pond.command(["RPUSH", "queue", "job"]).await.unwrap();
/// let error = pond.get::<String>("queue").await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::WrongType);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration is wrong or half there; nothing was sent.
    Config,
    /// The key cannot be used: empty, too long, or an argument that did not render.
    InvalidKey,
    /// The value or argument cannot be sent: not JSON, a zero lifetime, not UTF-8 where it must be.
    InvalidValue,
    /// What is stored is not a value of the type that was asked for.
    Decode,
    /// The value is over the size limit, here or on the server.
    TooLarge,
    /// The key holds another kind of Redis value (a list, a hash, …).
    WrongType,
    /// What should be counted up or down is no whole number of 64 bits, or no number at all.
    NotANumber,
    /// The sum would leave the range of 64 bits; nothing was changed.
    Overflow,
    /// Somebody else holds the lock.
    Locked,
    /// The server refused the credentials or what they may do.
    Auth,
    /// The time budget ran out before the answer came.
    Timeout,
    /// The server could not be reached, or the circuit breaker is open.
    Unavailable,
    /// The request left and no answer came back: the command may or may not have run.
    OutcomeUnknown,
    /// The server answered with an error of its own.
    Server,
    /// The answer was not what the protocol promises (not JSON, cut short, another shape).
    Protocol,
    /// This engine cannot do that.
    Unsupported,
}

/// Why a call failed. Cheap to clone; holds no credential and no stored value.
///
/// ```
/// use millpond::{ErrorKind, Millpond};
///
/// let error = Millpond::builder().upstash("not a url", "secret").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert!(!format!("{error:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Error(Arc<ErrorParts>);

struct ErrorParts {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(ErrorParts {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(ErrorParts {
            kind,
            message: message.into(),
            source: Some(source.into()),
        }))
    }

    /// The class of the failure.
    ///
    /// ```
    /// # let error = millpond::Millpond::builder().upstash("", "").build().unwrap_err();
    /// assert_eq!(error.kind(), millpond::ErrorKind::Config);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether a change may have been made all the same, or may still be.
    pub(crate) fn may_have_run(&self) -> bool {
        matches!(self.kind(), ErrorKind::OutcomeUnknown | ErrorKind::Timeout)
    }
}

/// Errors are equal if they say the same.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind && self.0.message == other.0.message
    }
}

impl Eq for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
