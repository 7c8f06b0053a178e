//! One value of a function with `local = "only"`: nothing is sent, so nothing has to be awaited.

mod explanation;
mod invalidation;

use super::Lookup;
use crate::cache::only::OnlyEntry;
use crate::key::Key;
use crate::local::{Form, Keep, Within};
use crate::time_left::TimeLeft;
pub use explanation::LocalExplanation;
pub use invalidation::{LocalEntries, LocalInvalidation};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// The value of a function with `local = "only"` for given arguments. `R` is the return type of the function; if that
/// is `Result<T, E>`, the entry holds a `T`. Nothing leaves the process, so no method has to be awaited.
///
/// ```
/// use millpond::{Lookup, cached};
///
/// #[cached(local = "only", key = "<id>")]
/// fn square(id: u64) -> Result<u64, std::fmt::Error> { Ok(id * id) }
///
/// let entry = square::entry(7);
/// assert_eq!(entry.key().as_str(), "square:7");
/// assert_eq!(entry.get(), Lookup::Miss);
/// square(7).unwrap();
/// assert_eq!(entry.get(), Lookup::Hit(49));
/// entry.put(50_u64);
/// assert_eq!(square(7), Ok(50));
/// entry.invalidate();
/// assert_eq!(square(7), Ok(49));
/// ```
pub struct LocalEntry<R>(LocalValueEntry<R>);

/// The entry of a function whose return type is the value itself. [`LocalEntry`] derefs to it.
///
/// ```
/// use millpond::{Lookup, cached};
///
/// #[cached(local = "only")]
/// fn answer() -> u32 { 42 }
///
/// answer();
/// assert_eq!(answer::entry().get(), Lookup::Hit(42));
/// ```
pub struct LocalValueEntry<T> {
    reference: LocalRef,
    value: PhantomData<fn() -> T>,
}

/// An entry without its type, and the [`Form`] of its values.
#[derive(Clone)]
struct LocalRef {
    entry: OnlyEntry,
    form: Arc<dyn Any + Send + Sync>,
}

impl LocalRef {
    fn form<T: 'static>(&self) -> Option<Form<T>> {
        self.form.downcast_ref().copied()
    }

    fn get<T: 'static>(&self) -> Lookup<T> {
        let Some(form) = self.form::<T>() else {
            return Lookup::Miss;
        };
        let entry = &self.entry;
        match entry
            .cache
            .local
            .get_as(entry.name(), Within::ANY, form.restore)
        {
            Some(value) if (form.is_null)(&value) => Lookup::Null,
            Some(value) => Lookup::Hit(value),
            None => Lookup::Miss,
        }
    }

    fn put<T: 'static>(&self, value: &T) {
        let Some(form) = self.form::<T>() else {
            return;
        };
        // What is loaded meanwhile is older, whatever it is.
        self.entry.invalidate();
        let sample = self.entry.sample();
        let _ = keep(&self.entry, sample, form, value);
    }
}

/// Keeps a value as if the function had returned it, and newer than what is being loaded; whether it did.
pub(crate) fn keep<T>(
    entry: &OnlyEntry,
    sample: crate::local::Sample,
    form: Form<T>,
    value: &T,
) -> bool {
    let settings = &entry.cache.client.settings;
    let own = || form.life.map(|life| life(value));
    let Some(life) = entry.policy().life((form.is_null)(value), own, settings) else {
        return false;
    };
    let keep = Keep {
        value: (form.keep)(value),
        life,
        bytes: (form.bytes)(value),
        prefix: entry.function.prefix,
    };
    let is_kept = entry.cache.local.replace(entry.name(), sample, keep);
    if is_kept {
        entry.cache.flights.detach(&entry.flight());
    }
    is_kept
}

impl<R> LocalEntry<R> {
    pub(crate) fn new<T: 'static>(entry: OnlyEntry, form: Form<T>) -> Self {
        Self(LocalValueEntry {
            reference: LocalRef {
                entry,
                form: Arc::new(form),
            },
            value: PhantomData,
        })
    }
}

impl<T> LocalValueEntry<T> {
    pub(crate) fn only(&self) -> &OnlyEntry {
        &self.reference.entry
    }

    /// The key. It is the function's own: another function with `local = "only"` has other entries, even under the
    /// same key.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// assert_eq!(answer::entry(1).key().as_str(), "answer:1");
    /// ```
    pub fn key(&self) -> &Key {
        &self.only().key
    }

    /// Removes the value, and prevents loads that are in progress from keeping an older one. It is gone when this
    /// returns; the result may be awaited, as that of other entries.
    ///
    /// ```
    /// # use millpond::{Lookup, cached};
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// answer(1);
    /// answer::entry(1).invalidate();
    /// assert_eq!(answer::entry(1).get(), Lookup::Miss);
    /// ```
    pub fn invalidate(&self) -> LocalInvalidation {
        LocalInvalidation::of(self.only())
    }

    /// Whether something is kept, including a `None`.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// assert!(!answer::entry(1).exists());
    /// ```
    pub fn exists(&self) -> bool {
        self.only().cache.local.known(self.only().name()).is_some()
    }

    /// The remaining lifetime of the value.
    ///
    /// ```
    /// # use millpond::{TimeLeft, cached};
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// assert_eq!(answer::entry(1).ttl(), TimeLeft::Missing);
    /// ```
    pub fn ttl(&self) -> TimeLeft {
        let known = self.only().cache.local.known(self.only().name());
        known.map_or(TimeLeft::Missing, |known| TimeLeft::Left(known.left))
    }

    /// Says why the value is found or missed, never what it is.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// assert!(answer::entry(1).explain().to_string().contains("nothing is kept"));
    /// ```
    pub fn explain(&self) -> LocalExplanation {
        LocalExplanation::of(self.only())
    }

    /// The value that is kept, if there is one.
    ///
    /// ```
    /// # use millpond::{Lookup, cached};
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// assert_eq!(answer::entry(1).get(), Lookup::Miss);
    /// ```
    pub fn get(&self) -> Lookup<T>
    where
        T: 'static,
    {
        self.reference.get()
    }

    /// Keeps a value as if the function had returned it: with its lifetime and its options.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>")]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// answer::entry(1).put(7_u32);
    /// assert_eq!(answer(1), 7);
    /// ```
    pub fn put(&self, value: impl Into<T>)
    where
        T: 'static,
    {
        self.reference.put::<T>(&value.into());
    }

    #[doc(hidden)]
    pub fn entry_ref(&self) -> LocalEntryRef<T> {
        LocalEntryRef {
            reference: self.reference.clone(),
            value: PhantomData,
        }
    }
}

impl<T: 'static, E> LocalEntry<Result<T, E>> {
    /// The value that is kept, if there is one.
    ///
    /// ```
    /// # use millpond::{Lookup, cached};
    /// #[cached(local = "only", key = "<id>")]
    /// fn name(id: u64) -> Result<String, std::fmt::Error> { Ok(id.to_string()) }
    ///
    /// assert_eq!(name::entry(1).get(), Lookup::Miss);
    /// ```
    pub fn get(&self) -> Lookup<T> {
        self.reference.get()
    }

    /// Keeps a value as if the function had returned it: with its lifetime and its options.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>")]
    /// fn name(id: u64) -> Result<String, std::fmt::Error> { Ok(id.to_string()) }
    ///
    /// name::entry(1).put("Ada");
    /// assert_eq!(name(1).unwrap(), "Ada");
    /// ```
    pub fn put(&self, value: impl Into<T>) {
        self.reference.put::<T>(&value.into());
    }

    #[doc(hidden)]
    pub fn entry_ref(&self) -> LocalEntryRef<T> {
        LocalEntryRef {
            reference: self.reference.clone(),
            value: PhantomData,
        }
    }
}

impl<R> Deref for LocalEntry<R> {
    type Target = LocalValueEntry<R>;

    fn deref(&self) -> &LocalValueEntry<R> {
        &self.0
    }
}

/// An entry of values of `T`, however the function returns them.
pub struct LocalEntryRef<T> {
    reference: LocalRef,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> LocalEntryRef<T> {
    pub(crate) fn into_parts(self) -> (OnlyEntry, Option<Form<T>>) {
        let form = self.reference.form();
        (self.reference.entry, form)
    }
}

macro_rules! shown {
    ($($name:ident)*) => {
        $(impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.reference.entry.key).finish()
            }
        })*
    };
}

shown!(LocalEntry LocalValueEntry LocalEntryRef);
