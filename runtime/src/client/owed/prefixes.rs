//! What is owed for more keys than memory is spent on: their prefixes, until each has been walked through.

use super::filter::Filter;
use super::owed_key::Owed;
use crate::key::FullKey;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;

/// The prefixes for whose keys something is owed. Which keys of theirs, the filters say.
pub(super) struct Prefixes {
    owed: BTreeMap<Bytes, OwedPrefix>,
    /// The keys whose values are to be removed.
    removed: Filter,
    /// The keys of which only what was written is to be given up.
    given_up: Filter,
    bytes: usize,
    most: usize,
}

struct OwedPrefix {
    number: u64,
    /// Since when nothing more is owed under it.
    last: Duration,
    /// Counts what was added.
    version: u64,
    /// Whether it was walked through since.
    is_walked: bool,
    /// Until something of it is delivered. What is owed later has a number of its own, so that it takes nothing
    /// away that was stored meanwhile.
    is_open: bool,
}

/// The prefix of all keys, where even prefixes are too many. No text holds this byte.
pub(super) const ALL: &[u8] = b"\xff";

/// What the next look at prefixes finds.
pub(crate) enum NextWalk {
    Now(Walk),
    /// Nothing before this time is over.
    After(Duration),
    None,
}

/// A prefix whose keys are to be walked through.
pub(crate) struct Walk {
    pub(crate) prefix: Bytes,
    began: Duration,
    version: u64,
}

/// About how many bytes a prefix takes up.
fn weight(prefix: &[u8]) -> usize {
    prefix.len() + 256
}

impl Walk {
    /// Whether it goes through all keys, whatever their prefixes.
    pub(crate) fn is_of_all(&self) -> bool {
        self.prefix == ALL
    }
}

impl Prefixes {
    /// None yet, in so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            owed: BTreeMap::new(),
            removed: Filter::new(bytes / 16 * 3),
            given_up: Filter::new(bytes / 16),
            bytes: 0,
            most: bytes / 4,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.owed.len()
    }

    /// Whether what is owed for a key of this prefix needs no place of its own.
    pub(super) fn takes(&self, prefix: &[u8]) -> bool {
        self.under(prefix).is_some_and(|(_, owed)| owed.is_open)
    }

    /// The prefix that is owed for keys of this one: itself, or that of all keys.
    fn under(&self, prefix: &[u8]) -> Option<(&Bytes, &OwedPrefix)> {
        let all = || self.owed.get_key_value(ALL);
        self.owed.get_key_value(prefix).or_else(all)
    }

    /// Remembers what is owed for a key of this prefix.
    pub(super) fn add(&mut self, prefix: &[u8], owed: &Owed, now: Duration) {
        let filter = if owed.removes {
            &mut self.removed
        } else {
            &mut self.given_up
        };
        filter.insert(&owed.key.value);
        if self.under(prefix).is_none() {
            self.bytes += weight(prefix);
            if self.bytes > self.most {
                self.fold();
            }
        }
        let key = if self.owed.contains_key(ALL) {
            Bytes::from_static(ALL)
        } else {
            // Not a part of the key, which would stay in memory with it.
            Bytes::copy_from_slice(prefix)
        };
        let under = self.owed.entry(key).or_insert(OwedPrefix {
            number: 0,
            last: now,
            version: 0,
            is_walked: false,
            is_open: true,
        });
        *under = OwedPrefix {
            number: under.number.max(owed.number),
            last: now,
            version: under.version + 1,
            is_walked: false,
            is_open: true,
        };
    }

    /// Even prefixes are too many: one that all keys have.
    fn fold(&mut self) {
        let folded = std::mem::take(&mut self.owed)
            .into_values()
            .reduce(|one, other| OwedPrefix {
                number: one.number.max(other.number),
                last: one.last.max(other.last),
                version: one.version + other.version,
                is_walked: false,
                is_open: one.is_open || other.is_open,
            });
        self.bytes = 0;
        let all = Bytes::from_static(ALL);
        self.owed.extend(folded.map(|folded| (all, folded)));
    }

    /// What is owed for a key of this prefix, if it may be one of those that were too many.
    pub(super) fn owed(&self, prefix: &[u8], key: &FullKey) -> Option<Owed> {
        let (_, OwedPrefix { number, .. }) = self.under(prefix)?;
        let removes = self.removed.contains(&key.value);
        (removes || self.given_up.contains(&key.value)).then(|| Owed {
            key: key.clone(),
            number: *number,
            removes,
        })
    }

    /// Something was delivered for a key of this prefix.
    pub(super) fn close(&mut self, prefix: &[u8]) {
        let key = self.under(prefix).map(|(key, _)| key.clone());
        if let Some(owed) = key.and_then(|key| self.owed.get_mut(&key)) {
            owed.is_open = false;
        }
    }

    /// Which prefix is to be walked through now: one that was not since something was last owed under it, so that
    /// others see what is owed soon, and again when `settle` has passed since, so that no load is under way any
    /// more that began before.
    pub(super) fn next(&self, now: Duration, settle: Duration, may_walk_all: bool) -> NextWalk {
        let mut wait: Option<Duration> = None;
        for (prefix, owed) in &self.owed {
            if prefix == ALL && !may_walk_all {
                continue;
            }
            let settles = owed.last.saturating_add(settle);
            if !owed.is_walked || now >= settles {
                return NextWalk::Now(Walk {
                    prefix: prefix.clone(),
                    began: now,
                    version: owed.version,
                });
            }
            let left = settles.saturating_sub(now);
            wait = Some(wait.map_or(left, |wait| wait.min(left)));
        }
        wait.map_or(NextWalk::None, NextWalk::After)
    }

    /// A walk has come to its end; whether the prefix is owed no longer.
    pub(super) fn walked(&mut self, walk: &Walk, settle: Duration) -> bool {
        let Some(owed) = self.owed.get_mut(&walk.prefix) else {
            return false;
        };
        // Otherwise more is owed since, for keys that it may have passed.
        if owed.version != walk.version {
            return false;
        }
        owed.is_walked = true;
        let is_settled = walk.began >= owed.last.saturating_add(settle);
        if is_settled {
            self.owed.remove(&walk.prefix);
            self.bytes = self.bytes.saturating_sub(weight(&walk.prefix));
        }
        is_settled
    }
}
