//! A check of one window without commands: it finds and leaves what the script of limits would.

use super::deadline::Deadline;
use super::keyspace::{Keyspace, wrong_type};
use super::number::{integer, not_an_integer};
use super::scripts::full_of_budgets;
use super::value::{Value, digits};
use crate::error::Error;
use crate::limit::algorithm::{Change, Held, Verdict};
use crate::limit::script::{Window, stored};
use crate::store::server_error::server_error;
use bytes::Bytes;

/// What stands under a key.
#[derive(Clone, Copy)]
enum Counter {
    Missing,
    Number(i64),
    /// One that no engine adds to.
    Fraction(i64),
    /// No text.
    Other,
}

impl Counter {
    fn of(value: Option<&Value>) -> Result<Self, Error> {
        Ok(match value {
            None => Self::Missing,
            Some(Value::Integer(number)) => Self::Number(*number),
            Some(Value::Text(text)) => match integer(text) {
                Some(number) => Self::Number(number),
                None => Self::Fraction(stored(text)?),
            },
            Some(_) => Self::Other,
        })
    }

    fn units(self) -> Option<i64> {
        match self {
            Self::Number(units) | Self::Fraction(units) => Some(units),
            Self::Missing | Self::Other => None,
        }
    }
}

/// What the arithmetic says of the call, which has taken its units if that allows it; and what the counters held before.
pub(super) fn check(
    keyspace: &mut Keyspace,
    window: &Window<'_>,
    now: u64,
) -> Result<(Verdict, Held), Error> {
    let (rule, key) = (window.rule, window.key.as_bytes());
    // First, since a key that goes changes the places of others.
    let earlier = window.earlier.map(|key| keyspace.value(key.as_bytes()));
    let earlier = earlier.map(Counter::of);
    let place = keyspace.place(key);
    if place.is_none() && !keyspace.has_room_for_budget(key) {
        return Err(full_of_budgets());
    }
    let current = Counter::of(place.and_then(|place| keyspace.value_at(place)))?;
    let before = earlier.transpose()?.and_then(Counter::units);
    if matches!(current, Counter::Other) {
        return Err(wrong_type());
    }
    let held = Held(current.units(), before);
    let verdict = rule.check(held, now, window.cost);
    let place = match verdict.change {
        Some(Change::Count { lifetime, .. }) if window.add > 0 => {
            add(keyspace, window, current, place, lifetime)?
        }
        _ => place,
    };
    let left = if verdict.allowed {
        verdict.remaining
    } else {
        rule.check(held, now, 0).remaining
    };
    if let Some(place) = place {
        keyspace.hold_budget_at(place, rule.level(left));
    }
    Ok((verdict, held))
}

/// As `INCRBY` does it, and `PEXPIRE` where that began the counter; where the counter is then.
fn add(
    keyspace: &mut Keyspace,
    window: &Window<'_>,
    counter: Counter,
    place: Option<usize>,
    lifetime: u64,
) -> Result<Option<usize>, Error> {
    let before = match counter {
        Counter::Missing => 0,
        Counter::Number(units) => units,
        Counter::Fraction(_) | Counter::Other => return Err(not_an_integer()),
    };
    let sum = before
        .checked_add_unsigned(window.add)
        .ok_or_else(|| server_error("ERR increment or decrement would overflow"))?;
    let key = window.key.as_bytes();
    keyspace.admit_bytes("INCRBY".len() + key.len() + digits(sum), 3, Some(key))?;
    match place {
        Some(place) => keyspace.replace_at(place, sum),
        None => keyspace.set(&Bytes::copy_from_slice(key), Value::Integer(sum), None),
    }
    let has_begun = u64::try_from(sum) == Ok(window.add);
    if has_begun {
        let deadline = Deadline::after(keyspace.now(), lifetime);
        keyspace.set_deadline(key, Some(deadline));
    }
    match place {
        Some(place) if !has_begun => Ok(Some(place)),
        _ => Ok(keyspace.place(key)),
    }
}
