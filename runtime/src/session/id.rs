//! The id of a session: random, checked where it comes from outside, and in no log.

use crate::error::{Error, ErrorKind};
use crate::secret::Secret;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Characters of an id, six random bits each: 192 in all.
const LENGTH: usize = 32;

/// What ids made elsewhere may be: at least as long that they can hold 120 random bits, like those of
/// `crypto.randomUUID()`.
const SHORTEST: usize = 20;
const LONGEST: usize = 128;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The id of a session. It is a secret: whoever knows it can act as the caller. It appears in no log, error
/// or `Debug`; [`as_str`](Self::as_str) gives it to the cookie.
///
/// Ids are 32 characters that need no escaping in URLs and cookies, with 192 random bits from the system.
/// `parse` checks text from outside: it accepts 20 to 128 such characters, so that sessions of other services
/// (`crypto.randomUUID()`) are found too.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{ErrorKind, Millpond, SessionId, ttl};
///
/// let sessions = Millpond::memory().sessions::<String>(ttl::EXTENDED);
/// let id = sessions.create("Ada").await?;
/// let cookie = format!("sid={}; HttpOnly; Secure; SameSite=Lax", id.as_str());
/// assert_eq!(format!("{id:?}"), "SessionId");
///
/// let from_cookie: SessionId = cookie[4..36].parse()?;
/// assert_eq!(from_cookie, id);
/// let error = "../../etc".parse::<SessionId>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidKey);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(Secret);

impl SessionId {
    pub(super) fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        // No second best here: an id that can be guessed is worse than none.
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
            Error::with_source(
                ErrorKind::Unsupported,
                "the system provides no random numbers, so no session id would be safe",
                error,
            )
        })?;
        let letters = bytes
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 64)]));
        Ok(Self(Secret::new(letters.collect::<String>())))
    }

    /// The id as text, for the cookie or the client. Do not log it.
    ///
    /// ```
    /// let id: millpond::SessionId = "7d9f1c1e-3f70-4d0c-8a65-0f4f3f5d3a11".parse().unwrap();
    /// assert_eq!(id.as_str().len(), 36);
    /// ```
    pub fn as_str(&self) -> &str {
        self.0.reveal()
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId")
    }
}

impl FromStr for SessionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fits = (SHORTEST..=LONGEST).contains(&text.len());
        if fits && text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Ok(Self(Secret::new(text)));
        }
        Err(Error::new(
            ErrorKind::InvalidKey,
            "this is no session id (20 to 128 letters, digits, `-` and `_`); treat the caller as new",
        ))
    }
}
