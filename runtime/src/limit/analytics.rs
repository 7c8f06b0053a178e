//! Sums of what was allowed and refused, in the format of the Upstash console.
//!
//! A check adds to the sums, a second later they leave together, or at [`Millpond::flush_events`].

use super::names::shorten;
use crate::error::Error;
use crate::pond::{Inner, Millpond};
use crate::rt;
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

const HOUR: u64 = 60 * 60 * 1000;

/// As long as the console shows; `@upstash/ratelimit` means to keep them as long.
const RETENTION: u64 = 90 * 24 * HOUR;

/// So many different identifiers are summed between two batches, and so many bytes of them: beyond,
/// events are dropped and counted. Identifiers are chosen by clients.
const MOST_MEMBERS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;

/// How long sums wait for more.
const PAUSE: Duration = Duration::from_secs(1);

impl Millpond {
    /// Adds a check to the sums, and sees to it that they leave.
    pub(super) fn record_check(&self, id: &str, allowed: bool) {
        let limits = &self.0.limits;
        if !limits.analytics {
            return;
        }
        let now = self.0.settings.clock.unix_ms();
        let mut events = limits.events.lock().unwrap_or_else(PoisonError::into_inner);
        if !events.record(&shorten(id), allowed, now) {
            limits.counts.events_lost.add(1);
        }
        drop(events);
        if !limits.flushing.swap(true, Ordering::Relaxed) {
            let flush = Flush(Arc::downgrade(&self.0));
            // Without a runtime the future is dropped, and the sums wait for a call that has one.
            rt::spawn(async move { flush.run().await });
        }
    }

    /// Sends the sums that wait.
    pub(crate) async fn flush_events(&self) -> Result<(), Error> {
        let limits = &self.0.limits;
        let commands = self.take_events();
        if commands.is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        for reply in self.send(commands, limits.budget).await {
            if let Err(error) = reply {
                limits.counts.events_lost.add(1);
                result = Err(error);
            }
        }
        result
    }

    fn take_events(&self) -> Vec<Command> {
        let limits = &self.0.limits;
        let mut events = limits.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.take(&limits.names.prefix)
    }
}

/// The task that waits to send; whatever becomes of it, the next event can start another.
struct Flush(Weak<Inner>);

impl Flush {
    async fn run(self) {
        rt::sleep(PAUSE).await;
        let Some(inner) = self.0.upgrade() else {
            return;
        };
        drop(self);
        if let Err(error) = Millpond(inner).flush_events().await {
            tracing::warn!(%error, "analytics of limits were lost");
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.limits.flushing.store(false, Ordering::Relaxed);
        }
    }
}

/// What has been counted and not sent.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sums: HashMap<Event, u64>,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Event {
    hour: u64,
    identifier: String,
    success: bool,
}

impl Tally {
    /// Counts one check; `false` if it was dropped because too much is waiting.
    pub(crate) fn record(&mut self, identifier: &str, success: bool, now: u64) -> bool {
        let hour = now - now % HOUR;
        let event = Event {
            hour,
            identifier: identifier.to_owned(),
            success,
        };
        if let Some(sum) = self.sums.get_mut(&event) {
            *sum = sum.saturating_add(1);
            return true;
        }
        let bytes = self.bytes + identifier.len();
        if self.sums.len() >= MOST_MEMBERS || bytes > MOST_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.sums.insert(event, 1);
        true
    }

    /// The commands that add these sums to what the store has, and begins again at zero.
    pub(crate) fn take(&mut self, prefix: &str) -> Vec<Command> {
        self.bytes = 0;
        let mut sums: Vec<_> = self.sums.drain().collect();
        sums.sort_by_key(|(event, _)| event.hour);
        let mut commands = Vec::with_capacity(sums.len() + 1);
        let mut last_hour = None;
        for (event, sum) in sums {
            let key = Bytes::from(format!("{prefix}:events:{}", event.hour));
            let member = Bytes::from(member(&event.identifier, event.success));
            let sum = Bytes::from(sum.to_string());
            let zincrby = Bytes::from_static(b"ZINCRBY");
            commands.push(Command::new(
                Effect::Once,
                [zincrby, key.clone(), sum, member],
            ));
            if last_hour.replace(event.hour) != Some(event.hour) {
                let pexpire = Bytes::from_static(b"PEXPIRE");
                let retention = Bytes::from(RETENTION.to_string());
                commands.push(Command::new(Effect::Once, [pexpire, key, retention]));
            }
        }
        commands
    }
}

/// Exactly the text that `@upstash/ratelimit` writes: another order of the fields would be another
/// member of the set.
fn member(identifier: &str, success: bool) -> String {
    let identifier = serde_json::Value::from(identifier);
    format!(r#"{{"identifier":{identifier},"success":{success}}}"#)
}

#[cfg(test)]
mod tests {
    use super::{HOUR, MOST_MEMBERS, Tally, member};
    use crate::store::command::{Call, Command};

    fn text(command: Command) -> String {
        match command.call {
            Call::Plain(args) => {
                let args: Vec<_> = args
                    .iter()
                    .map(|arg| String::from_utf8_lossy(arg))
                    .collect();
                args.join(" ")
            }
            Call::Script { .. } => String::new(),
        }
    }

    #[test]
    fn events_of_one_hour_are_summed_under_their_member() {
        let mut tally = Tally::default();
        for now in [HOUR * 5, HOUR * 5 + 1, HOUR * 6 - 1] {
            assert!(tally.record("u", true, now));
        }
        let sent: Vec<_> = tally.take("p").into_iter().map(text).collect();
        assert_eq!(
            sent,
            [
                r#"ZINCRBY p:events:18000000 3 {"identifier":"u","success":true}"#,
                "PEXPIRE p:events:18000000 7776000000",
            ]
        );
        assert!(tally.take("p").is_empty());
    }

    #[test]
    fn each_hour_and_each_outcome_has_its_own_sum() {
        let mut tally = Tally::default();
        tally.record("u", true, 0);
        tally.record("u", false, 0);
        tally.record("u", true, HOUR);
        let sent: Vec<_> = tally.take("p").into_iter().map(text).collect();
        assert_eq!(
            sent.iter()
                .filter(|command| command.starts_with("ZINCRBY"))
                .count(),
            3
        );
        assert_eq!(
            sent.iter()
                .filter(|command| command.starts_with("PEXPIRE"))
                .count(),
            2
        );
    }

    #[test]
    fn identifiers_are_escaped_as_javascript_does_it() {
        let written = member("a\"b\\c\u{8}\u{c}\n\u{1f}\u{7f}\u{2028}é😀/", false);
        let expected =
            "{\"identifier\":\"a\\\"b\\\\c\\b\\f\\n\\u001f\u{7f}\u{2028}é😀/\",\"success\":false}";
        assert_eq!(written, expected);
    }

    #[test]
    fn a_flood_of_identifiers_does_not_fill_the_memory() {
        let mut tally = Tally::default();
        let kept = (0..MOST_MEMBERS * 2)
            .filter(|id| tally.record(&id.to_string(), true, 0))
            .count();
        assert_eq!(kept, MOST_MEMBERS);
        assert!(
            tally.record("0", true, 0),
            "a known identifier is still counted"
        );
        tally.take("p");
        assert!(!tally.record(&"x".repeat(2 << 20), true, 0));
    }
}
