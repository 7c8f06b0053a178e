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

struct Labels(RwLock<Known>);

struct Known {
    names: BTreeSet<Arc<str>>,
    /// How many of them the program does not declare.
    undeclared: usize,
}

static PREFIXES: Labels = Labels::none();
static KINDS: Labels = Labels::none();

impl Labels {
    const fn none() -> Self {
        Self(RwLock::new(Known {
            names: BTreeSet::new(),
            undeclared: 0,
        }))
    }

    fn of(&self, name: &str) -> SharedString {
        if let Some(known) = sync::read(&self.0).names.get(name) {
            return SharedString::from_shared(Arc::clone(known));
        }
        if name.is_empty() || name.len() > LONGEST {
            return SharedString::const_str(OTHER);
        }
        let mut known = sync::write(&self.0);
        if !known.names.contains(name) {
            if known.undeclared >= MOST {
                return SharedString::const_str(OTHER);
            }
            known.undeclared += 1;
        }
        known.insert(name)
    }

    #[cfg(feature = "catalogue")]
    fn declared(&self, name: &str) -> SharedString {
        if let Some(known) = sync::read(&self.0).names.get(name) {
            return SharedString::from_shared(Arc::clone(known));
        }
        sync::write(&self.0).insert(name)
    }
}

impl Known {
    fn insert(&mut self, name: &str) -> SharedString {
        let name: Arc<str> = name.into();
        self.names.insert(Arc::clone(&name));
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

/// The label of a kind that an attribute declares, which has one of its own.
#[cfg(feature = "catalogue")]
pub(super) fn declared_kind(kind: &str) -> SharedString {
    KINDS.declared(kind)
}

/// The label of a kind of limits.
pub(super) fn kind(kind: &str) -> SharedString {
    KINDS.of(kind)
}

#[cfg(test)]
mod tests {
    use super::{Labels, MOST, OTHER};

    #[test]
    fn only_so_many_names_have_a_label_that_the_program_does_not_declare() {
        let labels = Labels::none();
        let label = |name: &str| labels.of(name).to_string();
        for n in 0..MOST {
            assert_eq!(label(&format!("n{n}")), format!("n{n}"));
        }
        assert_eq!(label("one more"), OTHER);
        assert_eq!(label("n7"), "n7");
        assert_eq!(&*Labels::none().of(&"x".repeat(101)), OTHER);
        assert_eq!(&*Labels::none().of(""), OTHER);
    }

    #[cfg(feature = "catalogue")]
    #[test]
    fn what_the_program_declares_takes_the_place_of_no_other_name() {
        let labels = Labels::none();
        let long = "x".repeat(101);
        assert_eq!(&*labels.declared(&long), &*long);
        assert_eq!(&*labels.of(&long), &*long);
        for n in 0..2 * MOST {
            labels.declared(&format!("declared {n}"));
        }
        for n in 0..MOST {
            assert_eq!(&*labels.of(&format!("n{n}")), format!("n{n}"));
        }
        assert_eq!(&*labels.of("one more"), OTHER);
        assert_eq!(&*labels.declared("one more"), "one more");
        assert_eq!(&*labels.of("one more"), "one more");
    }
}
