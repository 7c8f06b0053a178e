//! A check of one window without commands: it finds and leaves what the script of limits would.

use super::deadline::Deadline;
use super::keyspace::{Keyspace, wrong_type};
use super::number::{integer, not_an_integer};
use super::scripts::full_of_budgets;
use super::value::Value;
use crate::error::Error;
use crate::limit::algorithm::{Change, Held};
use crate::limit::script::{Budget, stored};
use crate::store::server_error::server_error;
use bytes::Bytes;

/// What stands under a key.
enum Counter {
    Missing,
    Number(i64),
    /// One that no engine adds to.
    Fraction(i64),
    /// No text.
    Other,
}

impl Counter {
    fn of(keyspace: &mut Keyspace, key: &Bytes) -> Result<Self, Error> {
        Ok(match keyspace.value(key) {
            None => Self::Missing,
            Some(Value::Text(text)) => match integer(text) {
                Some(number) => Self::Number(number),
                None => Self::Fraction(stored(text)?),
            },
            Some(_) => Self::Other,
        })
    }

    fn units(&self) -> Option<i64> {
        match self {
            Self::Number(units) | Self::Fraction(units) => Some(*units),
            Self::Missing | Self::Other => None,
        }
    }
}

/// Whether it took, and what the counters held before.
pub(super) fn check(
    keyspace: &mut Keyspace,
    budget: &Budget,
    now: u64,
) -> Result<(bool, Held), Error> {
    let Budget { rule, keys, .. } = budget;
    let [key, earlier @ ..] = &keys[..] else {
        return Err(wrong_type());
    };
    if !keyspace.has_room_for_budget(key) {
        return Err(full_of_budgets());
    }
    let current = Counter::of(keyspace, key)?;
    let before = match earlier {
        [key, ..] => Counter::of(keyspace, key)?.units(),
        [] => None,
    };
    if matches!(current, Counter::Other) {
        return Err(wrong_type());
    }
    let held = Held(current.units(), before);
    let verdict = rule.check(held, now, budget.cost);
    if let Some(Change::Count { lifetime, .. }) = verdict.change
        && budget.add > 0
    {
        let sum = added(keyspace, key, &current, budget.add)?;
        if u64::try_from(sum) == Ok(budget.add) {
            let deadline = Deadline::after(keyspace.now(), lifetime);
            keyspace.set_deadline(key, Some(deadline));
        }
    }
    let left = if verdict.allowed {
        verdict.remaining
    } else {
        rule.check(held, now, 0).remaining
    };
    keyspace.hold_budget(key, rule.level(left));
    Ok((verdict.allowed, held))
}

/// As `INCRBY` does it.
fn added(keyspace: &mut Keyspace, key: &Bytes, counter: &Counter, add: u64) -> Result<i64, Error> {
    let before = match counter {
        Counter::Missing => 0,
        Counter::Number(units) => *units,
        Counter::Fraction(_) | Counter::Other => return Err(not_an_integer()),
    };
    let sum = before
        .checked_add_unsigned(add)
        .ok_or_else(|| server_error("ERR increment or decrement would overflow"))?;
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(sum).as_bytes();
    keyspace.admit_bytes("INCRBY".len() + key.len() + digits.len(), 3, Some(key))?;
    keyspace.replace_text(key, digits);
    Ok(sum)
}
