//! How often each identifier was allowed and refused in each hour, in the format of the Upstash console.

use super::event_names::{EventNames, HALF, OTHERS};
use crate::store::command::{Command, Effect, Script};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub(super) const HOUR: u64 = 60 * 60 * 1000;

/// The console shows days; `@upstash/ratelimit` lets them never expire.
const RETENTION: u64 = 30 * 24 * HOUR;

/// So many different identifiers are summed between two batches, and so many bytes of them: beyond,
/// events are dropped and counted. Identifiers are chosen by clients.
const MOST_MEMBERS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;

/// So many prefixes have names of their own in an hour; events of others are summed as one name.
const MOST_PREFIXES: usize = 256;

/// What has been counted and not sent.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    by_event: HashMap<Event, u64>,
    bytes: usize,
    /// Who is counted by name in this hour, by the prefix of the limit.
    names: HashMap<Arc<str>, EventNames>,
    hour: u64,
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Event {
    prefix: Arc<str>,
    hour: u64,
    identifier: String,
    /// Whether the identifier has a name because of the number of its calls.
    is_frequent: bool,
    success: bool,
}

/// An event, and how often it happened.
pub(super) type Sum = (Event, u64);

impl Sums {
    /// How many different events wait.
    pub(super) fn len(&self) -> usize {
        self.by_event.len()
    }

    /// Counts a check by this identifier at a limit on this prefix; `false` if that was dropped because too much is
    /// waiting.
    pub(super) fn count(
        &mut self,
        prefix: &str,
        identifier: &str,
        success: bool,
        now: u64,
    ) -> bool {
        let hour = now - now % HOUR;
        if hour != self.hour {
            self.hour = hour;
            self.names.clear();
        }
        let prefix: Arc<str> = match self.names.get_key_value(prefix) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(prefix),
        };
        let (name, is_frequent) =
            if self.names.len() >= MOST_PREFIXES && !self.names.contains_key(&prefix) {
                (OTHERS, false)
            } else {
                let names = self.names.entry(Arc::clone(&prefix)).or_default();
                let name = names.name_of(identifier);
                (name, names.is_frequent(name))
            };
        let event = Event {
            prefix,
            hour,
            identifier: name.to_owned(),
            is_frequent,
            success,
        };
        self.add(event, 1)
    }

    /// Counts; `false` if that was dropped because too much is waiting.
    pub(super) fn add(&mut self, event: Event, count: u64) -> bool {
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
    pub(super) fn take(&mut self, most: usize) -> Vec<Sum> {
        let taken: Vec<_> = self.by_event.extract_if(|_, _| true).take(most).collect();
        let bytes: usize = taken.iter().map(|(event, _)| event.identifier.len()).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
    }
}

/// The sums of one hour at the limits of one prefix, and the script that adds them to what the store has.
pub(super) fn batches(sums: Vec<Sum>) -> Vec<(Command, Vec<Sum>)> {
    let mut by_key: BTreeMap<(Arc<str>, u64), Vec<Sum>> = BTreeMap::new();
    for (event, sum) in sums {
        let key = (Arc::clone(&event.prefix), event.hour);
        by_key.entry(key).or_default().push((event, sum));
    }
    let batches = by_key.into_iter();
    batches
        .map(|((prefix, hour), sums)| {
            let key = Bytes::from(format!("{prefix}:events:{hour}"));
            (add(key, &sums), sums)
        })
        .collect()
}

fn add(key: Bytes, sums: &[Sum]) -> Command {
    let digits = |number: u64| Bytes::from(number.to_string());
    let half = u64::try_from(HALF).unwrap_or(u64::MAX);
    let mut args = vec![digits(RETENTION), digits(half), digits(2 * half)];
    args.push(json(OTHERS));
    for (event, sum) in sums {
        let is_frequent = u64::from(event.is_frequent);
        let success = Bytes::from(event.success.to_string());
        args.extend([
            digits(*sum),
            json(&event.identifier),
            success,
            digits(is_frequent),
        ]);
    }
    Command::script(Script::LimitEvents, Effect::Once, [key], args)
}

/// As JavaScript writes it: members of the set are texts, `{"identifier":"u","success":true}`, and any other
/// spelling would be another member.
fn json(identifier: &str) -> Bytes {
    Bytes::from(serde_json::Value::from(identifier).to_string())
}

#[cfg(test)]
mod tests {
    use super::{Event, HOUR, MOST_MEMBERS, Sums, batches, json};
    use crate::store::command::Call;
    use std::collections::HashSet;
    fn event(identifier: &str, success: bool, hour: u64) -> Event {
        Event {
            prefix: "p".into(),
            hour: hour * HOUR,
            identifier: identifier.to_owned(),
            is_frequent: false,
            success,
        }
    }

    /// Key and arguments of each script.
    fn sent(sums: &mut Sums) -> Vec<String> {
        let text = |args: &[bytes::Bytes]| {
            let args = args.iter().map(|arg| String::from_utf8_lossy(arg));
            args.collect::<Vec<_>>().join(" ")
        };
        let batches = batches(sums.take(usize::MAX));
        let scripts = batches
            .into_iter()
            .filter_map(|(command, _)| match command.call {
                Call::Script { keys, args, .. } => Some(format!("{} {}", text(&keys), text(&args))),
                _ => None,
            });
        scripts.collect()
    }

    #[test]
    fn events_of_one_hour_are_summed_under_their_member() {
        let mut sums = Sums::default();
        for _ in 0..3 {
            assert!(sums.add(event("u", true, 5), 1));
        }
        assert_eq!(
            sent(&mut sums),
            [r#"p:events:18000000 2592000000 100 200 "%others" 3 "u" true 0"#]
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
        let named = sent.iter().map(|script| script.matches("\"u\"").count());
        assert_eq!(named.collect::<Vec<_>>(), [2, 1]);
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
    fn identifiers_are_escaped_as_javascript_does_it() {
        let written = json("a\"b\\c\u{8}\u{c}\n\u{1f}\u{7f}\u{2028}é😀/");
        let expected = "\"a\\\"b\\\\c\\b\\f\\n\\u001f\u{7f}\u{2028}é😀/\"";
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
