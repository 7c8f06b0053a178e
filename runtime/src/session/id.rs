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

/// What stands between the random part and the end of the longest lifetime, in seconds since the Unix epoch.
const UNTIL: &str = "_until_";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The id of a session. It is a secret: whoever knows it can act as the caller. It appears in no log, error
/// or `Debug`; [`as_str`](Self::as_str) gives it to the cookie.
///
/// Ids are 32 characters that need no escaping in URLs and cookies, with 192 random bits from the system,
/// and behind them the end of an [absolute](crate::Sessions::absolute) lifetime, if there is one.
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
    /// A new id; `end` is in seconds since the Unix epoch.
    pub(super) fn random(end: Option<u64>) -> Result<Self, Error> {
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
        let random = Zeroizing::new(letters.collect::<String>());
        Ok(Self(Secret::new(match end {
            Some(end) => format!("{}{UNTIL}{end}", random.as_str()),
            None => random.to_string(),
        })))
    }

    /// When the longest lifetime of the session is over, if it has one.
    pub(super) fn end(&self) -> Option<u64> {
        let (_, end) = self.as_str().rsplit_once(UNTIL)?;
        end.parse().ok()
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
