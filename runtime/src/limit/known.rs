//! What the first check of a limit works out for all later ones: what its keys begin with, the hash of that, and where
//! its decisions are counted.

use super::Limit;
use super::algorithm::Algorithm;
use super::budgets::KeyHasher;
use super::kind::LimitName;
use crate::stats::{LimitCounters, LimitRegistry};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// What is known of the limits of one name and window.
#[derive(Debug)]
pub(super) struct KnownLimit {
    window: u64,
    algorithm: Algorithm,
    /// Of a limit that is named after where it stands; those of other names do not depend on it.
    units: u64,
    name: LimitName,
    under: Option<&'static str>,
    /// What the keys of its budgets begin with, the last colon included.
    pub(super) front: Box<str>,
    /// Has read the front already.
    pub(super) hasher: KeyHasher,
    counters: OnceLock<Arc<LimitCounters>>,
}

impl KnownLimit {
    pub(super) fn new(limit: &Limit, front: &str) -> Self {
        let rule = limit.rule();
        let mut hasher = KeyHasher::new(rule);
        hasher.read(front);
        Self {
            window: rule.window,
            algorithm: rule.algorithm,
            units: units_in_name(limit),
            name: limit.name(),
            under: limit.whole_prefix(),
            front: front.into(),
            hasher,
            counters: OnceLock::new(),
        }
    }

    fn is_of(&self, limit: &Limit) -> bool {
        let rule = limit.rule();
        self.window == rule.window
            && self.algorithm == rule.algorithm
            && self.units == units_in_name(limit)
            && self.name == limit.name()
            && self.under == limit.whole_prefix()
    }

    /// Where the decisions of this limit are counted.
    pub(super) fn counters(&self, limit: &Limit, all: &LimitRegistry) -> &LimitCounters {
        self.counters.get_or_init(|| all.counters(&limit.kind()))
    }
}

fn units_in_name(limit: &Limit) -> u64 {
    match limit.name() {
        LimitName::Kind(_) => 0,
        LimitName::Place { .. } => limit.units(),
    }
}

/// A list that only grows, so that who reads it takes no lock.
#[derive(Debug, Default)]
pub(super) struct KnownLimits {
    first: OnceLock<Box<Node>>,
}

#[derive(Debug)]
struct Node {
    known: KnownLimit,
    next: OnceLock<Box<Self>>,
}

/// One that is kept in the list, or one that had no room there.
pub(super) enum Known<'a> {
    Kept(&'a KnownLimit),
    Own(Box<KnownLimit>),
}

impl Deref for Known<'_> {
    type Target = KnownLimit;

    fn deref(&self) -> &KnownLimit {
        match self {
            Self::Kept(known) => known,
            Self::Own(known) => known,
        }
    }
}

impl KnownLimits {
    pub(super) fn find(&self, limit: &Limit) -> Option<&KnownLimit> {
        let mut next = &self.first;
        while let Some(node) = next.get() {
            if node.known.is_of(limit) {
                return Some(&node.known);
            }
            next = &node.next;
        }
        None
    }

    /// Makes what was not found, and keeps it where the list has fewer than so many.
    pub(super) fn add(
        &self,
        limit: &Limit,
        most: usize,
        make: impl Fn() -> KnownLimit,
    ) -> Known<'_> {
        let mut next = &self.first;
        for _ in 0..most {
            let node = next.get_or_init(|| {
                Box::new(Node {
                    known: make(),
                    next: OnceLock::new(),
                })
            });
            if node.known.is_of(limit) {
                return Known::Kept(&node.known);
            }
            next = &node.next;
        }
        Known::Own(Box::new(make()))
    }
}

impl Drop for KnownLimits {
    /// One after the other: dropped as they hang together, a thousand would take the stack of a thousand calls.
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}
