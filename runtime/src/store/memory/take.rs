//! A check of one budget without commands: it finds and leaves what the script of limits would.

use super::deadline::Deadline;
use super::keyspace::{Keyspace, wrong_type};
use super::number::{integer, not_an_integer};
use super::scripts::full_of_budgets;
use super::value::{Hash, Value, detached, digits};
use crate::error::Error;
use crate::limit::algorithm::{Algorithm, Change, Held, Rule, Verdict};
use crate::limit::script::{REFILLED_AT, TOKENS, Taking, stored};
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
            Some(Value::Text(text)) => match integer(text.as_slice()) {
                Some(number) => Self::Number(number),
                None => Self::Fraction(stored(text.as_slice())?),
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
pub(super) fn take(
    keyspace: &mut Keyspace,
    taking: &Taking<'_>,
    now: u64,
) -> Result<(Verdict, Held), Error> {
    if taking.rule.algorithm == Algorithm::TokenBucket {
        take_tokens(keyspace, taking, now)
    } else {
        take_from_window(keyspace, taking, now)
    }
}

fn take_from_window(
    keyspace: &mut Keyspace,
    taking: &Taking<'_>,
    now: u64,
) -> Result<(Verdict, Held), Error> {
    let (rule, key) = (taking.rule, taking.key.as_bytes());
    // First, since a key that goes changes the places of others.
    let earlier = taking.earlier.map(|key| keyspace.value(key.as_bytes()));
    let earlier = earlier.map(Counter::of);
    let place = place_of_budget(keyspace, key)?;
    let current = Counter::of(place.and_then(|place| keyspace.value_at(place)))?;
    let before = earlier.transpose()?.and_then(Counter::units);
    if matches!(current, Counter::Other) {
        return Err(wrong_type());
    }
    let held = Held(current.units(), before);
    let verdict = rule.check(held, now, taking.cost);
    let place = match verdict.change {
        Some(Change::Count { lifetime, .. }) if taking.add > 0 => {
            add(keyspace, taking, current, place, lifetime)?
        }
        _ => place,
    };
    if let Some(place) = place {
        keyspace.hold_budget_at(place, level(rule, &verdict, held, now));
    }
    Ok((verdict, held))
}

/// Where the budget is, if it is there; an error if there is no room for it.
fn place_of_budget(keyspace: &mut Keyspace, key: &[u8]) -> Result<Option<usize>, Error> {
    let place = keyspace.place(key);
    if place.is_none() && !keyspace.has_room_for_budget(key) {
        return Err(full_of_budgets());
    }
    Ok(place)
}

/// How much of the budget is used then.
fn level(rule: Rule, verdict: &Verdict, held: Held, now: u64) -> usize {
    rule.level(if verdict.allowed {
        verdict.remaining
    } else {
        rule.check(held, now, 0).remaining
    })
}

fn take_tokens(
    keyspace: &mut Keyspace,
    taking: &Taking<'_>,
    now: u64,
) -> Result<(Verdict, Held), Error> {
    let (rule, key) = (taking.rule, taking.key.as_bytes());
    let place = place_of_budget(keyspace, key)?;
    let held = match place.and_then(|place| keyspace.value_at(place)) {
        None => Held(None, None),
        Some(Value::Hash(hash)) => {
            let number = |field| hash.get(field).map(|text| stored(text)).transpose();
            Held(number(REFILLED_AT)?, number(TOKENS)?)
        }
        Some(_) => return Err(wrong_type()),
    };
    let verdict = rule.check(held, now, taking.cost);
    if let Some(Change::Fill {
        refilled_at,
        tokens,
        lifetime,
    }) = verdict.change
        && taking.add > 0
    {
        fill(keyspace, key, [refilled_at, tokens], lifetime)?;
    }
    if let Some(place) = keyspace.place(key) {
        keyspace.hold_budget_at(place, level(rule, &verdict, held, now));
    }
    Ok((verdict, held))
}

/// As `HSET` and `PEXPIRE` do it.
fn fill(
    keyspace: &mut Keyspace,
    key: &[u8],
    numbers: [i64; 2],
    lifetime: Option<u64>,
) -> Result<(), Error> {
    let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
    let [at, left] = &mut buffers;
    let values = [at.format(numbers[0]), left.format(numbers[1])];
    let words = ["HSET".as_bytes(), key, REFILLED_AT, TOKENS];
    let bytes: usize = words.iter().map(|word| word.len()).sum();
    let bytes = bytes + values[0].len() + values[1].len();
    keyspace.admit_bytes(bytes, 6, Some(key))?;
    keyspace.edit(key, |hash: &mut Hash| {
        for (field, value) in [REFILLED_AT, TOKENS].into_iter().zip(values) {
            hash.insert(&Bytes::from_static(field), detached(value.as_bytes()));
        }
    })?;
    if let Some(lifetime) = lifetime {
        let deadline = Deadline::after(keyspace.now(), lifetime);
        keyspace.set_deadline(key, Some(deadline));
    }
    Ok(())
}

/// As `INCRBY` does it, and `PEXPIRE` where that began the counter; where the counter is then.
fn add(
    keyspace: &mut Keyspace,
    taking: &Taking<'_>,
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
        .checked_add_unsigned(taking.add)
        .ok_or_else(|| server_error("ERR increment or decrement would overflow"))?;
    let key = taking.key.as_bytes();
    keyspace.admit_bytes("INCRBY".len() + key.len() + digits(sum), 3, Some(key))?;
    match place {
        Some(place) => keyspace.replace_at(place, sum),
        None => keyspace.set(key, Value::Integer(sum), None),
    }
    let has_begun = u64::try_from(sum) == Ok(taking.add);
    if has_begun {
        let deadline = Deadline::after(keyspace.now(), lifetime);
        keyspace.set_deadline(key, Some(deadline));
    }
    match place {
        Some(place) if !has_begun => Ok(Some(place)),
        _ => Ok(keyspace.place(key)),
    }
}
