//! What a function returns, taken apart: the value that is cached and the error that is not.

use std::convert::Infallible;
use std::marker::PhantomData;

/// A return type, split into success and failure.
pub trait ReturnKind: Copy {
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

macro_rules! kinds {
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

kinds! {
    /// Returns the value itself.
    Plain<T>;
    /// Returns a `Result` whose error stays with the caller.
    Fallible<T, E>;
    /// Returns a `Result` whose error can be cloned for other callers.
    Shareable<T, E>;
    /// Returns a `Result` whose error can be cloned for other callers and says what caused it.
    Sourced<T, E>;
    /// Returns something that must be transposed.
    Nested<T>;
}

impl<T> ReturnKind for Plain<T> {
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

macro_rules! results {
    ($($name:ident),*) => {
        $(impl<T, E> ReturnKind for $name<T, E> {
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

results!(Fallible, Shareable, Sourced);
