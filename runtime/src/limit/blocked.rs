//! Who is known to be refused, so that no command need be sent.
//!
//! Remembered is what the store held when it refused. Others can only have taken more since, so a
//! call that would be refused even by that is refused; one that costs less, or comes when units
//! have come back, is sent.

use super::algorithm::{Algorithm, Held, Rule, Verdict};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Identifiers are chosen by clients, so there must be an end to what is kept of them.
const MOST: usize = 20_000;

#[derive(Debug, Default)]
pub(crate) struct Blocked {
    refusals: Mutex<HashMap<Key, Refusal>>,
}

/// The name of the budget, hashed, and what tells one kind of counting from another.
type Key = ([u8; 32], Algorithm, u64);

#[derive(Clone, Copy, Debug)]
struct Refusal {
    held: Held,
    /// The window in which that was held.
    index: u64,
    until: u64,
}

impl Blocked {
    /// The refusal of this call, if it is certain.
    pub(crate) fn find(&self, base: &str, rule: Rule, now: u64, cost: u64) -> Option<Verdict> {
        let mut refusals = self.lock();
        let key = key(base, rule);
        let refusal = *refusals.get(&key)?;
        if refusal.until <= now {
            refusals.remove(&key);
            return None;
        }
        let held = refusal.held_in(rule.algorithm, rule.index(now))?;
        let verdict = rule.check(held, now, cost);
        (!verdict.allowed).then_some(verdict)
    }

    /// Keeps in mind that `held` was too much at `now`, until `until`.
    pub(crate) fn remember(&self, base: &str, rule: Rule, held: Held, now: u64, until: u64) {
        let mut refusals = self.lock();
        if refusals.len() >= MOST {
            refusals.retain(|_, refusal| refusal.until > now);
        }
        if refusals.len() >= MOST {
            return;
        }
        refusals.insert(
            key(base, rule),
            Refusal {
                held,
                index: rule.index(now),
                until,
            },
        );
    }

    /// Forgets it: units were given back, or the budget was reset, or a call went through.
    pub(crate) fn forget(&self, base: &str, rule: Rule) {
        self.lock().remove(&key(base, rule));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusal {
    /// What is certainly held in window `index`; nothing is known once the clock went back.
    fn held_in(&self, algorithm: Algorithm, index: u64) -> Option<Held> {
        if algorithm == Algorithm::TokenBucket {
            return Some(self.held);
        }
        match index.checked_sub(self.index)? {
            0 => Some(self.held),
            1 => Some(Held(None, self.held.0)),
            _ => None,
        }
    }
}

fn key(base: &str, rule: Rule) -> Key {
    (Sha256::digest(base).into(), rule.algorithm, rule.window)
}
