//! How long a session may go on. Its id says when the longest lifetime ends, so that no command is needed to
//! find out, no update can change it, and an id with another end is the id of another session.

use std::time::Duration;

/// The lifetimes of sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    /// From one use to the next, or from the beginning.
    pub(super) ttl: Duration,
    /// From the beginning of a session, however often it is used.
    pub(super) longest: Option<Duration>,
}

/// What may be done to the lifetime of a session.
pub(super) enum Left {
    /// The longest lifetime is over.
    Over,
    /// Nobody knows when the session began, so it goes on as long as it was to, and no longer.
    AsItIs,
    /// At most this long from now.
    For(Duration),
}

impl Lifetime {
    /// The end of a session that begins at this time in milliseconds, in seconds since the Unix epoch; a part
    /// of a second counts as a whole one.
    pub(super) fn end(self, now: u64) -> Option<u64> {
        let end = Duration::from_millis(now).saturating_add(self.longest?);
        Some(
            end.as_secs()
                .saturating_add(u64::from(end.subsec_nanos() > 0)),
        )
    }

    /// How long a session with this end may go on.
    pub(super) fn left(self, end: Option<u64>, now: u64) -> Left {
        match (end, self.longest) {
            (Some(end), _) => match end.saturating_mul(1_000).saturating_sub(now) {
                0 => Left::Over,
                rest => Left::For(self.ttl.min(Duration::from_millis(rest))),
            },
            (None, Some(_)) => Left::AsItIs,
            (None, None) => Left::For(self.ttl),
        }
    }

    /// How long a session lives that begins.
    pub(super) fn first(self) -> Duration {
        self.longest
            .map_or(self.ttl, |longest| longest.min(self.ttl))
    }
}
