//! What a function returns, told by the compiler: aliases of `Result` behave, and no type is guessed by
//! its spelling.

use crate::cache::{Fallible, Nested, Plain, ReturnKind, Shareable, Sourced};
use crate::limit::RateLimited;
use std::marker::PhantomData;

/// Stands for a return type; the methods of [`kinds`] tell its kind.
pub struct ReturnType<R>(PhantomData<fn() -> R>);

impl<R> ReturnType<R> {
    /// The return type `R`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<R> Default for ReturnType<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> std::fmt::Debug for ReturnType<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReturnType")
    }
}

/// Holds `shares = path` to one type.
pub const fn same_value<V>(_: PhantomData<V>, _: PhantomData<V>) {}

/// What is cached of a return type.
pub const fn value_of<K: ReturnKind>(_: K) -> PhantomData<K::Value> {
    PhantomData
}

/// The name of what is cached of a return type.
#[cfg(feature = "catalogue")]
pub fn value_name<K: ReturnKind>(_: K) -> &'static str {
    std::any::type_name::<K::Value>()
}

/// One trait a kind, told apart by how many references the type stands behind: `&&&&&&type` finds
/// the first of them that fits.
pub mod kinds {
    pub use super::super::part::{ViaLackingPart, ViaSoundPart, ViaUnsizedPart, ViaWhole};
    pub use super::super::unless::{ViaReadable, ViaUnreadable};
    use super::{Fallible, Nested, Plain, RateLimited, ReturnType, Shareable, Sourced};
    use std::error::Error;

    /// `Option<Result>`, `Result<Result>`.
    pub trait ViaNested {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
        /// The kind, errors never shared.
        fn kind_unshared(&self) -> Self::Kind;
    }

    macro_rules! nested {
        ($([$($param:ident),*] $type:ty;)*) => {
            $(impl<$($param),*> ViaNested for &&&&&ReturnType<$type> {
                type Kind = Nested<$type>;

                fn kind(&self) -> Self::Kind {
                    Nested::new()
                }

                fn kind_unshared(&self) -> Self::Kind {
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

    /// A `Result` with an error that is made of a refusal: what one caller was refused for, another one
    /// may be allowed.
    pub trait ViaRefused {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
    }

    impl<T, E: From<RateLimited>> ViaRefused for &&&&ReturnType<Result<T, E>> {
        type Kind = Fallible<T, E>;

        fn kind(&self) -> Self::Kind {
            Fallible::new()
        }
    }

    /// A `Result` with an error that can be cloned, and that may have a refusal for its source.
    pub trait ViaSourced {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
    }

    impl<T, E: Error + Clone + Send + Unpin + 'static> ViaSourced for &&&ReturnType<Result<T, E>> {
        type Kind = Sourced<T, E>;

        fn kind(&self) -> Self::Kind {
            Sourced::new()
        }
    }

    /// A `Result` with an error that can be cloned.
    pub trait ViaShareable {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
    }

    impl<T, E: Clone + Send + Unpin + 'static> ViaShareable for &&ReturnType<Result<T, E>> {
        type Kind = Shareable<T, E>;

        fn kind(&self) -> Self::Kind {
            Shareable::new()
        }
    }

    /// Any other `Result`.
    pub trait ViaFallible {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
        /// The kind, errors never shared.
        fn kind_unshared(&self) -> Self::Kind;
        /// The kind of a function that is not cached.
        fn mutation_kind(&self) -> Self::Kind;
    }

    impl<T, E> ViaFallible for &ReturnType<Result<T, E>> {
        type Kind = Fallible<T, E>;

        fn kind(&self) -> Self::Kind {
            Fallible::new()
        }

        fn kind_unshared(&self) -> Self::Kind {
            Fallible::new()
        }

        fn mutation_kind(&self) -> Self::Kind {
            Fallible::new()
        }
    }

    /// Anything else.
    pub trait ViaPlain {
        /// What it is.
        type Kind;
        /// The kind.
        fn kind(&self) -> Self::Kind;
        /// The kind, errors never shared.
        fn kind_unshared(&self) -> Self::Kind;
        /// The kind of a function that is not cached.
        fn mutation_kind(&self) -> Self::Kind;
    }

    impl<T> ViaPlain for ReturnType<T> {
        type Kind = Plain<T>;

        fn kind(&self) -> Self::Kind {
            Plain::new()
        }

        fn kind_unshared(&self) -> Self::Kind {
            Plain::new()
        }

        fn mutation_kind(&self) -> Self::Kind {
            Plain::new()
        }
    }
}
