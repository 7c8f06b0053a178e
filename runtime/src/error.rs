//! The one error type: opaque, cheap to clone, with a [`ErrorKind`] to match on.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong, as a kind that code can match on. Any command can fail with `Config`, `Auth`, `Timeout`,
/// `Unavailable`, `Server` and `Protocol`; other kinds are listed with the methods.
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
    /// The configuration is wrong or incomplete; nothing was sent.
    Config,
    /// The key cannot be used: it is empty or too long, or an argument did not render.
    InvalidKey,
    /// The value or argument cannot be sent: it cannot be represented as JSON, is a lifetime of zero, or is
    /// not UTF-8 where it must be.
    InvalidValue,
    /// The stored value is not of the requested type.
    Decode,
    /// The value exceeds the size limit of this crate or of the server.
    TooLarge,
    /// The key holds another Redis type (a list, a hash, …).
    WrongType,
    /// The value to increment or decrement is not a 64-bit integer.
    NotANumber,
    /// The result would not fit into 64 bits; nothing was changed.
    Overflow,
    /// Somebody else holds the lock.
    Locked,
    /// The server refused the credentials, or they do not permit the command.
    Auth,
    /// The answer did not arrive within the time budget.
    Timeout,
    /// The server could not be reached, or the circuit breaker is open.
    Unavailable,
    /// The request was sent and no answer came back: the command may or may not have run.
    OutcomeUnknown,
    /// The server answered with another error.
    Server,
    /// The answer does not follow the protocol: it is not JSON or RESP, is cut short, or has another form
    /// than the command's.
    Protocol,
    /// The engine does not support the operation.
    Unsupported,
}

/// Why a call failed. Cheap to clone. Contains no credential and no stored value.
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
    source: Option<Arc<dyn StdError + Send + Sync>>,
    cause: Option<Cause>,
}

/// What an engine knows about a failure beyond its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A command that changes something left and was not answered; that it runs twice would do no harm.
    Unanswered,
    /// The server, or the way to it, was not ready and ran nothing.
    NotNow,
    /// The server was told to add to something that is no whole number of 64 bits.
    NotANumber,
    /// The server was told to add more than 64 bits hold.
    Overflow,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(ErrorParts {
            kind,
            message: message.into(),
            source: None,
            cause: None,
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
            source: Some(source.into().into()),
            cause: None,
        }))
    }

    /// The same error with a cause.
    pub(crate) fn caused_by(self, cause: Cause) -> Self {
        Self(Arc::new(ErrorParts {
            kind: self.0.kind,
            message: self.0.message.clone(),
            source: self.0.source.clone(),
            cause: Some(cause),
        }))
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.0.cause
    }

    /// The kind of the failure.
    ///
    /// ```
    /// # let error = millpond::Millpond::builder().upstash("", "").build().unwrap_err();
    /// assert_eq!(error.kind(), millpond::ErrorKind::Config);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed if it is made again, without doing harm: the server could not be
    /// reached ([`Unavailable`](ErrorKind::Unavailable)), did not answer in time
    /// ([`Timeout`](ErrorKind::Timeout)) or was not ready (a [`Server`](ErrorKind::Server) that loads its
    /// data, or fails over), or somebody else holds the lock ([`Locked`](ErrorKind::Locked)).
    ///
    /// False for [`OutcomeUnknown`](ErrorKind::OutcomeUnknown): a second call could make the change a second
    /// time, so look first whether it was made. False for everything that fails in the same way again.
    /// Calls already repeat what they can within their budget, so wait before the next one.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use millpond::{ErrorKind, Millpond, ttl};
    ///
    /// // Nobody listens on this port.
    /// let pond = Millpond::builder().upstash("http://127.0.0.1:9", "token").retries(0).build()?;
    /// let error = pond.increment("views", 1, None).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unavailable);
    /// assert!(error.is_retryable() && !error.may_have_run());
    ///
    /// let error = pond.set("user:7", "Ada", std::time::Duration::ZERO).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidValue);
    /// assert!(!error.is_retryable());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_retryable(&self) -> bool {
        self.0.cause == Some(Cause::NotNow)
            || matches!(
                self.0.kind,
                ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Locked
            )
    }

    /// Whether the change that was asked for may have been made all the same, or may still be made: the
    /// command left, and no answer came back that can be read.
    ///
    /// Always true for [`OutcomeUnknown`](ErrorKind::OutcomeUnknown). A change that may be made twice (ending a session)
    /// keeps the kind of what failed, such as [`Timeout`](ErrorKind::Timeout) or
    /// [`Protocol`](ErrorKind::Protocol), and the answer is true if it had left. Always false for calls that
    /// change nothing, and for errors that the server answered with.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let pond = millpond::Millpond::memory();
    /// pond.set("name", "Ada", millpond::ttl::SHORT).await?;
    /// assert!(!pond.increment("name", 1, None).await.unwrap_err().may_have_run());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn may_have_run(&self) -> bool {
        self.0.kind == ErrorKind::OutcomeUnknown || self.0.cause == Some(Cause::Unanswered)
    }
}

/// Errors are equal if they are of one kind; their texts are for people, and may change.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        self.0.kind == other.0.kind
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
