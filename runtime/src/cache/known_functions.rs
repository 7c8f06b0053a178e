//! The cached functions that a `Millpond` has answered for: what it remembers of each, and which of them can
//! use the same keys.

use super::cached_function::{CachedFunction, Locality};
#[cfg(feature = "catalogue")]
use super::function_site;
use super::key_form::KeyForm;
use crate::key::Tag;
use crate::stats::Counters;
use crate::sync;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// How many values of a function may prove unreadable, one after another, until it stores no more.
const MOST_UNREADABLE: u8 = 3;

/// What is remembered of one function.
#[derive(Default)]
pub(crate) struct FunctionState {
    pub(crate) counters: Arc<Counters>,
    /// Something that was read was no value of the function, since the last value that was found to be
    /// readable.
    is_suspect: AtomicBool,
    /// Values in a row that would not have been read back.
    unreadable: AtomicU8,
    has_said_unstorable: AtomicBool,
    has_said_unusable: AtomicBool,
    /// By key, the tags of values that were not stored.
    tags_of: Mutex<HashMap<String, Vec<Tag>>>,
}

/// Of how many keys the tags are remembered.
const MOST_LEARNED: usize = 1_024;

impl FunctionState {
    /// What was found is no value of the function; whether the next one would be read back is then seen
    /// before it is stored.
    pub(crate) fn found_garbage(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.is_suspect.load(Ordering::Relaxed)
    }

    /// A value would be read back.
    pub(crate) fn is_readable(&self) {
        self.is_suspect.store(false, Ordering::Relaxed);
        self.unreadable.store(0, Ordering::Relaxed);
    }

    /// A value would not be read back; true when the function stores no more from now on.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.is_suspect.store(true, Ordering::Relaxed);
        let more = |number: u8| Some(number.saturating_add(1));
        let before = self
            .unreadable
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before == Ok(MOST_UNREADABLE - 1)
    }

    /// Whether its values have proved unreadable too often.
    pub(crate) fn stores_no_more(&self) -> bool {
        self.unreadable.load(Ordering::Relaxed) >= MOST_UNREADABLE
    }

    /// Whether to say that a value cannot be stored: once.
    pub(crate) fn says_unstorable(&self) -> bool {
        !self.has_said_unstorable.swap(true, Ordering::Relaxed)
    }

    /// A value with these tags was not stored.
    pub(crate) fn learn_tags(&self, key: &str, tags: Vec<Tag>) {
        let mut learned = sync::lock(&self.tags_of);
        if learned.len() >= MOST_LEARNED {
            learned.clear();
        }
        learned.insert(key.to_owned(), tags);
    }

    /// The tags of the last value under this key which was not stored; once.
    pub(crate) fn tags_of(&self, key: &str) -> Option<Vec<Tag>> {
        sync::lock(&self.tags_of).remove(key)
    }

    /// Whether to say that a key cannot be used: once.
    pub(crate) fn says_unusable(&self) -> bool {
        !self.has_said_unusable.swap(true, Ordering::Relaxed)
    }
}

/// The same function, for the same values on the same type: their addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    function: usize,
    value_type: usize,
    owner: usize,
}

impl Id {
    #[inline]
    fn of(function: &'static CachedFunction, value_type: &'static str, owner: Owner) -> Self {
        Self {
            function: std::ptr::from_ref(function) as usize,
            value_type: value_type.as_ptr() as usize,
            owner: owner.map_or(0, |owner| owner.as_ptr() as usize),
        }
    }

    /// One of [`PLACES`], and another one for most functions of a program.
    #[inline]
    fn place(self) -> usize {
        (self.function / size_of::<CachedFunction>()) % PLACES
    }
}

/// Where a function stands that is found without a lock: one of them in each place.
const PLACES: usize = 64;

/// The functions that were called. There are no more of them than the program has.
pub(crate) struct KnownFunctions {
    states: RwLock<BTreeMap<Id, Arc<FunctionState>>>,
    /// Those that were called first.
    first: [OnceLock<(Id, Arc<FunctionState>)>; PLACES],
    /// By prefix and version: only those can use the same keys.
    by_prefix: Mutex<HashMap<PrefixAndVersion, Vec<Known>>>,
    /// By the name of the function, and its prefix, which may depend on the type around it.
    owners: Mutex<HashMap<(&'static str, &'static str), Owner>>,
}

/// The type around a function, until two types were found there, which is reported once.
type Owner = Option<&'static str>;

impl Default for KnownFunctions {
    fn default() -> Self {
        Self {
            states: RwLock::default(),
            first: [const { OnceLock::new() }; PLACES],
            by_prefix: Mutex::default(),
            owners: Mutex::default(),
        }
    }
}

type PrefixAndVersion = (&'static str, Option<u32>);

struct Known {
    function: &'static CachedFunction,
    value_type: &'static str,
    form: KeyForm,
}

impl KnownFunctions {
    /// Uses what is remembered of a function that was called before.
    #[inline]
    pub(crate) fn with_known<T>(
        &self,
        function: &'static CachedFunction,
        value_type: &'static str,
        owner: Owner,
        then: impl FnOnce(&Arc<FunctionState>) -> T,
    ) -> Option<T> {
        let id = Id::of(function, value_type, owner);
        let looked_up;
        let state = match self.first[id.place()].get() {
            Some((first, state)) if *first == id => state,
            _ => {
                // Nothing is locked while it is used.
                looked_up = sync::read(&self.states).get(&id).map(Arc::clone)?;
                &looked_up
            }
        };
        Some(then(state))
    }

    /// What is remembered of a function, and whether this is its first call.
    pub(crate) fn state(
        &self,
        function: &'static CachedFunction,
        value_type: &'static str,
        owner: Owner,
        counters: impl FnOnce() -> Arc<Counters>,
    ) -> (Arc<FunctionState>, bool) {
        if let Some(state) = self.with_known(function, value_type, owner, Arc::clone) {
            return (state, false);
        }
        let state = Arc::new(FunctionState {
            counters: counters(),
            ..FunctionState::default()
        });
        let id = Id::of(function, value_type, owner);
        let is_first = sync::write(&self.states)
            .insert(id, Arc::clone(&state))
            .is_none();
        if is_first {
            let _ = self.first[id.place()].set((id, Arc::clone(&state)));
            #[cfg(feature = "catalogue")]
            function_site::called(function, owner, value_type);
            // What stays in this process never shares an entry with another function.
            if function.locality != Locality::Only {
                self.compare(function, value_type);
            }
            if let Some(owner) = owner {
                self.check_owner(function, owner);
            }
        }
        (state, is_first)
    }

    /// Reports every function known so far that can use a key of this one.
    fn compare(&self, function: &'static CachedFunction, value_type: &'static str) {
        let form = KeyForm::of(function.template);
        let mut by_prefix = sync::lock(&self.by_prefix);
        let known = by_prefix
            .entry((function.prefix, function.version))
            .or_default();
        for other in &*known {
            let is_same = other.function.name == function.name;
            // A generic function is several, which may have one value type: then it may have one key.
            if (is_same && other.value_type == value_type) || !form.meets(&other.form) {
                continue;
            }
            #[cfg(feature = "catalogue")]
            if function_site::was_reported(function, other.function) {
                continue;
            }
            report(function, value_type, other, form.equals(&other.form));
        }
        // The same one may stand at several addresses.
        let is_known = known
            .iter()
            .any(|known| known.function.name == function.name && known.value_type == value_type);
        if !is_known {
            known.push(Known {
                function,
                value_type,
                form,
            });
        }
    }
}

impl KnownFunctions {
    /// What a macro cannot see: `impl<T> Repo<T>` is one `impl` for many types, as a default method of a trait is one
    /// method. Where the key does not tell them apart, each answers with the other's values.
    fn check_owner(&self, function: &'static CachedFunction, owner: &'static str) {
        let mut owners = sync::lock(&self.owners);
        let known = owners
            .entry((function.name, function.prefix))
            .or_insert(Some(owner));
        let Some(first) = known.filter(|first| *first != owner) else {
            return;
        };
        *known = None;
        drop(owners);
        tracing::error!(
            prefix = function.prefix,
            function = function.name,
            template = function.template,
            first,
            second = owner,
            "one function is called on two types under the same keys, so each gets the other's values; \
             put what tells them apart into the key or the prefix, or write skip(Self)"
        );
    }
}

fn report(function: &CachedFunction, value_type: &str, other: &Known, is_equal: bool) {
    let (one, two) = (other.function, function);
    let prefix = function.prefix;
    if is_equal && other.value_type != value_type {
        tracing::error!(
            prefix,
            function = one.name,
            template = one.template,
            value_type = other.value_type,
            other_function = two.name,
            other_template = two.template,
            other_value_type = value_type,
            "two functions cache different types under the same keys; give one of them another prefix or \
             key"
        );
    } else if !one.shares(two) && !two.shares(one) {
        tracing::warn!(
            prefix,
            function = one.name,
            template = one.template,
            other_function = two.name,
            other_template = two.template,
            "two functions can use the same key, and each then returns what the other stored; give one \
             of them another prefix or key, or write `shares` on it if that is meant"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    static FUNCTIONS: [CachedFunction; PLACES + 1] =
        [const { CachedFunction::new("f", "p", "<id>", Duration::from_secs(1)) }; PLACES + 1];

    #[test]
    fn functions_of_one_place_are_kept_apart() {
        let known = KnownFunctions::default();
        let ask = |function, value_type, owner| {
            known.with_known(function, value_type, owner, |state| {
                Arc::as_ptr(state) as usize
            })
        };
        let (one, other) = (&FUNCTIONS[0], &FUNCTIONS[PLACES]);
        assert_eq!(
            Id::of(one, "T", None).place(),
            Id::of(other, "T", None).place()
        );
        let all = [
            (one, "T", None),
            (other, "T", None),
            (one, "U", None),
            (one, "T", Some("Owner")),
        ];
        let mut states = Vec::new();
        for (function, value_type, owner) in all {
            assert_eq!(ask(function, value_type, owner), None);
            let (state, is_first) = known.state(function, value_type, owner, Arc::default);
            assert!(is_first);
            states.push(state);
        }
        for ((function, value_type, owner), state) in all.into_iter().zip(&states) {
            let kept = Arc::as_ptr(state) as usize;
            assert_eq!(ask(function, value_type, owner), Some(kept));
            let (same, is_first) = known.state(function, value_type, owner, Arc::default);
            assert!(Arc::ptr_eq(&same, state) && !is_first);
        }
    }
}
