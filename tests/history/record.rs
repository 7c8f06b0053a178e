//! What has happened to each name, in real time, and whether what a read found fits.
//!
//! An operation begins when its order is written, and has ended when its answer is read. That is a little
//! before and a little after what its process would say, so a complaint is never about that difference.

use std::collections::HashMap;
use std::fmt::Write;

/// What an operation on a name does. Every one that changes something has a version of its own, and they
/// rise; what removes a value counts as a version without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Finds a version or loads one.
    Read,
    /// Finds a version or nothing.
    Get,
    /// Stores its version, or is refused because there is nothing to change.
    Write,
    /// Leaves nothing older behind. If it is not delivered, its own process believes nothing older.
    Remove,
    /// As [`Self::Remove`], from a data structure for which no process keeps invalidations.
    Erase,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Found(u64),
    /// Past its lifetime.
    Old(u64),
    Nothing,
    Done,
    Gone,
    /// It may have been done.
    Unknown,
    /// The caller went away.
    Dropped,
    Failed,
}

impl End {
    fn version(self) -> Option<u64> {
        match self {
            Self::Found(version) | Self::Old(version) => Some(version),
            _ => None,
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("found", version)) => Self::Found(version.parse().expect("a version")),
            Some(("old", version)) => Self::Old(version.parse().expect("a version")),
            _ => match text {
                "nothing" => Self::Nothing,
                "done" => Self::Done,
                "gone" => Self::Gone,
                "unknown" => Self::Unknown,
                "dropped" => Self::Dropped,
                "failed" => Self::Failed,
                other => panic!("an answer that nobody expects: {other}"),
            },
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) process: usize,
    pub(crate) verb: &'static str,
    pub(crate) act: Act,
    pub(crate) version: u64,
    /// When it began.
    pub(crate) began: u128,
    /// What a read must not be older than.
    floor: u64,
    /// The newest change when it began, and whether that one had stored its version and was acknowledged.
    newest: u64,
    newest_is_stored: bool,
}

#[derive(Debug, Default)]
struct State {
    newest: u64,
    /// Whether the newest change stored its version and was acknowledged, which nothing may undo.
    newest_is_stored: bool,
    acknowledged: u64,
    /// What a process has changed, whether or not it was delivered: it believes nothing older.
    own: HashMap<usize, u64>,
    under_way: bool,
    /// An invalidation of which a try had no answer may arrive late, and then costs a miss.
    may_miss: bool,
    events: Vec<String>,
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) reads: usize,
    pub(crate) found: usize,
    /// Those among them that were past their lifetime, and current all the same.
    pub(crate) old: usize,
    /// Reads that began after an acknowledged change.
    pub(crate) bound: usize,
    pub(crate) changes: usize,
    pub(crate) acknowledged: usize,
    pub(crate) unknown: usize,
    pub(crate) dropped: usize,
    pub(crate) failed: usize,
}

/// The history of every name.
#[derive(Debug, Default)]
pub(crate) struct Record {
    names: HashMap<String, State>,
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<String>,
}

impl Record {
    /// Whether a change of this name is under way: there is one at a time.
    pub(crate) fn is_changing(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|state| state.under_way)
    }

    /// How many changes of this name began.
    pub(crate) fn versions(&self, name: &str) -> u64 {
        self.names.get(name).map_or(0, |state| state.newest)
    }

    pub(crate) fn begin(
        &mut self,
        at: u128,
        name: &str,
        process: usize,
        verb: &'static str,
        act: Act,
    ) -> Operation {
        let state = self.names.entry(name.to_owned()).or_default();
        let own = state.own.get(&process).copied().unwrap_or(0);
        let (newest, newest_is_stored) = (state.newest, state.newest_is_stored);
        let floor = state.acknowledged.max(own);
        let mut version = 0;
        if !matches!(act, Act::Read | Act::Get) {
            state.newest += 1;
            state.newest_is_stored = false;
            state.under_way = true;
            version = state.newest;
        }
        let operation = Operation {
            name: name.to_owned(),
            process,
            verb,
            act,
            version,
            began: at,
            floor,
            newest,
            newest_is_stored,
        };
        state.events.push(format!(
            "{at:>8} us  process {process}  {verb} begins (version {version}, floor {floor})"
        ));
        operation
    }

    /// A process was killed: what it believed died with it.
    pub(crate) fn forget(&mut self, process: usize) {
        for state in self.names.values_mut() {
            state.own.remove(&process);
        }
    }

    /// `may_come_twice`: what it sent may have been held up, and sent again.
    pub(crate) fn end(&mut self, at: u128, operation: &Operation, end: End, may_come_twice: bool) {
        let Operation {
            name,
            process,
            verb,
            version,
            floor,
            newest,
            ..
        } = operation;
        let state = self.names.entry(name.clone()).or_default();
        state.events.push(format!(
            "{at:>8} us  process {process}  {verb} ends: {end:?} (version {version})"
        ));
        let counts = &mut self.counts;
        match end {
            End::Unknown => counts.unknown += 1,
            End::Dropped => counts.dropped += 1,
            End::Failed => counts.failed += 1,
            _ => {}
        }
        let mut complaint = None;
        if matches!(operation.act, Act::Read | Act::Get) {
            counts.reads += 1;
            let found = end.version();
            counts.found += usize::from(found.is_some());
            counts.old += usize::from(matches!(end, End::Old(_)));
            counts.bound += usize::from(*floor > 0 && (found.is_some() || end == End::Nothing));
            complaint = match (found, end) {
                (Some(found), _) if found < *floor => Some("an older version came back"),
                (Some(found), _) if found > state.newest => Some("a version that nobody wrote"),
                (None, End::Nothing)
                    if operation.newest_is_stored && state.newest == *newest && !state.may_miss =>
                {
                    Some("an acknowledged write is lost")
                }
                _ => None,
            };
        } else {
            counts.changes += 1;
            state.under_way = false;
            state.may_miss |= operation.act == Act::Remove && (end != End::Done || may_come_twice);
            if end == End::Gone && operation.newest_is_stored {
                complaint = Some("an acknowledged write is lost");
            }
            let delivered = end == End::Done;
            if delivered {
                counts.acknowledged += 1;
                state.acknowledged = *version;
                state.newest_is_stored = operation.act == Act::Write;
            }
            let believed = match operation.act {
                // `#[updates]` reads before its body runs; dropped then, it has changed nothing.
                Act::Remove => {
                    !matches!(*verb, "update" | "update_page" | "update_old") || end != End::Dropped
                }
                Act::Write => matches!(end, End::Done | End::Unknown | End::Dropped),
                _ => delivered,
            };
            // What a hash or a session holds is what the server says, whatever the process did.
            if believed && !matches!(*verb, "hset" | "screate" | "supdate" | "sdestroy") {
                state.own.insert(*process, *version);
            }
        }
        if let Some(complaint) = complaint {
            let mut text = format!("{complaint}: {name}, found {end:?} by {verb}, floor {floor}\n");
            let first = state.events.len().saturating_sub(24);
            // The latest, and before them the changes.
            let shown = state.events.iter().enumerate().filter(|(at, event)| {
                *at >= first
                    || (*at + 400 >= first
                        && !event.ends_with("(version 0)")
                        && !event.contains("(version 0,"))
            });
            for (_, event) in shown {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "    {event}");
            }
            self.violations.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(change: Act, end: End, read: End) -> Vec<String> {
        history(
            &[(Act::Write, End::Done, false), (change, end, false)],
            read,
        )
    }

    fn history(changes: &[(Act, End, bool)], read: End) -> Vec<String> {
        let mut record = Record::default();
        for (number, (act, end, twice)) in (0_u128..).zip(changes) {
            let operation = record.begin(number, "name", 0, "change", *act);
            record.end(number, &operation, *end, *twice);
        }
        let operation = record.begin(7, "name", 1, "get", Act::Get);
        record.end(8, &operation, read, false);
        record.violations
    }

    #[test]
    fn what_must_not_be_is_seen_and_what_may_be_is_not() {
        assert!(after(Act::Remove, End::Done, End::Found(1))[0].starts_with("an older version"));
        assert!(after(Act::Remove, End::Done, End::Old(1))[0].starts_with("an older version"));
        assert!(after(Act::Write, End::Done, End::Found(1))[0].starts_with("an older version"));
        assert!(after(Act::Write, End::Done, End::Nothing)[0].starts_with("an acknowledged write"));
        assert!(
            after(Act::Write, End::Done, End::Found(3))[0].starts_with("a version that nobody")
        );
        for (change, end, read) in [
            (Act::Write, End::Done, End::Found(2)),
            (Act::Write, End::Unknown, End::Found(1)),
            (Act::Write, End::Unknown, End::Nothing),
            (Act::Write, End::Failed, End::Found(1)),
            (Act::Remove, End::Done, End::Nothing),
            (Act::Remove, End::Unknown, End::Found(1)),
            (Act::Remove, End::Unknown, End::Old(1)),
        ] {
            assert_eq!(
                after(change, end, read),
                [""; 0],
                "{change:?} {end:?} {read:?}"
            );
        }
    }
    /// Its first try was held up, and arrives when a later value is there.
    #[test]
    fn an_invalidation_that_was_sent_twice_may_cost_a_miss() {
        let twice = |twice| {
            let changes = [
                (Act::Remove, End::Done, twice),
                (Act::Write, End::Done, false),
            ];
            history(&changes, End::Nothing)
        };
        assert!(twice(false)[0].starts_with("an acknowledged write"));
        assert_eq!(twice(true), [""; 0]);
    }
}
