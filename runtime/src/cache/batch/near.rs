//! The local tier in front of a batch. It is reached through the entries of functions with `local = "5s"` alone, so that
//! a program without one does not contain it.

use crate::cache::keep::KEEPER;
use crate::cache::load::Keeper;
use crate::key::Key;
use crate::local::{Form, Local, Name, Value, Within};
use std::sync::Arc;

/// Gives the [`NearForm`] of a function without its type; nothing where its values cannot be kept.
pub(crate) type ErasedNear = fn() -> Option<Value>;

/// How this process keeps the values of one function, which are `S`s.
pub(crate) struct NearForm<S> {
    pub(crate) form: Form<S>,
    pub(crate) keeper: &'static Keeper,
    find: fn(&Local, Name<'_>, Within, Form<S>) -> Option<S>,
}

impl<S: 'static> NearForm<S> {
    /// For the entries of the function, which know the type only by what it returns.
    pub(crate) fn erased(form: Form<S>) -> Value {
        Arc::new(Self {
            form,
            keeper: &KEEPER,
            find: |local, name, within, form| local.get_as(name, within, form.restore),
        })
    }
}

impl<S> NearForm<S> {
    /// The value that is kept under this key, as a call of the function for one would find it.
    pub(crate) fn find(&self, local: &Local, key: &Key, within: Within) -> Option<S> {
        if key.is_broken() {
            return None;
        }
        (self.find)(local, Name::shared(key.as_str()), within, self.form)
    }
}
