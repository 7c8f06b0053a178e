//! What the linker collects of cached functions, before any of them is called, and what their first calls add.

use super::cached_function::CachedFunction;
use crate::sync;
use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// A cached function where it is written.
#[derive(Clone, Copy, Debug)]
pub struct FunctionSite {
    pub(crate) described: Described,
    pub(crate) returns: &'static str,
    pub(crate) companion: Option<fn() -> TypeId>,
    pub(crate) method: Option<&'static str>,
    pub(crate) value: Option<fn() -> &'static str>,
    pub(crate) tags: &'static [&'static str],
    pub(crate) on: Option<&'static str>,
    /// Options of which the description says nothing, or not how they were written.
    pub(crate) written: &'static [&'static str],
}

/// What the compiler worked out, or the text of it where that depends on a type.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Described {
    Known(&'static CachedFunction),
    Written {
        name: &'static str,
        prefix: &'static str,
        template: &'static str,
        ttl: &'static str,
    },
}

inventory::collect!(FunctionSite);

impl FunctionSite {
    const fn new(described: Described, returns: &'static str) -> Self {
        Self {
            described,
            returns,
            companion: None,
            method: None,
            value: None,
            tags: &[],
            on: None,
            written: &[],
        }
    }

    /// A function whose description stands in an item.
    pub const fn known(function: &'static CachedFunction, returns: &'static str) -> Self {
        Self::new(Described::Known(function), returns)
    }

    /// A function whose prefix or lifetime depends on a type.
    pub const fn by_text(
        name: &'static str,
        prefix: &'static str,
        template: &'static str,
        ttl: &'static str,
        returns: &'static str,
    ) -> Self {
        let described = Described::Written {
            name,
            prefix,
            template,
            ttl,
        };
        Self::new(described, returns)
    }

    /// What stands beside a free function.
    #[must_use]
    pub const fn companion<C: 'static>(mut self) -> Self {
        self.companion = Some(TypeId::of::<C>);
        self
    }

    /// The entry that stands beside a method.
    #[must_use]
    pub const fn method(mut self, entry: &'static str) -> Self {
        self.method = Some(entry);
        self
    }

    /// The name of the type that is cached.
    #[must_use]
    pub const fn value(mut self, name: fn() -> &'static str) -> Self {
        self.value = Some(name);
        self
    }

    /// The tags of an entry.
    #[must_use]
    pub const fn tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    /// Which cache it uses.
    #[must_use]
    pub const fn on(mut self, pond: &'static str) -> Self {
        self.on = Some(pond);
        self
    }

    /// More options, as they were written.
    #[must_use]
    pub const fn written(mut self, options: &'static [&'static str]) -> Self {
        self.written = options;
        self
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.described {
            Described::Known(function) => function.name,
            Described::Written { name, .. } => name,
        }
    }
}

/// Every function that was collected.
pub(crate) fn sites() -> impl Iterator<Item = &'static FunctionSite> {
    inventory::iter::<FunctionSite>.into_iter()
}

/// How many instances of a generic function are kept by name.
const MOST_INSTANCES: usize = 64;

/// A function that was called, and on which types: that around it, and that of the value.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) function: &'static CachedFunction,
    pub(crate) instances: BTreeSet<(Option<&'static str>, &'static str)>,
}

/// By name and prefix, which may depend on the type around the function. There are no more of them than the program
/// has.
static CALLED: Mutex<BTreeMap<(&str, &str), Called>> = Mutex::new(BTreeMap::new());

/// Remembers the first call of an instance.
pub(super) fn called(
    function: &'static CachedFunction,
    owner: Option<&'static str>,
    value_type: &'static str,
) {
    let mut known = sync::lock(&CALLED);
    let called = known
        .entry((function.name, function.prefix))
        .or_insert_with(|| Called {
            function,
            instances: BTreeSet::new(),
        });
    if called.instances.len() < MOST_INSTANCES {
        called.instances.insert((owner, value_type));
    }
}

/// Every function that was called, in any cache.
pub(crate) fn called_functions() -> Vec<Called> {
    sync::lock(&CALLED).values().cloned().collect()
}

/// The pairs of functions that were reported before either was called.
static REPORTED: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());

pub(crate) fn was_reported(one: &CachedFunction, other: &CachedFunction) -> bool {
    sync::lock(&REPORTED).contains(&pair(one, other))
}

pub(crate) fn reported(one: &'static CachedFunction, other: &'static CachedFunction) {
    sync::lock(&REPORTED).insert(pair(one, other));
}

fn pair<'a>(one: &'a CachedFunction, other: &'a CachedFunction) -> (&'a str, &'a str) {
    (one.name.min(other.name), one.name.max(other.name))
}
