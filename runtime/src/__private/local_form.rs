//! How the values of a function are kept, told by the compiler: what is behind an `Arc` is kept as it is, so that
//! a hit clones that `Arc` and nothing else.

use crate::cache::{CacheableKind, NearForm, ReturnKind};
use crate::json::{self, Order};
use crate::local::{Form, Value};
use serde::Serialize;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A value that can be kept in this process.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in this process: it is not `Clone + Send + Sync + 'static`",
    label = "each hit clones the value, whichever thread it is on",
    note = "write `#[derive(Clone)]` on it, or return it behind an `Arc`; what is not `Send + Sync` cannot be kept"
)]
pub trait LocalValue: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> LocalValue for T {}

/// Stands for the values of a kind; the methods of [`forms`] tell how they are kept.
pub struct LocalType<T>(PhantomData<fn() -> T>);

impl<T> fmt::Debug for LocalType<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalType")
    }
}

/// The values of a kind, if they can be kept in this process.
pub fn local_type<K>(_: K) -> LocalType<K::Value>
where
    K: CacheableKind,
    K::Value: LocalValue,
{
    LocalType(PhantomData)
}

/// The same without asking; who cannot be kept is reported elsewhere.
pub fn any_local_type<K: ReturnKind>(_: K) -> LocalType<K::Value> {
    LocalType(PhantomData)
}

impl<T> Form<T> {
    /// Sized like this.
    #[must_use]
    pub fn sized(mut self, bytes: fn(&T) -> usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Living as long as the value says.
    #[must_use]
    pub fn living(mut self, life: fn(&T) -> Duration) -> Self {
        self.life = Some(life);
        self
    }
}

/// What is kept of a `None`.
struct Null;

/// The usual form: what is kept is a clone, and so is what is given back.
fn cloned<T: LocalValue>() -> Form<T> {
    Form {
        keep: |value| Arc::new(value.clone()),
        restore: |value| value.downcast_ref().cloned(),
        fits: |value| value.is::<T>(),
        is_null: |_| false,
        bytes: |_| size_of::<T>(),
        life: None,
    }
}

/// One trait a form, told apart by how many references the type stands behind: `&&&&type` finds the first of
/// them that fits.
pub mod forms {
    pub use super::erased::{ViaKept, ViaUnkept};
    pub use super::weights::{ViaJson, ViaPointer, ViaSize};
    use super::{Any, Arc, Form, LocalType, LocalValue, Null, cloned};

    macro_rules! forms {
        ($($(#[$doc:meta])* $name:ident: [$($bounds:tt)*] $type:ty => $value:ty, $form:expr;)*) => {
            $(
                $(#[$doc])*
                pub trait $name {
                    /// The value.
                    type Value;
                    /// How it is kept.
                    fn form(&self) -> Form<Self::Value>;
                }

                impl<$($bounds)*> $name for $type {
                    type Value = $value;

                    fn form(&self) -> Form<$value> {
                        $form
                    }
                }
            )*
        };
    }

    forms! {
        /// What is optional behind an `Arc`.
        ViaOptionalArc: [T: Any + Send + Sync] &&&&LocalType<Option<Arc<T>>> => Option<Arc<T>>, Form {
            keep: |value| match value {
                Some(value) => Arc::<T>::clone(value),
                None => Arc::new(Null),
            },
            restore: |value| match value.downcast() {
                Ok(value) => Some(Some(value)),
                Err(other) => other.is::<Null>().then_some(None),
            },
            fits: |value| value.is::<T>() || value.is::<Null>(),
            is_null: Option::is_none,
            bytes: |_| size_of::<T>(),
            life: None,
        };
        /// What is optional.
        ViaOptional: [T: LocalValue] &&&LocalType<Option<T>> => Option<T>, Form {
            is_null: Option::is_none,
            ..cloned()
        };
        /// What is behind an `Arc`.
        ViaArc: [T: Any + Send + Sync] &&LocalType<Arc<T>> => Arc<T>, Form {
            keep: |value| Arc::<T>::clone(value),
            restore: |value| value.downcast().ok(),
            fits: |value| value.is::<T>(),
            is_null: |_| false,
            bytes: |_| size_of::<T>(),
            life: None,
        };
        /// Anything else.
        ViaClone: [T: LocalValue] &LocalType<T> => T, cloned();
        /// What cannot be kept, which is reported elsewhere.
        ViaNothing: [T] LocalType<T> => T, Form {
            keep: |_| Arc::new(Null),
            restore: |_| None,
            fits: |_| false,
            is_null: |_| false,
            bytes: |_| 0,
            life: None,
        };
    }
}

/// About how many bytes a value takes, by the best that is known: `&&type` finds the first that fits.
mod weights {
    use super::{Arc, LocalType, Order, Serialize, json};

    /// What can be represented as JSON: its length.
    pub trait ViaJson {
        /// The value.
        type Value;
        /// How many bytes.
        fn bytes(&self) -> fn(&Self::Value) -> usize;
    }

    impl<T: Serialize> ViaJson for &&LocalType<T> {
        type Value = T;

        fn bytes(&self) -> fn(&T) -> usize {
            |value| json::write(value, Order::Declared).map_or(size_of::<T>(), |json| json.len())
        }
    }

    /// What is behind an `Arc`: its size, and that of what is behind it.
    pub trait ViaPointer {
        /// The value.
        type Value;
        /// How many bytes.
        fn bytes(&self) -> fn(&Self::Value) -> usize;
    }

    impl<T: ?Sized> ViaPointer for &LocalType<Arc<T>> {
        type Value = Arc<T>;

        fn bytes(&self) -> fn(&Arc<T>) -> usize {
            |value| size_of_val(&**value)
        }
    }

    /// Anything else: its own size.
    pub trait ViaSize {
        /// The value.
        type Value;
        /// How many bytes.
        fn bytes(&self) -> fn(&Self::Value) -> usize;
    }

    impl<T> ViaSize for LocalType<T> {
        type Value = T;

        fn bytes(&self) -> fn(&T) -> usize {
            |_| size_of::<T>()
        }
    }
}

/// The form without its type, for an entry: `&&type` finds the first that fits.
mod erased {
    use super::{Form, LocalType, LocalValue, NearForm, Value};

    /// What can be kept.
    pub trait ViaKept {
        /// The value.
        type Value;
        /// The form.
        fn erased(&self, form: Form<Self::Value>) -> Option<Value>;
    }

    impl<T: LocalValue> ViaKept for &LocalType<T> {
        type Value = T;

        fn erased(&self, form: Form<T>) -> Option<Value> {
            Some(NearForm::erased(form))
        }
    }

    /// What cannot be kept, which is reported elsewhere.
    pub trait ViaUnkept {
        /// The value.
        type Value;
        /// The form.
        fn erased(&self, form: Form<Self::Value>) -> Option<Value>;
    }

    impl<T> ViaUnkept for LocalType<T> {
        type Value = T;

        fn erased(&self, _form: Form<T>) -> Option<Value> {
            None
        }
    }
}
