//! A return type that can be cached, with the four functions that need to know it.

use super::flight::SharedError;
use super::return_kind::{Fallible, Nested, Plain, ReturnKind, Shareable};
use crate::local::Form;
use crate::sync;
use crate::value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// A value that can be cached.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be cached: it does not implement both `Serialize` and \
               `DeserializeOwned`",
    label = "not a value that can be stored and read back",
    note = "write `#[derive(serde::Serialize, serde::Deserialize)]` on it, and return owned data \
            (`String` instead of `&str`)"
)]
pub trait CacheValue: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> CacheValue for T {}

/// A return type that can be cached.
#[diagnostic::on_unimplemented(
    message = "a `Result` inside an `Option` or another `Result` cannot be cached",
    label = "transpose it: return `Result<Option<T>, E>`"
)]
pub trait CacheableKind: ReturnKind {
    /// A copy of the error for other callers, where it can be copied.
    fn share(error: &Self::Error) -> Option<SharedError>;
    /// The function's own error, from another caller's.
    fn take(error: &SharedError) -> Option<Self::Error>;
}

/// A return kind that can be cached. It carries what needs the traits of the value, so that nothing
/// further on asks for them: where one is missing, that is one error, at [`cacheable`].
pub struct Cacheable<K: ReturnKind> {
    pub(crate) kind: K,
    /// The name of the value's type, at the same address wherever a call asks for it.
    pub(crate) value_type: &'static str,
    pub(crate) read: value::Read<K::Value>,
    pub(super) write: value::Write<K::Value>,
    /// How this process keeps values, where it does.
    pub(super) keep: Option<value::Share<K::Value>>,
    pub(super) share: fn(&K::Error) -> Option<SharedError>,
    pub(super) take: fn(&SharedError) -> Option<K::Error>,
}

impl<K: ReturnKind> std::fmt::Debug for Cacheable<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cacheable")
    }
}

/// The kind, if it can be cached.
pub fn cacheable<K>(kind: K) -> Cacheable<K>
where
    K: CacheableKind,
    K::Value: CacheValue,
{
    Cacheable {
        kind,
        value_type: std::any::type_name::<K::Value>(),
        read: value::read,
        write: value::write,
        keep: None,
        share: K::share,
        take: K::take,
    }
}

impl<K: ReturnKind> Cacheable<K> {
    /// Kept in this process, too. The form is one of the value, or there is an error that blames a part of it, and no
    /// second one is to say so.
    #[must_use]
    pub fn kept<T: 'static>(mut self, form: Form<T>) -> Self
    where
        K::Value: 'static,
    {
        let keep: &dyn Any = &form.keep;
        self.keep = keep.downcast_ref().copied();
        self
    }
}

impl<T> CacheableKind for Plain<T> {
    fn share(error: &Infallible) -> Option<SharedError> {
        match *error {}
    }

    fn take(_error: &SharedError) -> Option<Infallible> {
        None
    }
}

impl<T, E> CacheableKind for Fallible<T, E> {
    fn share(_error: &E) -> Option<SharedError> {
        None
    }

    fn take(_error: &SharedError) -> Option<E> {
        None
    }
}

impl<T, E: Clone + Send + Unpin + 'static> CacheableKind for Shareable<T, E> {
    fn share(error: &E) -> Option<SharedError> {
        Some(Arc::new(Mutex::new(error.clone())))
    }

    fn take(error: &SharedError) -> Option<E> {
        sync::lock(error).downcast_ref().cloned()
    }
}

/// The value of a [`Nested`]: there is none. It has the traits of one, so that their absence is not
/// reported beside what is wrong.
#[derive(Debug, Serialize, Deserialize)]
pub enum NoValue {}

impl<T> ReturnKind for Nested<T> {
    type Return = T;
    type Value = NoValue;
    type Error = T;

    fn split(self, returned: T) -> Result<NoValue, T> {
        Err(returned)
    }

    fn success(self, value: NoValue) -> T {
        match value {}
    }

    fn failure(self, error: T) -> T {
        error
    }
}
