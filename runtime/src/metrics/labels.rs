//! The values of labels: as many as the program has functions and limits, and a bounded number of others, whatever
//! keys and limits are made of.

use crate::sync;
use metrics::SharedString;
use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

/// How many values each label has beside those that the program declares.
const MOST: usize = 100;

/// Longer text is no name that somebody gave.
const LONGEST: usize = 100;

/// The value for what has none of its own. No prefix of a function and no kind looks like it.
const OTHER: &str = "(other)";

struct Labels(RwLock<BTreeSet<Arc<str>>>);

static PREFIXES: Labels = Labels::none();
static KINDS: Labels = Labels::none();

impl Labels {
    const fn none() -> Self {
        Self(RwLock::new(BTreeSet::new()))
    }

    fn of(&self, name: &str) -> SharedString {
        if name.is_empty() || name.len() > LONGEST {
            return SharedString::const_str(OTHER);
        }
        if let Some(known) = sync::read(&self.0).get(name) {
            return SharedString::from_shared(Arc::clone(known));
        }
        let mut known = sync::write(&self.0);
        if known.len() >= MOST && !known.contains(name) {
            return SharedString::const_str(OTHER);
        }
        let name: Arc<str> = name.into();
        known.insert(Arc::clone(&name));
        SharedString::from_shared(name)
    }
}

/// The label of a prefix; those of functions have one of their own.
pub(super) fn prefix(prefix: &str, is_declared: bool) -> SharedString {
    if is_declared {
        SharedString::from_owned(prefix.to_owned())
    } else {
        PREFIXES.of(prefix)
    }
}

/// The label of a kind of limits.
pub(super) fn kind(kind: &str) -> SharedString {
    KINDS.of(kind)
}
