//! What does not work at the moment, logged once when it begins and once when it is over. With the server
//! away every call fails alike, and a line for each would drown whatever else the log has to say.

#[cfg(feature = "dashboard")]
mod recent;
mod step;

use crate::clock::Clock;
use crate::error::Error;
use crate::sync;
#[cfg(feature = "dashboard")]
pub(crate) use recent::Degradation;
#[cfg(feature = "dashboard")]
use recent::{Recent, wall_ms};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
pub(crate) use step::Step;
use step::{Cause, began, began_for, is_over};

/// How long a degradation must not have been seen before a success counts as its end: values that are
/// refused and values that are stored may well alternate.
const QUIET: Duration = Duration::from_secs(1);

/// The most kinds that are told apart, of the store and of prefixes. Texts of a server are among them, and what it says
/// has no bound.
const MOST_KINDS: usize = 64;

/// What has not been seen for so long makes room for others.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

struct Outage {
    step: Step,
    cause: Cause,
    failures: u64,
    since: Duration,
    /// When it was last seen.
    last: Duration,
    /// What has begun.
    #[cfg(feature = "dashboard")]
    began: &'static str,
}

/// The degradations that have begun and are not over.
pub(crate) struct OutageLog {
    clock: Clock,
    /// The steps that have one, so that a success costs a look at a byte.
    steps: AtomicU16,
    outages: Mutex<Vec<Outage>>,
    #[cfg(feature = "dashboard")]
    recent: Mutex<Recent>,
}

impl fmt::Debug for OutageLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutageLog").finish_non_exhaustive()
    }
}

impl OutageLog {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            steps: AtomicU16::new(0),
            outages: Mutex::default(),
            #[cfg(feature = "dashboard")]
            recent: Mutex::default(),
        }
    }

    /// A step failed for keys of this prefix.
    pub(crate) fn failed(&self, step: Step, prefix: &str, error: &Error) {
        let cause = Cause::of(error);
        // Whoever cannot be read cannot be filled either: that is one outage, not two.
        let step = match (step, &cause) {
            (Step::Fill, Cause::NoAnswer) => Step::Read,
            _ => step,
        };
        let began = began(step, &cause);
        if self.is_new(step, cause, began) {
            tracing::warn!(prefix, %error, "{began}; further failures of this kind are counted");
        } else {
            tracing::debug!(prefix, ?step, %error, "still failing");
        }
    }

    /// A step that is of the prefix alone failed, and a call noticed.
    pub(crate) fn failed_for(&self, step: Step, prefix: &str, what: Option<&str>) {
        let began = began_for(step);
        if self.is_new(step, Cause::Prefix(prefix.to_owned()), began) {
            tracing::warn!(
                prefix,
                what,
                "{began}; further calls like this one are counted"
            );
        } else {
            tracing::debug!(prefix, ?step, what, "still failing");
        }
    }

    /// A step succeeded, which ends what has not been seen for a moment.
    pub(crate) fn succeeded(&self, step: Step) {
        if self.has(step) {
            self.say_over(step, None);
        }
    }

    /// The same of a step that is of the prefix alone.
    pub(crate) fn succeeded_for(&self, step: Step, prefix: &str) {
        if self.has(step) {
            self.say_over(step, Some(prefix));
        }
    }

    fn has(&self, step: Step) -> bool {
        self.steps.load(Ordering::Relaxed) & step as u16 != 0
    }

    #[cold]
    fn say_over(&self, step: Step, of: Option<&str>) {
        let now = self.clock.monotonic();
        for Outage {
            cause,
            failures,
            since,
            ..
        } in self.end(step, now, of)
        {
            let lasted_ms = now.saturating_sub(since).as_millis();
            let is_over = is_over(step);
            let prefix = match cause {
                Cause::Prefix(prefix) => Some(prefix),
                _ => None,
            };
            tracing::info!(prefix, failures, lasted_ms, "{is_over}");
        }
    }

    fn is_new(
        &self,
        step: Step,
        cause: Cause,
        #[cfg_attr(not(feature = "dashboard"), expect(unused_variables))] began: &'static str,
    ) -> bool {
        let now = self.clock.monotonic();
        let mut outages = sync::lock(&self.outages);
        let same = |it: &&mut Outage| it.step == step && it.cause == cause;
        if let Some(outage) = outages.iter_mut().find(same) {
            outage.failures += 1;
            outage.last = now;
            return false;
        }
        let is_of_prefix = |cause: &Cause| matches!(cause, Cause::Prefix(_));
        let alike = |it: &Outage| is_of_prefix(&it.cause) == is_of_prefix(&cause);
        if outages.iter().filter(|it| alike(it)).count() >= MOST_KINDS {
            let is_kept = |it: &Outage| !alike(it) || now.saturating_sub(it.last) < FORGOTTEN;
            let before = outages.len();
            outages.retain(is_kept);
            if outages.len() == before {
                return false;
            }
        }
        outages.push(Outage {
            step,
            cause,
            failures: 1,
            since: now,
            last: now,
            #[cfg(feature = "dashboard")]
            began,
        });
        self.steps.fetch_or(step as u16, Ordering::Relaxed);
        true
    }

    /// Takes out what is over: of the step, and of this prefix if it is the step of one.
    fn end(&self, step: Step, now: Duration, of: Option<&str>) -> Vec<Outage> {
        let mut outages = sync::lock(&self.outages);
        let is_over = |it: &mut Outage| {
            let is_meant = match (of, &it.cause) {
                (Some(prefix), Cause::Prefix(of)) => of == prefix,
                (of, _) => of.is_none(),
            };
            it.step == step && is_meant && now.saturating_sub(it.last) >= QUIET
        };
        let over: Vec<Outage> = outages.extract_if(.., is_over).collect();
        #[cfg(feature = "dashboard")]
        for outage in &over {
            let degradation = self.degradation(outage, true);
            sync::lock(&self.recent).push(degradation);
        }
        if outages.iter().all(|it| it.step != step) {
            self.steps.fetch_and(!(step as u16), Ordering::Relaxed);
        }
        over
    }

    /// The degradations that last, and the latest that are over; the latest last.
    #[cfg(feature = "dashboard")]
    pub(crate) fn recent(&self) -> Vec<Degradation> {
        let mut all: Vec<_> = sync::lock(&self.recent).all().cloned().collect();
        let outages = sync::lock(&self.outages);
        all.extend(outages.iter().map(|it| self.degradation(it, false)));
        drop(outages);
        all.sort_by_key(|it| it.began_ms);
        all
    }

    #[cfg(feature = "dashboard")]
    fn degradation(&self, outage: &Outage, is_over: bool) -> Degradation {
        let now = self.clock.now();
        Degradation {
            text: outage.began,
            began_ms: wall_ms(now, outage.since),
            last_ms: wall_ms(now, outage.last),
            is_over,
            failures: outage.failures,
            is_silence: outage.step == Step::Read && outage.cause == Cause::NoAnswer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::error::ErrorKind;

    fn error(kind: ErrorKind, text: &str) -> Error {
        Error::new(kind, text)
    }

    #[test]
    fn each_kind_begins_once_and_ends_with_its_own_step_after_a_quiet_moment() {
        let clock = ManualClock::new();
        let log = OutageLog::new(Clock::Manual(clock.clone()));
        let down = Cause::of(&error(ErrorKind::Timeout, "late"));
        let gone = Cause::of(&error(ErrorKind::OutcomeUnknown, "gone"));
        let full = Cause::of(&error(ErrorKind::Server, "OOM command not allowed"));
        let replica = Cause::of(&error(ErrorKind::Server, "READONLY You can't"));
        assert!(log.is_new(Step::Read, down.clone(), ""));
        assert!(
            !log.is_new(Step::Read, gone, ""),
            "the same to whoever reads it"
        );
        assert!(log.is_new(Step::Limit, down, ""));
        assert!(log.is_new(Step::Fill, full.clone(), ""));
        assert!(log.is_new(Step::Fill, replica, ""));
        assert!(!log.is_new(Step::Fill, full, ""));
        let now = || Duration::from_millis(clock.unix_ms() - ManualClock::new().unix_ms());
        let end = |step| log.end(step, now(), None);
        assert!(end(Step::Fill).is_empty(), "too early");
        clock.advance(QUIET);
        let ended: Vec<_> = end(Step::Fill).iter().map(|it| it.failures).collect();
        assert_eq!(ended, [2, 1]);
        assert_eq!(end(Step::Read).len(), 1);
        assert_eq!(log.steps.load(Ordering::Relaxed), Step::Limit as u16);
    }

    #[test]
    fn what_a_server_says_takes_no_memory_without_end() {
        let log = OutageLog::new(Clock::System);
        for n in 0..1_000 {
            let text = format!("E{n} {}", "x".repeat(1_000));
            log.failed(Step::Fill, "p", &error(ErrorKind::Server, &text));
        }
        assert_eq!(log.outages.lock().unwrap().len(), MOST_KINDS);
    }

    #[test]
    fn what_is_of_one_prefix_takes_the_place_of_no_other_outage_and_ends_alone() {
        let clock = ManualClock::new();
        let log = OutageLog::new(Clock::Manual(clock.clone()));
        for n in 0..1_000 {
            log.failed_for(Step::Decode, &format!("prefix {n}"), None);
        }
        let down = Cause::of(&error(ErrorKind::Timeout, "late"));
        assert!(log.is_new(Step::Read, down, ""));
        assert_eq!(log.outages.lock().unwrap().len(), MOST_KINDS + 1);
        clock.advance(QUIET);
        log.succeeded_for(Step::Decode, "prefix 7");
        log.succeeded_for(Step::Decode, "prefix 700");
        log.succeeded_for(Step::Load, "prefix 8");
        assert_eq!(log.outages.lock().unwrap().len(), MOST_KINDS);
        clock.advance(FORGOTTEN);
        log.failed_for(Step::Decode, "prefix 700", None);
        log.failed_for(Step::Decode, "prefix 701", None);
        assert_eq!(log.outages.lock().unwrap().len(), 3);
    }
}
