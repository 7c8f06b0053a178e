//! Which callers a process counts by name in an hour: clients choose identifiers, so a database must not hold all of
//! them. The script that adds up what all processes count holds the same bounds for the database.
//!
//! Half of the names are those that came first. The others are those that a space-saving sketch shows to make more
//! than one call in 250; all who have no name are [`OTHERS`].

use std::collections::{HashMap, HashSet};

/// So many names come first, and as many come by the number of their calls.
pub(super) const HALF: usize = 100;

/// Counters of the sketch; whoever makes more than this part of all calls is in it.
const COUNTERS: usize = 250;

/// The name of those who have none. No identifier is stored under it, since one that is called so is hashed.
pub(super) const OTHERS: &str = "%others";

/// The names of one hour, at the limits of one prefix.
#[derive(Debug, Default)]
pub(super) struct EventNames {
    first: HashSet<Box<str>>,
    frequent: HashSet<Box<str>>,
    sketch: HashMap<Box<str>, Seen>,
    calls: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    calls: u64,
    /// How many of them may have been somebody else's.
    inherited: u64,
}

impl EventNames {
    /// Whether this is the name of somebody who makes many calls.
    pub(super) fn is_frequent(&self, name: &str) -> bool {
        self.frequent.contains(name)
    }

    /// The name under which a call of this caller is counted.
    pub(super) fn name_of<'a>(&mut self, id: &'a str) -> &'a str {
        if self.first.contains(id) || self.frequent.contains(id) {
            return id;
        }
        if self.first.len() < HALF {
            self.first.insert(id.into());
            return id;
        }
        self.calls += 1;
        if self.frequent.len() < HALF && self.counts_as_frequent(id) {
            self.sketch.remove(id);
            self.frequent.insert(id.into());
            return id;
        }
        OTHERS
    }

    /// Counts a call in the sketch (Metwally, Agrawal, El Abbadi: the caller with the fewest calls gives way, and
    /// the next one inherits their number).
    fn counts_as_frequent(&mut self, id: &str) -> bool {
        if !self.sketch.contains_key(id) {
            let seen = self.begin();
            self.sketch.insert(id.into(), seen);
        }
        let Some(seen) = self.sketch.get_mut(id) else {
            return false;
        };
        seen.calls += 1;
        // A few calls say nothing yet.
        let certain = seen.calls - seen.inherited;
        let enough = u64::try_from(COUNTERS).unwrap_or(u64::MAX);
        self.calls >= enough && certain.saturating_mul(enough) > self.calls
    }

    /// A counter for one more; a full sketch has one left over after forgetting the caller with the fewest calls.
    fn begin(&mut self) -> Seen {
        let mut seen = Seen::default();
        if self.sketch.len() >= COUNTERS {
            let fewest = self.sketch.iter().min_by_key(|(_, seen)| seen.calls);
            if let Some((id, calls)) = fewest.map(|(id, seen)| (id.clone(), seen.calls)) {
                self.sketch.remove(&id);
                seen.calls = calls;
                seen.inherited = calls;
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::{EventNames, HALF, OTHERS};
    use std::collections::HashSet;

    #[test]
    fn of_eight_thousand_addresses_a_hundred_have_names_and_an_abuser_gets_one() {
        let mut names = EventNames::default();
        let mut seen = HashSet::new();
        let mut abuser = 0;
        for call in 0..80_000_u32 {
            let id = format!("10.0.{}.{}", call % 8_000 / 250, call % 250);
            seen.insert(names.name_of(&id).to_owned());
            if call % 20 == 0 {
                let name = names.name_of("203.0.113.9");
                abuser += u32::from(name != OTHERS);
                seen.insert(name.to_owned());
            }
        }
        assert!(abuser > 3_900, "{abuser}");
        assert!(seen.contains(OTHERS));
        assert!(seen.len() <= 2 * HALF + 1, "{}", seen.len());
    }
}
