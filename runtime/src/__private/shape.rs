//! The return type of a function, taken apart by traits: aliases of `Result` behave, and no
//! type is guessed by its spelling.

use crate::cache::flight::SharedError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

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

/// A return type, split into success and failure.
pub trait Outcome: Copy {
    /// The return type as written.
    type Return;
    /// The success value.
    type Value;
    /// The error; `Infallible` where there is none.
    type Error;

    /// The success value, or the error.
    fn split(self, returned: Self::Return) -> Result<Self::Value, Self::Error>;
    /// The success value as the function returns it.
    fn success(self, value: Self::Value) -> Self::Return;
    /// The error as the function returns it.
    fn failure(self, error: Self::Error) -> Self::Return;
}

/// A return type that can be cached.
#[diagnostic::on_unimplemented(
    message = "a `Result` inside an `Option` or another `Result` cannot be cached",
    label = "transpose it: return `Result<Option<T>, E>`"
)]
pub trait Shape: Outcome {
    /// A copy of the error for other callers, where it can be copied.
    fn share(self, error: &Self::Error) -> Option<SharedError>;
    /// The function's own error, from another caller's.
    fn take(self, error: &SharedError) -> Option<Self::Error>;
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident<$($param:ident),+>;)*) => {
        $(
            $(#[$doc])*
            pub struct $name<$($param),+>(PhantomData<fn() -> ($($param,)+)>);

            impl<$($param),+> $name<$($param),+> {
                pub(crate) const fn new() -> Self {
                    Self(PhantomData)
                }
            }

            impl<$($param),+> Clone for $name<$($param),+> {
                fn clone(&self) -> Self {
                    *self
                }
            }

            impl<$($param),+> Copy for $name<$($param),+> {}

            impl<$($param),+> std::fmt::Debug for $name<$($param),+> {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(stringify!($name))
                }
            }
        )*
    };
}

shapes! {
    /// Returns the value itself.
    Plain<T>;
    /// Returns a `Result`.
    Fallible<T, E>;
    /// Returns a `Result` whose error can be cloned for other callers.
    Shared<T, E>;
    /// Returns something that must be transposed.
    Nested<T>;
}

impl<T> Outcome for Plain<T> {
    type Return = T;
    type Value = T;
    type Error = Infallible;

    fn split(self, returned: T) -> Result<T, Infallible> {
        Ok(returned)
    }

    fn success(self, value: T) -> T {
        value
    }

    fn failure(self, error: Infallible) -> T {
        match error {}
    }
}

impl<T> Shape for Plain<T> {
    fn share(self, error: &Infallible) -> Option<SharedError> {
        match *error {}
    }

    fn take(self, _error: &SharedError) -> Option<Infallible> {
        None
    }
}

macro_rules! results {
    ($($name:ident),*) => {
        $(impl<T, E> Outcome for $name<T, E> {
            type Return = Result<T, E>;
            type Value = T;
            type Error = E;

            fn split(self, returned: Result<T, E>) -> Result<T, E> {
                returned
            }

            fn success(self, value: T) -> Result<T, E> {
                Ok(value)
            }

            fn failure(self, error: E) -> Result<T, E> {
                Err(error)
            }
        })*
    };
}

results!(Fallible, Shared);

impl<T, E> Shape for Fallible<T, E> {
    fn share(self, _error: &E) -> Option<SharedError> {
        None
    }

    fn take(self, _error: &SharedError) -> Option<E> {
        None
    }
}

impl<T, E: Clone + Send + 'static> Shape for Shared<T, E> {
    fn share(self, error: &E) -> Option<SharedError> {
        Some(Arc::new(Mutex::new(error.clone())))
    }

    fn take(self, error: &SharedError) -> Option<E> {
        error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .downcast_ref()
            .cloned()
    }
}

impl<T> Outcome for Nested<T> {
    type Return = T;
    type Value = T;
    type Error = Infallible;

    fn split(self, returned: T) -> Result<T, Infallible> {
        Ok(returned)
    }

    fn success(self, value: T) -> T {
        value
    }

    fn failure(self, error: Infallible) -> T {
        match error {}
    }
}

/// Stands for a return type; the methods of [`probe`] tell its shape.
pub struct Probe<R>(PhantomData<fn() -> R>);

impl<R> Probe<R> {
    /// The probe of `R`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for Probe<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> std::fmt::Debug for Probe<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Probe")
    }
}

/// One trait a shape, told apart by how many references the probe stands behind: `&&&&probe` finds
/// the first of them that fits.
pub mod probe {
    use super::{Fallible, Nested, Plain, Probe, Shared};

    /// `Option<Result>`, `Result<Result>`.
    pub trait ViaNested {
        /// What it is.
        type Shape;
        /// The shape.
        fn shape(&self) -> Self::Shape;
        /// The shape, errors never shared.
        fn shape_unshared(&self) -> Self::Shape;
    }

    macro_rules! nested {
        ($([$($param:ident),*] $type:ty;)*) => {
            $(impl<$($param),*> ViaNested for &&&Probe<$type> {
                type Shape = Nested<$type>;

                fn shape(&self) -> Self::Shape {
                    Nested::new()
                }

                fn shape_unshared(&self) -> Self::Shape {
                    Nested::new()
                }
            })*
        };
    }

    nested! {
        [T, E] Option<Result<T, E>>;
        [T, E, F] Result<Result<T, E>, F>;
        [T, E, F] Result<Option<Result<T, E>>, F>;
    }

    /// A `Result` with an error that can be cloned.
    pub trait ViaShared {
        /// What it is.
        type Shape;
        /// The shape.
        fn shape(&self) -> Self::Shape;
    }

    impl<T, E: Clone + Send + 'static> ViaShared for &&Probe<Result<T, E>> {
        type Shape = Shared<T, E>;

        fn shape(&self) -> Self::Shape {
            Shared::new()
        }
    }

    /// Any other `Result`.
    pub trait ViaFallible {
        /// What it is.
        type Shape;
        /// The shape.
        fn shape(&self) -> Self::Shape;
        /// The shape, errors never shared.
        fn shape_unshared(&self) -> Self::Shape;
        /// The shape of a function that is not cached.
        fn outcome(&self) -> Self::Shape;
    }

    impl<T, E> ViaFallible for &Probe<Result<T, E>> {
        type Shape = Fallible<T, E>;

        fn shape(&self) -> Self::Shape {
            Fallible::new()
        }

        fn shape_unshared(&self) -> Self::Shape {
            Fallible::new()
        }

        fn outcome(&self) -> Self::Shape {
            Fallible::new()
        }
    }

    /// Anything else.
    pub trait ViaPlain {
        /// What it is.
        type Shape;
        /// The shape.
        fn shape(&self) -> Self::Shape;
        /// The shape, errors never shared.
        fn shape_unshared(&self) -> Self::Shape;
        /// The shape of a function that is not cached.
        fn outcome(&self) -> Self::Shape;
    }

    impl<T> ViaPlain for Probe<T> {
        type Shape = Plain<T>;

        fn shape(&self) -> Self::Shape {
            Plain::new()
        }

        fn shape_unshared(&self) -> Self::Shape {
            Plain::new()
        }

        fn outcome(&self) -> Self::Shape {
            Plain::new()
        }
    }
}
