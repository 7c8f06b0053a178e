//! The beginning of a call whose value this process may keep: a hit ends it before there is a call.

#![expect(
    clippy::inline_always,
    reason = "what is known of a function at compile time is used up"
)]

use crate::cache::call_mode;
use crate::cache::{CachedFunction, CallStatus, ReturnKind, Tier};
use crate::key::KeyWriter;
use crate::local::{Form, FunctionNumber, Name, SHARED, Sought, Value, Within};
use crate::pond::Millpond;
use crate::scope;

/// The value that this process keeps of a function with `local = "5s"`, in this cache or the current one.
#[inline(always)]
pub fn hit_near<K: ReturnKind>(
    function: &'static CachedFunction,
    key: &mut KeyWriter,
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
    key: &mut KeyWriter,
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
    key: &mut KeyWriter,
    kind: K,
    form: Form<K::Value>,
    pond: Option<&Millpond>,
) -> Option<K::Return> {
    let value = look(function, key, within, pond)?;
    let Some(value) = (form.restore)(value) else {
        other_type(function, key, pond);
        return None;
    };
    if call_mode::requested().reports {
        report_hit(function, key, pond, (form.is_null)(&value));
    }
    key.recycle();
    Some(kind.success(value))
}

#[inline(always)]
fn look(
    function: u32,
    key: &mut KeyWriter,
    within: Within,
    pond: Option<&Millpond>,
) -> Option<Value> {
    if call_mode::requested().mode.is_some() {
        return None;
    }
    let (key, padded) = key.settled()?;
    let sought = Sought {
        function,
        key,
        padded,
    };
    match scope::without_scope(pond) {
        Some(pond) => pond.0.cache.local.get(&sought, within),
        None => look_in_scope(&sought, within, pond),
    }
}

#[inline(never)]
fn look_in_scope(sought: &Sought<'_>, within: Within, pond: Option<&Millpond>) -> Option<Value> {
    let get = |pond: &Millpond| pond.0.cache.local.get(sought, within);
    match pond {
        None => scope::with_current(get),
        Some(_) if scope::is_bypassed() => None,
        Some(pond) => get(pond),
    }
}

/// A value was found that the function cannot use.
#[cold]
#[inline(never)]
fn other_type(function: u32, key: &mut KeyWriter, pond: Option<&Millpond>) {
    let Some(key) = key.settled_text() else {
        return;
    };
    let name = Name { function, key };
    in_pond(pond, |pond| {
        pond.0.cache.local.was_no_hit(name);
        None::<()>
    });
}

/// A call was answered by what is kept, and its caller wants to know.
#[cold]
#[inline(never)]
fn report_hit(function: u32, key: &mut KeyWriter, pond: Option<&Millpond>, is_null: bool) {
    let age = key.settled_text().and_then(|key| {
        let name = Name { function, key };
        in_pond(pond, |pond| {
            let known = pond.0.cache.local.known(name);
            known.map(|known| known.age)
        })
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
