//! What may be sent again, and when: the rules that both remote engines follow.

use super::command::Effect;
use crate::clock::Since;
use crate::error::{Cause, Error, ErrorKind};
use crate::random::jitter;
use crate::runtime::{self, Instant};
use std::time::Duration;

/// Why an exchange brought no answers.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) error: Error,
}

/// How far the exchange came, which decides what may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing left: everything may be sent again.
    NotSent,
    /// Nothing left, because the server had closed the connection since it was last used: at once again
    /// on another one.
    Stale,
    /// The same of what only reads, which may have left: nobody has looked before.
    StaleRead,
    /// It left, and may or may not have run; a second try may do better.
    Lost,
    /// The server read it and ran nothing, perhaps because of one command in it.
    Refused,
    /// It ran, or may have, and sending it again would bring no better answer.
    Unread,
    /// It ran, or may have, and what came back is no answer.
    Garbled,
    /// It did not run, and sending it again would bring the same.
    Lasting,
}

impl Failure {
    pub(crate) fn lasting(error: Error) -> Self {
        Self {
            stage: Stage::Lasting,
            error,
        }
    }

    pub(crate) fn garbled(error: Error) -> Self {
        Self {
            stage: Stage::Garbled,
            error,
        }
    }

    pub(crate) fn out_of_time() -> Self {
        Self {
            stage: Stage::Lost,
            error: Error::new(ErrorKind::Timeout, "the server did not answer in time"),
        }
    }

    /// Whether a command of this effect may be sent again.
    pub(crate) fn allows_repeat(&self, effect: Effect) -> bool {
        match self.stage {
            Stage::NotSent | Stage::Stale | Stage::StaleRead => true,
            Stage::Lost => effect != Effect::Once,
            Stage::Refused | Stage::Unread | Stage::Garbled | Stage::Lasting => false,
        }
    }

    /// What the failure means for a command that is not sent again.
    pub(crate) fn verdict(&self, effect: Effect) -> Error {
        match self.stage {
            Stage::Lost | Stage::Unread => after_sending(effect, &self.error),
            Stage::Garbled => garbled(effect, &self.error),
            Stage::NotSent | Stage::Stale | Stage::StaleRead | Stage::Refused | Stage::Lasting => {
                self.error.clone()
            }
        }
    }
}

/// What an answer that cannot be understood means for one command.
pub(crate) fn garbled(effect: Effect, error: &Error) -> Error {
    match effect {
        Effect::Read => error.clone(),
        Effect::Repeatable | Effect::Once => error.clone().caused_by(Cause::Unanswered),
    }
}

/// What a failure after sending means for one command.
pub(crate) fn after_sending(effect: Effect, error: &Error) -> Error {
    match effect {
        Effect::Read => error.clone(),
        Effect::Repeatable => error.clone().caused_by(Cause::Unanswered),
        Effect::Once => Error::with_source(
            ErrorKind::OutcomeUnknown,
            format!("{error}; the command may or may not have run and is not sent again"),
            error.clone(),
        ),
    }
}

/// How often a failure may be repeated, with which pauses, and until when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) retries: u32,
    /// The first pause; each one after it is twice as long.
    pub(crate) backoff: Duration,
}

/// The tries of one request.
pub(crate) struct Tries {
    patience: Patience,
    until: Instant,
    /// When its caller began to wait, and for how long it was going to.
    asked: Since,
    within: Duration,
    failures: u32,
}

/// How much longer a request may be under way than its caller waits, because the machine was suspended: after
/// that what it wants to store may be out of date. Far less than the life of a guard.
const STANDSTILL: Duration = Duration::from_secs(10);

impl Tries {
    pub(crate) fn new(patience: Patience, asked: Since, within: Duration) -> Self {
        Self {
            patience,
            until: asked.instant + within,
            asked,
            within,
            failures: 0,
        }
    }

    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    pub(crate) fn is_over(&self) -> bool {
        let now = Since::now();
        now.instant >= self.until || self.is_out_of_date(now)
    }

    fn is_out_of_date(&self, now: Since) -> bool {
        now.since(self.asked) > self.within.saturating_add(STANDSTILL)
    }

    /// Whether a failure now may be followed by another try.
    pub(crate) fn may_repeat(&self) -> bool {
        let now = Since::now();
        let is_left = now.instant + self.pause_at_least() < self.until;
        self.failures < self.patience.retries && is_left && !self.is_out_of_date(now)
    }

    /// One try less is left.
    pub(crate) fn count_failure(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// Pauses before the next try; false, at once, if the pause would outlast whoever waits.
    pub(crate) async fn pause(&mut self) -> bool {
        let pause = jitter(self.pause_at_least().saturating_mul(2));
        self.count_failure();
        if Instant::now() + pause >= self.until {
            return false;
        }
        // By the clock of this runtime, as the time limits of the exchanges around it.
        runtime::pause(pause).await;
        true
    }

    /// Jitter takes up to a half away.
    fn pause_at_least(&self) -> Duration {
        const LONGEST: Duration = Duration::from_secs(60);
        let doubled = 2_u32.saturating_pow(self.failures);
        self.patience.backoff.saturating_mul(doubled).min(LONGEST) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(asked: Since) -> Tries {
        let patience = Patience {
            retries: 5,
            backoff: Duration::from_millis(10),
        };
        Tries::new(patience, asked, Duration::from_secs(2))
    }

    #[tokio::test]
    async fn nothing_is_sent_any_more_after_a_suspension() {
        let suspended = |seconds| {
            let now = Since::now();
            let wall = now.wall.saturating_sub(Duration::from_secs(seconds));
            Since { wall, ..now }
        };
        let short = tries(suspended(5));
        assert!(!short.is_over() && short.may_repeat());
        let long = tries(suspended(60));
        assert!(long.is_over() && !long.may_repeat());
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_gives_nobody_more_time() {
        let set_back = Since {
            instant: Instant::now() - Duration::from_secs(3),
            wall: Since::now().wall + Duration::from_secs(3_600),
        };
        assert!(tries(set_back).is_over());
    }
}
