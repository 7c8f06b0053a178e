//! What a server says that wants to be left alone for a while. It is the source of the error that callers
//! get; the breaker finds it there, and nothing is sent before the time is over.

use crate::error::{Error, ErrorKind};
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The longest time that a server is left alone without another look.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Between two looks at whether a plan that was used up has room again.
const USED_UP: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Respite(Duration);

impl fmt::Display for Respite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is to be sent for {:?}", self.0)
    }
}

impl StdError for Respite {}

/// An error of a server that is to be left alone for this time.
pub(crate) fn asked_for(message: String, wait: Duration) -> Error {
    let respite = Respite(wait.min(LONGEST));
    Error::with_source(ErrorKind::Unavailable, message, respite)
}

/// For how long the server is to be left alone, if the error says so.
pub(crate) fn of(error: &Error) -> Option<Duration> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(Respite(wait)) = error.downcast_ref() {
            return Some(*wait);
        }
        cause = error.source();
    }
    None
}

/// The error for a text that says that the plan of the database is used up.
/// Source: the section "Troubleshooting" of the documentation of Upstash Redis.
pub(crate) fn used_up(text: &str) -> Option<Error> {
    let said = [
        "max daily request limit exceeded",
        "max requests limit exceeded",
    ];
    said.iter().any(|said| text.contains(said)).then(|| {
        let message = format!(
            "the plan of the database is used up ({text}); raise its limit, or wait until it is reset"
        );
        asked_for(message, USED_UP)
    })
}

/// The time that `Retry-After` asks for: seconds or a date (RFC 9110, 10.2.3). `now` is the time of the
/// answer, by the clock of the server where it told it.
#[cfg(feature = "upstash")]
pub(crate) fn retry_after(header: &str, now: std::time::SystemTime) -> Option<Duration> {
    let header = header.trim();
    let wait = if let Ok(seconds) = header.parse() {
        Duration::from_secs(seconds)
    } else {
        let until = crate::runtime::http_date(header)?;
        until.duration_since(now).unwrap_or_default()
    };
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_behind_other_errors_and_never_longer_than_a_look_is_worth() {
        let asked = asked_for("slow down".into(), Duration::from_secs(86_400));
        assert_eq!(of(&asked), Some(LONGEST));
        let wrapped = Error::with_source(ErrorKind::OutcomeUnknown, "unknown", asked);
        assert_eq!(of(&wrapped), Some(LONGEST));
        assert_eq!(of(&Error::new(ErrorKind::Unavailable, "down")), None);
    }

    #[test]
    fn a_plan_that_is_used_up_is_known_by_its_texts() {
        for text in [
            "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.",
            "ERR max requests limit exceeded. Limit: 500000, Usage: 500001.",
        ] {
            let error = used_up(text).unwrap();
            assert_eq!(of(&error), Some(USED_UP));
            assert!(error.to_string().contains(text));
        }
        assert!(used_up("ERR max request size exceeded").is_none());
    }

    #[cfg(feature = "upstash")]
    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = crate::runtime::http_date("Wed, 25 Nov 2026 20:00:00 GMT").unwrap();
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let cases = [
            ("30", seconds(30)),
            (" 1 ", seconds(1)),
            ("Wed, 25 Nov 2026 20:00:45 GMT", seconds(45)),
            ("Wed, 25 Nov 2026 19:59:00 GMT", None),
            ("0", None),
            ("-1", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999", None),
        ];
        for (header, wait) in cases {
            assert_eq!(retry_after(header, now), wait, "{header:?}");
        }
    }
}
