//! Functions that can have a key in common.

use super::entries::Place;
use super::names;
use crate::cache::{CachedFunction, FunctionSite, KeyForm};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

/// A function that can be compared, with what its site says of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    pub(super) function: &'static CachedFunction,
    pub(super) site: Option<&'static FunctionSite>,
}

impl Compared {
    fn on(&self) -> Option<&'static str> {
        self.site.and_then(|site| site.on)
    }

    pub(super) fn value(&self) -> Option<&'static str> {
        self.site.and_then(|site| site.value).map(|value| value())
    }
}

/// Two functions that can use the same key: each then returns what the other stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collision {
    /// The paths of both.
    pub functions: [String; 2],
    /// Where they are written.
    pub places: [Place; 2],
    /// The forms of their keys.
    pub keys: [String; 2],
}

/// Every pair of functions that can use the same key. `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collisions {
    /// The pairs.
    pub pairs: Vec<Collision>,
}

impl fmt::Display for Collisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "cached functions can use the same keys; give one of each pair another prefix or key, or write \
             `shares` on it if that is meant",
        )?;
        for Collision {
            functions: [one, other],
            places: [here, there],
            keys: [key, other_key],
        } in &self.pairs
        {
            write!(
                f,
                "\n{one} ({here}) with {key}, and {other} ({there}) with {other_key}"
            )?;
        }
        Ok(())
    }
}

impl Error for Collisions {}

pub(super) fn check(compared: &[Compared]) -> Result<(), Collisions> {
    let pairs: Vec<_> = pairs(compared)
        .map(|(one, other, _)| collision(one, other))
        .collect();
    if pairs.is_empty() {
        Ok(())
    } else {
        Err(Collisions { pairs })
    }
}

pub(super) fn collision(one: &Compared, other: &Compared) -> Collision {
    let both = [one.function, other.function];
    let named = both.map(|function| names::split(function.name));
    let [(one, here), (other, there)] = named;
    Collision {
        functions: [one, other],
        places: [here, there],
        keys: both.map(names::key),
    }
}

/// Every pair that can meet, and whether their keys are the same whatever the arguments are.
pub(super) fn pairs(compared: &[Compared]) -> impl Iterator<Item = (&Compared, &Compared, bool)> {
    let mut by_prefix: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in compared {
        let CachedFunction {
            prefix, version, ..
        } = *one.function;
        let form = KeyForm::of(one.function.template);
        by_prefix
            .entry((prefix, version))
            .or_default()
            .push((one, form));
    }
    by_prefix.into_values().flat_map(|together| {
        let mut found = Vec::new();
        for (at, (one, form)) in together.iter().enumerate() {
            for (other, other_form) in &together[at + 1..] {
                let is_same = one.function.name == other.function.name;
                let is_meant =
                    one.function.shares(other.function) || other.function.shares(one.function);
                if !is_same && !is_meant && one.on() == other.on() && form.meets(other_form) {
                    found.push((*one, *other, form.equals(other_form)));
                }
            }
        }
        found
    })
}
