//! Sums of what was allowed and refused, in the format of the Upstash console.
//!
//! A check adds to the sums, a second later they leave together, or at [`Millpond::flush`](crate::Millpond::flush).

use super::names::shorten;
use super::state::Limits;
use crate::error::{Error, ErrorKind};
use crate::runtime;
use crate::store::command::{Command, Effect};
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

const HOUR: u64 = 60 * 60 * 1000;

/// As long as the console shows; `@upstash/ratelimit` means to keep them as long.
const RETENTION: u64 = 90 * 24 * HOUR;

/// So many different identifiers are summed between two batches, and so many bytes of them: beyond,
/// events are dropped and counted. Identifiers are chosen by clients.
const MOST_MEMBERS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;

/// So many sums leave at once: checks travel on the same way, and must not wait behind all of them.
const BATCH: usize = 256;

/// How long sums wait for more.
const PAUSE: Duration = Duration::from_secs(1);

/// After so many milliseconds, the task that should have sent them is taken to be on a runtime that
/// nobody drives.
const STALLED: u64 = 10_000;

impl Limits {
    /// Adds a check to the sums, and sees to it that they leave.
    pub(super) fn record_check(self: &Arc<Self>, id: &str, allowed: bool) {
        if !self.analytics {
            return;
        }
        let now = self.client.settings.clock.unix_ms();
        let event = Event {
            hour: now - now % HOUR,
            identifier: shorten(id).into_owned(),
            success: allowed,
        };
        if !self.events().add(event, 1) {
            self.counts.events_lost.add(1);
        }
        if let Some(turn) = self.flushing.begin(self.client.settings.clock.monotonic()) {
            let limits = Arc::downgrade(self);
            let flush = Flush { limits, turn };
            // Without a runtime the future is dropped, and the sums wait for a call that has one.
            runtime::spawn(async move { flush.run().await });
        }
    }

    /// Sends the sums that wait, until a batch fails: those of later batches keep waiting.
    pub(crate) async fn flush_events(&self) -> Result<(), Error> {
        // Counted before, since checks add sums in the meantime.
        let batches = self.events().by_event.len().div_ceil(BATCH);
        for _ in 0..batches {
            self.flush_batch().await?;
        }
        Ok(())
    }

    async fn flush_batch(&self) -> Result<(), Error> {
        let sums = self.events().take(BATCH);
        if sums.is_empty() {
            return Ok(());
        }
        let commands = commands(&sums, &self.names.prefix);
        let replies = self.client.send(commands, self.budget).await;
        let mut result = Ok(());
        for ((event, sum), reply) in sums.into_iter().zip(replies) {
            let Err(error) = reply else { continue };
            // Only what has certainly not arrived may be sent again.
            let again = error.kind() == ErrorKind::Unavailable;
            if !(again && self.events().add(event, sum)) {
                self.counts.events_lost.add(sum);
            }
            result = Err(error);
        }
        result
    }

    fn events(&self) -> MutexGuard<'_, Sums> {
        let events = &self.events;
        events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The commands that add these sums to what the store has, a command each; then the lifetimes.
fn commands(sums: &[(Event, u64)], prefix: &str) -> Vec<Command> {
    let key = |event: &Event| Bytes::from(format!("{prefix}:events:{}", event.hour));
    let add = |(event, sum): &(Event, u64)| {
        let member = Bytes::from(member(&event.identifier, event.success));
        let sum = Bytes::from(sum.to_string());
        let name = Bytes::from_static(b"ZINCRBY");
        Command::new(Effect::Once, [name, key(event), sum, member])
    };
    let keep = |key: Bytes| {
        let name = Bytes::from_static(b"PEXPIRE");
        let retention = Bytes::from(RETENTION.to_string());
        Command::new(Effect::Repeatable, [name, key, retention])
    };
    let hours: BTreeSet<Bytes> = sums.iter().map(|(event, _)| key(event)).collect();
    let adds = sums.iter().map(add);
    adds.chain(hours.into_iter().map(keep)).collect()
}

/// The task that waits to send; whatever becomes of it, the next event can start another.
struct Flush {
    limits: Weak<Limits>,
    turn: u64,
}

impl Flush {
    async fn run(self) {
        runtime::sleep(PAUSE).await;
        let Some(limits) = self.limits.upgrade() else {
            return;
        };
        drop(self);
        if let Err(error) = limits.flush_events().await {
            tracing::warn!(%error, "analytics of limits were lost");
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(limits) = self.limits.upgrade() {
            limits.flushing.end(self.turn);
        }
    }
}

/// Whose turn it is to wait and send: when it began, in milliseconds and not 0; 0 is nobody's.
#[derive(Debug, Default)]
pub(super) struct FlushTurn(AtomicU64);

impl FlushTurn {
    /// A turn, if nobody has one. A task whose runtime stands still loses its own to the next.
    fn begin(&self, now: Duration) -> Option<u64> {
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let now = now.saturating_add(1);
        let began = self.0.load(Ordering::Relaxed);
        if began != 0 && now.saturating_sub(began) < STALLED {
            return None;
        }
        let swap = self
            .0
            .compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed);
        swap.ok().map(|_| now)
    }

    /// Ends this turn, unless another has it by now.
    fn end(&self, turn: u64) {
        let _ = self
            .0
            .compare_exchange(turn, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// What has been counted and not sent.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    by_event: HashMap<Event, u64>,
    bytes: usize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Event {
    hour: u64,
    identifier: String,
    success: bool,
}

impl Sums {
    /// Counts; `false` if that was dropped because too much is waiting.
    fn add(&mut self, event: Event, count: u64) -> bool {
        if let Some(sum) = self.by_event.get_mut(&event) {
            *sum = sum.saturating_add(count);
            return true;
        }
        let bytes = self.bytes + event.identifier.len();
        if self.by_event.len() >= MOST_MEMBERS || bytes > MOST_BYTES {
            return false;
        }
        self.bytes = bytes;
        self.by_event.insert(event, count);
        true
    }

    /// Up to so many of the sums; those begin again at zero.
    fn take(&mut self, most: usize) -> Vec<(Event, u64)> {
        let taken: Vec<_> = self.by_event.extract_if(|_, _| true).take(most).collect();
        let bytes: usize = taken.iter().map(|(event, _)| event.identifier.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
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
    use super::{Event, FlushTurn, HOUR, MOST_MEMBERS, Sums, commands, member};
    use crate::store::command::Call;
    use std::collections::HashSet;
    use std::time::Duration;

    fn event(identifier: &str, success: bool, hour: u64) -> Event {
        Event {
            hour: hour * HOUR,
            identifier: identifier.to_owned(),
            success,
        }
    }

    fn sent(sums: &mut Sums) -> Vec<String> {
        let text = |args: Vec<bytes::Bytes>| {
            let args: Vec<_> = args
                .iter()
                .map(|arg| String::from_utf8_lossy(arg))
                .collect();
            args.join(" ")
        };
        let commands = commands(&sums.take(usize::MAX), "p");
        commands
            .into_iter()
            .filter_map(|command| match command.call {
                Call::Plain(args) => Some(text(args)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn events_of_one_hour_are_summed_under_their_member() {
        let mut sums = Sums::default();
        for _ in 0..3 {
            assert!(sums.add(event("u", true, 5), 1));
        }
        assert_eq!(
            sent(&mut sums),
            [
                r#"ZINCRBY p:events:18000000 3 {"identifier":"u","success":true}"#,
                "PEXPIRE p:events:18000000 7776000000",
            ]
        );
        assert!(sent(&mut sums).is_empty());
    }

    #[test]
    fn each_hour_and_each_outcome_has_its_own_sum() {
        let mut sums = Sums::default();
        sums.add(event("u", true, 0), 1);
        sums.add(event("u", false, 0), 1);
        sums.add(event("u", true, 1), 1);
        let sent = sent(&mut sums);
        let named = |name: &str| {
            sent.iter()
                .filter(|command| command.starts_with(name))
                .count()
        };
        assert_eq!((named("ZINCRBY"), named("PEXPIRE")), (3, 2));
    }

    #[test]
    fn sums_leave_in_parts_and_none_twice() {
        let mut sums = Sums::default();
        for id in 0..5 {
            sums.add(event(&id.to_string(), true, 0), 1);
        }
        let parts: Vec<_> = (0..4).map(|_| sums.take(2)).collect();
        let sizes: Vec<_> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 1, 0]);
        let all: HashSet<_> = parts.into_iter().flatten().collect();
        assert_eq!((all.len(), sums.bytes), (5, 0));
    }

    #[test]
    fn a_task_that_stands_still_is_replaced_and_cannot_end_the_turn_of_the_next() {
        let turn = FlushTurn::default();
        let at = Duration::from_secs;
        let stalled = turn.begin(at(0)).unwrap();
        assert_eq!(turn.begin(at(9)), None);
        let next = turn.begin(at(10)).unwrap();
        turn.end(stalled);
        assert_eq!(turn.begin(at(11)), None);
        turn.end(next);
        assert!(turn.begin(at(11)).is_some());
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
        let mut sums = Sums::default();
        let kept = (0..MOST_MEMBERS * 2)
            .filter(|id| sums.add(event(&id.to_string(), true, 0), 1))
            .count();
        assert_eq!(kept, MOST_MEMBERS);
        assert!(
            sums.add(event("0", true, 0), 1),
            "a known identifier is still counted"
        );
        sums.take(usize::MAX);
        assert!(!sums.add(event(&"x".repeat(2 << 20), true, 0), 1));
    }
}
