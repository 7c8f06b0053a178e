//! The beginning of a call whose value this process may keep: a hit ends it before there is a call.
//!
//! Most keys are short, and looked up without a text. Any other is written first.

#![expect(
    clippy::inline_always,
    reason = "what is known of a function at compile time is used up"
)]

use crate::cache::call_mode;
use crate::cache::{CachedFunction, CallStatus, ReturnKind, Tier};
use crate::key::{KeyWriter, ShortKey};
use crate::local::{Form, FunctionNumber, Local, Name, Named, SHARED, ShortName, Value, Within};
use crate::pond::Millpond;
use crate::scope;

/// Where the values of a function are kept, and up to which age it uses them.
#[derive(Clone, Copy, Debug)]
pub struct LocalPlace<'a> {
    function: u32,
    within: Within,
    /// The cache that the function says it uses; the current one otherwise.
    pond: Option<&'a Millpond>,
}

impl<'a> LocalPlace<'a> {
    /// That of a function with `local = "5s"`.
    #[inline(always)]
    pub fn near(function: &'static CachedFunction, pond: Option<&'a Millpond>) -> Self {
        Self {
            function: SHARED,
            within: function.within(),
            pond,
        }
    }

    /// That of a function with `local = "only"`.
    #[inline(always)]
    pub fn only(number: &'static FunctionNumber, pond: Option<&'a Millpond>) -> Self {
        Self {
            function: number.get(),
            within: Within::ANY,
            pond,
        }
    }

    /// The value under a key, if that is short.
    #[inline(always)]
    pub fn look<K: ReturnKind>(
        self,
        key: ShortKey,
        when: bool,
        kind: K,
        form: Form<K::Value>,
    ) -> Looked<K::Return> {
        if !when || call_mode::requested().mode.is_some() {
            return Looked::Missed;
        }
        let Some(key) = key.settled() else {
            return Looked::Unknown;
        };
        let name = ShortName::new(self.function, key);
        let found = match scope::without_scope(self.pond) {
            Some(pond) => pond.0.cache.local.get_short(&name, self.within),
            None => look_in_scope(&name, self.within, self.pond),
        };
        match found.and_then(|value| returned(value, &name, kind, form, self.pond)) {
            Some(returned) => Looked::Hit(returned),
            None => Looked::Missed,
        }
    }
}

/// What came of a look under a short key.
#[derive(Debug)]
pub enum Looked<R> {
    /// What the call returns.
    Hit(R),
    /// Nothing is kept, or nobody was to look.
    Missed,
    /// The key is not short.
    Unknown,
}

#[inline(never)]
fn look_in_scope(name: &ShortName, within: Within, pond: Option<&Millpond>) -> Option<Value> {
    in_scope(pond, |local| local.get_short(name, within))
}

fn in_scope(pond: Option<&Millpond>, get: impl Fn(&Local) -> Option<Value>) -> Option<Value> {
    scope::with_own_or_current(pond, |pond| get(&pond.0.cache.local))
}

/// What a call returns that found this value, if the function can use it.
#[inline(always)]
fn returned<K: ReturnKind>(
    value: Value,
    name: &impl Named,
    kind: K,
    form: Form<K::Value>,
    pond: Option<&Millpond>,
) -> Option<K::Return> {
    let Some(value) = (form.restore)(value) else {
        other_type(name, pond);
        return None;
    };
    if call_mode::requested().reports {
        report_hit(name, pond, (form.is_null)(&value));
    }
    Some(kind.success(value))
}

impl<R> Looked<R> {
    /// The value under this key, which was not looked up yet if it is not short.
    #[inline(never)]
    pub fn or_under<K: ReturnKind<Return = R>>(
        &self,
        place: LocalPlace<'_>,
        key: &mut KeyWriter,
        kind: K,
        form: Form<K::Value>,
    ) -> Option<R> {
        let Self::Unknown = self else {
            return None;
        };
        let LocalPlace {
            function,
            within,
            pond,
        } = place;
        let name = Name {
            function,
            key: key.settled()?,
        };
        let value = in_scope(pond, |local| local.get(name, within))?;
        let returned = returned(value, &name, kind, form, pond)?;
        key.recycle();
        Some(returned)
    }
}

/// A value was found that the function cannot use.
#[cold]
#[inline(never)]
fn other_type(name: &impl Named, pond: Option<&Millpond>) {
    name.with_name(|name| {
        in_pond(pond, |pond| {
            pond.0.cache.local.was_no_hit(name);
            None::<()>
        })
    });
}

/// A call was answered by what is kept, and its caller wants to know.
#[cold]
#[inline(never)]
fn report_hit(name: &impl Named, pond: Option<&Millpond>, is_null: bool) {
    let known = name.with_name(|name| in_pond(pond, |pond| pond.0.cache.local.known(name)));
    let age = known.map(|known| known.age);
    let (_, reporting) = call_mode::take();
    reporting.say(|| CallStatus::found(is_null, Tier::Local, age));
}

fn in_pond<T>(pond: Option<&Millpond>, get: impl Fn(&Millpond) -> Option<T>) -> Option<T> {
    match pond {
        Some(pond) => get(pond),
        None => scope::with_current(get),
    }
}
