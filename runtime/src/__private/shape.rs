//! The return type of a function, taken apart by traits: aliases of `Result` behave, and no
//! type is guessed by its spelling.

use crate::cache::flight::SharedError;
use crate::error::{Error, ErrorKind};
use crate::value;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
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

/// A shape that can be cached. It carries what needs the traits of the value, so that nothing further
/// on asks for them: where one is missing, that is one error, at [`cacheable`].
pub struct Cacheable<S: Outcome> {
    pub(super) shape: S,
    pub(super) decode: fn(&[u8]) -> Result<S::Value, String>,
    pub(super) plain_form: fn(&S::Value) -> Result<Bytes, Error>,
    pub(super) share: fn(&S::Error) -> Option<SharedError>,
    pub(super) take: fn(&SharedError) -> Option<S::Error>,
}

impl<S: Outcome> std::fmt::Debug for Cacheable<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cacheable")
    }
}

/// The shape, if it can be cached.
pub fn cacheable<S>(shape: S) -> Cacheable<S>
where
    S: Shape,
    S::Value: CacheValue,
{
    Cacheable {
        shape,
        decode: value::decode,
        plain_form,
        share: S::share,
        take: S::take,
    }
}

fn plain_form<T: CacheValue>(value: &T) -> Result<Bytes, Error> {
    let bytes = crate::value::plain_form(value)?;
    if cfg!(debug_assertions) {
        value::survives::<T>(&bytes).map_err(|what| Error::new(ErrorKind::Decode, what))?;
    }
    Ok(bytes)
}

/// A return type that can be cached.
#[diagnostic::on_unimplemented(
    message = "a `Result` inside an `Option` or another `Result` cannot be cached",
    label = "transpose it: return `Result<Option<T>, E>`"
)]
pub trait Shape: Outcome {
    /// A copy of the error for other callers, where it can be copied.
    fn share(error: &Self::Error) -> Option<SharedError>;
    /// The function's own error, from another caller's.
    fn take(error: &SharedError) -> Option<Self::Error>;
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
    fn share(error: &Infallible) -> Option<SharedError> {
        match *error {}
    }

    fn take(_error: &SharedError) -> Option<Infallible> {
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
    fn share(_error: &E) -> Option<SharedError> {
        None
    }

    fn take(_error: &SharedError) -> Option<E> {
        None
    }
}

impl<T, E: Clone + Send + 'static> Shape for Shared<T, E> {
    fn share(error: &E) -> Option<SharedError> {
        Some(Arc::new(Mutex::new(error.clone())))
    }

    fn take(error: &SharedError) -> Option<E> {
        error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .downcast_ref()
            .cloned()
    }
}

/// The value of a [`Nested`]: there is none. It has the traits of one, so that their absence is not
/// reported beside what is wrong.
#[derive(Debug, Serialize, Deserialize)]
pub enum Nothing {}

impl<T> Outcome for Nested<T> {
    type Return = T;
    type Value = Nothing;
    type Error = T;

    fn split(self, returned: T) -> Result<Nothing, T> {
        Err(returned)
    }

    fn success(self, value: Nothing) -> T {
        match value {}
    }

    fn failure(self, error: T) -> T {
        error
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
