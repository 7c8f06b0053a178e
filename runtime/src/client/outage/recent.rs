//! The degradations that a person may want to see.

use crate::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// How many that are over are remembered.
const MOST: usize = 20;

/// Something that did not work for a while.
#[derive(Clone, Debug)]
pub(crate) struct Degradation {
    pub(crate) text: &'static str,
    /// In milliseconds since the Unix epoch, by the wall clock as it is now.
    pub(crate) began_ms: u64,
    /// When a call last saw it.
    pub(crate) last_ms: u64,
    /// Whether a success was its end.
    pub(crate) is_over: bool,
    pub(crate) failures: u64,
    /// Whether values could not be read, because there was no answer.
    pub(crate) is_silence: bool,
}

/// The latest that are over.
#[derive(Default)]
pub(super) struct Recent(VecDeque<Degradation>);

impl Recent {
    pub(super) fn push(&mut self, degradation: Degradation) {
        self.0.push_back(degradation);
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Degradation> {
        self.0.iter()
    }
}

/// What the wall clock said then, in milliseconds since the Unix epoch, if nobody has set it since.
pub(super) fn wall_ms(now: Moment, then: Duration) -> u64 {
    let ago = now.monotonic.saturating_sub(then).as_millis();
    let ago = u64::try_from(ago).unwrap_or(u64::MAX);
    now.unix_ms().saturating_sub(ago)
}
