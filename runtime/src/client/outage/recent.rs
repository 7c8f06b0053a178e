//! The degradations that a person may want to see: those that last, and the latest that are over.

use super::{Cause, Outage, OutageLog, Step};
use crate::sync;
use std::collections::VecDeque;
use std::time::Duration;

/// How many that are over are remembered.
const MOST: usize = 20;

pub(super) type Recent = VecDeque<Degradation>;

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

impl OutageLog {
    /// The latest last.
    pub(crate) fn recent(&self) -> Vec<Degradation> {
        let mut all: Vec<_> = sync::lock(&self.recent).iter().cloned().collect();
        let outages = sync::lock(&self.outages);
        all.extend(outages.iter().map(|it| self.degradation(it, false)));
        drop(outages);
        all.sort_by_key(|it| it.began_ms);
        all
    }

    pub(super) fn remember(&self, over: &[Outage]) {
        let mut recent = sync::lock(&self.recent);
        for outage in over {
            recent.push_back(self.degradation(outage, true));
            if recent.len() > MOST {
                recent.pop_front();
            }
        }
    }

    fn degradation(&self, outage: &Outage, is_over: bool) -> Degradation {
        let now = self.clock.now();
        let wall = |then: Duration| {
            let ago = now.monotonic.saturating_sub(then).as_millis();
            let ago = u64::try_from(ago).unwrap_or(u64::MAX);
            now.unix_ms().saturating_sub(ago)
        };
        Degradation {
            text: outage.began,
            began_ms: wall(outage.since),
            last_ms: wall(outage.last),
            is_over,
            failures: outage.failures,
            is_silence: outage.step == Step::Read && outage.cause == Cause::NoAnswer,
        }
    }
}
