//! The beginning of a call whose value this process may keep: a hit ends it before there is a call.

#![expect(
    clippy::inline_always,
    reason = "what is known of a function at compile time is used up"
)]

use crate::cache::call_mode;
use crate::cache::{CachedFunction, CallStatus, ReturnKind, Tier};
use crate::key::Key;
use crate::local::{Form, FunctionNumber, Name, SHARED, Value, Within};
use crate::pond::Millpond;
use crate::scope;

/// The value that this process keeps of a function with `local = "5s"`, in this cache or the current one.
#[inline(always)]
pub fn hit_near<K: ReturnKind>(
    function: &'static CachedFunction,
    key: &mut Key,
    when: bool,
    kind: K,
    form: Form<K::Value>,
    pond: Option<&Millpond>,
) -> Option<K::Return> {
    if !when {
        return None;
    }
    hit((SHARED, function.within()), key, kind, form, pond)
}

/// The value that is kept of a function with `local = "only"`, in this cache or the current one.
#[inline(always)]
pub fn hit_only<K: ReturnKind>(
    number: &'static FunctionNumber,
    key: &mut Key,
    when: bool,
    kind: K,
    form: Form<K::Value>,
    pond: Option<&Millpond>,
) -> Option<K::Return> {
    if !when {
        return None;
    }
    hit((number.get(), Within::ANY), key, kind, form, pond)
}

/// What depends on the type; the rest is compiled once.
#[inline(always)]
fn hit<K: ReturnKind>(
    (function, within): (u32, Within),
    key: &mut Key,
    kind: K,
    form: Form<K::Value>,
    pond: Option<&Millpond>,
) -> Option<K::Return> {
    if key.is_broken() {
        return None;
    }
    let value = look(function, key.as_str(), within, pond)?;
    let Some(value) = (form.restore)(value) else {
        other_type(function, key.as_str(), pond);
        return None;
    };
    if call_mode::requested().reports {
        report_hit(function, key.as_str(), pond, (form.is_null)(&value));
    }
    key.recycle();
    Some(kind.success(value))
}

#[inline(never)]
fn look(function: u32, key: &str, within: Within, pond: Option<&Millpond>) -> Option<Value> {
    if call_mode::requested().mode.is_some() {
        return None;
    }
    match scope::without_scope(pond) {
        Some(pond) => pond.0.cache.local.get(function, key, within),
        None => look_in_scope(function, key, within, pond),
    }
}

#[inline(never)]
fn look_in_scope(
    function: u32,
    key: &str,
    within: Within,
    pond: Option<&Millpond>,
) -> Option<Value> {
    let get = |pond: &Millpond| pond.0.cache.local.get(function, key, within);
    match pond {
        None => scope::with_current(get),
        Some(_) if scope::is_bypassed() => None,
        Some(pond) => get(pond),
    }
}

/// A value was found that the function cannot use.
#[cold]
#[inline(never)]
fn other_type(function: u32, key: &str, pond: Option<&Millpond>) {
    let name = Name { function, key };
    in_pond(pond, |pond| {
        pond.0.cache.local.was_no_hit(name);
        None::<()>
    });
}

/// A call was answered by what is kept, and its caller wants to know.
#[cold]
#[inline(never)]
fn report_hit(function: u32, key: &str, pond: Option<&Millpond>, is_null: bool) {
    let name = Name { function, key };
    let age = in_pond(pond, |pond| {
        let known = pond.0.cache.local.known(name);
        known.map(|known| known.age)
    });
    let (_, reporting) = call_mode::take();
    reporting.say(|| CallStatus::found(is_null, Tier::Local, age));
}

fn in_pond<T>(pond: Option<&Millpond>, get: impl Fn(&Millpond) -> Option<T>) -> Option<T> {
    match pond {
        Some(pond) => get(pond),
        None => scope::with_current(get),
    }
}
