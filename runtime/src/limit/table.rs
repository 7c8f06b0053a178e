//! The budgets of one limit in this process, bounded: what has most left is forgotten first, and what is used up
//! is never displaced. When everything in the table is used up, newcomers share a few budgets until windows end.

use super::algorithm::{Held, LEVELS, Rule, USED_UP};
use super::budgets::{BudgetKey, BudgetMap};
use super::snapshot::Snapshot;
use crate::clock::Moment;
use std::collections::HashMap;
use std::time::Duration;

/// So many identifiers have a budget of their own.
const MOST: usize = 20_000;

/// So many budgets are shared by those who come when all of them are used up.
const SHARED: usize = 1_024;

/// Each newcomer looks at so many others, to free what no longer counts: every call costs the same.
const LOOKED_AT: usize = 2;

const NONE: u32 = u32::MAX;

/// What is known of a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Plans of one kind have other numbers for the same budget.
    pub(crate) rule: Rule,
    pub(crate) snapshot: Snapshot,
    /// By the monotonic clock, when nothing of it can count any more, whatever the wall clock did.
    pub(crate) ends: Duration,
}

impl Budget {
    pub(crate) fn held(&self, rule: Rule, now: Moment) -> Held {
        self.snapshot.at_or_before(rule, now.unix_ms())
    }

    fn is_spent(&self, now: Moment) -> bool {
        self.ends <= now.monotonic || self.snapshot.is_spent(self.rule, now.unix_ms())
    }

    fn list(&self, now: Moment) -> usize {
        let rule = self.rule;
        let left = rule.check(self.held(rule, now), now.unix_ms(), 0).remaining;
        rule.level(left)
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Table {
    places: BudgetMap<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// By how much is used; the last one is of what is used up.
    lists: [List; LEVELS],
    hand: usize,
    shared: HashMap<u16, Budget>,
}

#[derive(Debug)]
struct Entry {
    key: BudgetKey,
    budget: Budget,
    list: u8,
    before: u32,
    after: u32,
}

/// Oldest first.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn new() -> Self {
        let empty = List {
            first: NONE,
            last: NONE,
        };
        Self {
            places: BudgetMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            lists: [empty; LEVELS],
            hand: 0,
            shared: HashMap::new(),
        }
    }

    /// The budget of this name. A newcomer who would find no room gets one that is shared.
    pub(crate) fn find(&mut self, key: &BudgetKey, now: Moment) -> Option<Budget> {
        let own = self.places.get(key).copied();
        let own = own.and_then(|place| self.entries.get(place as usize));
        let budget = match own.map(|entry| entry.budget) {
            Some(budget) => Some(budget),
            None if self.has_room(now) => None,
            None => self.shared.get(&shared_place(key)).copied(),
        };
        budget.filter(|budget| budget.ends > now.monotonic)
    }

    /// Replaces what is known of a budget, or begins to know it.
    pub(crate) fn put(&mut self, key: BudgetKey, budget: Budget, now: Moment) {
        let list = budget.list(now);
        if let Some(place) = self.places.get(&key).copied() {
            self.unlink(place);
            if let Some(entry) = self.entries.get_mut(place as usize) {
                entry.budget = budget;
            }
            self.link(place, list);
            return;
        }
        if !self.has_room(now) {
            self.shared.insert(shared_place(&key), budget);
            return;
        }
        if self.places.len() >= MOST {
            self.displace();
        }
        let entry = Entry {
            key,
            budget,
            list: 0,
            before: NONE,
            after: NONE,
        };
        let place = if let Some(place) = self.free.pop() {
            if let Some(free) = self.entries.get_mut(place as usize) {
                *free = entry;
            }
            place
        } else {
            // Doubled as vectors are, but for the last time.
            if self.entries.len() == self.entries.capacity() {
                let more = self.entries.len().clamp(4, MOST);
                self.entries
                    .reserve_exact(more.min(MOST - self.entries.len().min(MOST)).max(1));
            }
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).unwrap_or(NONE)
        };
        self.places.insert(key, place);
        self.link(place, list);
    }

    pub(crate) fn remove(&mut self, key: &BudgetKey) {
        if let Some(place) = self.places.remove(key) {
            self.unlink(place);
            self.free.push(place);
        }
    }

    /// Frees what is spent at the clock hand; whether a newcomer can have a budget of its own.
    fn has_room(&mut self, now: Moment) -> bool {
        if self.places.len() < MOST {
            return true;
        }
        for _ in 0..LOOKED_AT {
            self.hand = (self.hand + 1) % self.entries.len().max(1);
            self.look_at(self.hand, now);
        }
        self.places.len() < MOST || self.lists[..USED_UP].iter().any(|list| list.first != NONE)
    }

    fn look_at(&mut self, place: usize, now: Moment) {
        let Some(entry) = self.entries.get(place) else {
            return;
        };
        let (key, budget, listed) = (entry.key, entry.budget, usize::from(entry.list));
        let place = u32::try_from(place).unwrap_or(NONE);
        if self.places.get(&key) != Some(&place) {
            return;
        }
        if budget.is_spent(now) {
            self.remove(&key);
            return;
        }
        let list = budget.list(now);
        if list != listed {
            self.unlink(place);
            self.link(place, list);
        }
    }

    /// Forgets who has most left, and of those whoever was counted longest ago.
    fn displace(&mut self) {
        let first = self.lists[..USED_UP].iter().map(|list| list.first);
        let Some(place) = first.into_iter().find(|first| *first != NONE) else {
            return;
        };
        if let Some(key) = self.entries.get(place as usize).map(|entry| entry.key) {
            self.remove(&key);
        }
    }

    fn link(&mut self, place: u32, list: usize) {
        let before = self.lists[list].last;
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.list = u8::try_from(list).unwrap_or(0);
            entry.before = before;
            entry.after = NONE;
        }
        match self.entries.get_mut(before as usize) {
            Some(entry) if before != NONE => entry.after = place,
            _ => self.lists[list].first = place,
        }
        self.lists[list].last = place;
    }

    fn unlink(&mut self, place: u32) {
        let Some(entry) = self.entries.get(place as usize) else {
            return;
        };
        let (list, before, after) = (usize::from(entry.list), entry.before, entry.after);
        match self.entries.get_mut(before as usize) {
            Some(entry) if before != NONE => entry.after = after,
            _ => self.lists[list].first = after,
        }
        match self.entries.get_mut(after as usize) {
            Some(entry) if after != NONE => entry.before = before,
            _ => self.lists[list].last = before,
        }
    }
}

/// Which of the shared budgets a newcomer gets; nobody can choose it, since the hash has a key.
fn shared_place(key: &BudgetKey) -> u16 {
    let place = key.number() % SHARED as u64;
    u16::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Budget, Entry, MOST, Table};
    use crate::clock::Moment;
    use crate::limit::AUTH;
    use crate::limit::algorithm::Held;
    use crate::limit::budgets::BudgetKey;
    use crate::limit::snapshot::Snapshot;
    use std::time::Duration;

    /// The guide says how much memory a limit takes in an outage.
    #[test]
    fn a_full_table_takes_what_the_documentation_says() {
        let mut table = Table::new();
        let (rule, now) = (AUTH.rule(), Moment::default());
        for id in 0..4 * MOST {
            let held = rule.check(Held::default(), 0, 1).change;
            let snapshot = Snapshot::after(rule, Held::default(), held, 0);
            let ends = Duration::from_secs(60);
            let budget = Budget {
                rule,
                snapshot,
                ends,
            };
            table.put(BudgetKey::new(&id.to_string(), rule), budget, now);
        }
        assert_eq!(table.places.len(), MOST);
        // Tables of the standard library are at most 7/8 full, with a byte beside each place.
        let places = (table.places.capacity() * 8 / 7) * (size_of::<(BudgetKey, u32)>() + 1);
        let entries = table.entries.capacity() * size_of::<Entry>();
        let bytes = places + entries + table.free.capacity() * 4;
        assert!(
            (2_900_000..4_100_000).contains(&bytes),
            "{bytes}: {places} and {entries}"
        );
    }
}
