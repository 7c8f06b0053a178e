//! Arguments of a body that may run in the background, where it owns what it uses.

use std::borrow::Borrow;

/// What may move to another thread, where there are threads.
#[cfg(not(target_arch = "wasm32"))]
mod threads {
    pub trait Moves: Send {}
    impl<T: Send + ?Sized> Moves for T {}
    pub trait Shared: Send + Sync {}
    impl<T: Send + Sync + ?Sized> Shared for T {}
}
#[cfg(target_arch = "wasm32")]
mod threads {
    pub trait Moves {}
    impl<T: ?Sized> Moves for T {}
    pub trait Shared {}
    impl<T: ?Sized> Shared for T {}
}

/// A borrowed argument of which the background can have a copy.
#[diagnostic::on_unimplemented(
    message = "a load in the background cannot have its own `{Self}`: it cannot be cloned, or does not move between \
               threads",
    label = "the background needs a copy of this",
    note = "derive `Clone` for it, take it by value, or take an `Arc` of it"
)]
pub trait CopiedArgument {
    /// What the background has.
    type Owned: Borrow<Self> + threads::Shared + 'static;
    /// Makes it.
    fn copied(&self) -> Self::Owned;
}

#[diagnostic::do_not_recommend]
impl<T: Clone + threads::Shared + 'static> CopiedArgument for T {
    type Owned = T;

    fn copied(&self) -> T {
        self.clone()
    }
}

// By name: behind `ToOwned` the compiler would speak of `Clone`, and not of what it is for.
macro_rules! unsized_arguments {
    ($([$($generics:tt)*] $unsized:ty;)*) => {
        $(#[diagnostic::do_not_recommend]
        impl<$($generics)*> CopiedArgument for $unsized {
            type Owned = <$unsized as ToOwned>::Owned;

            fn copied(&self) -> Self::Owned {
                self.to_owned()
            }
        })*
    };
}

unsized_arguments! {
    [] str;
    [T: Clone + threads::Shared + 'static] [T];
    [] std::path::Path;
    [] std::ffi::OsStr;
    [] std::ffi::CStr;
}

/// A copy of a borrowed argument. What it is, is left to be inferred: of a type that is written the compiler would say
/// once more, and in other words, why it cannot be.
pub struct OwnCopy<O>(O);

impl<O> OwnCopy<O> {
    /// As the body borrows it.
    pub fn lend<T: ?Sized>(&self) -> &T
    where
        O: Borrow<T>,
    {
        self.0.borrow()
    }
}

impl<O> std::fmt::Debug for OwnCopy<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnCopy")
    }
}

/// Makes it.
pub fn copied<T: CopiedArgument<Owned = O> + ?Sized, O>(argument: &T) -> OwnCopy<O> {
    OwnCopy(argument.copied())
}

/// An argument that the background takes.
#[diagnostic::on_unimplemented(
    message = "a load in the background cannot take a `{Self}`: it does not move between threads",
    label = "the background takes this",
    note = "use a type that is `Send`, such as `Arc` in the place of `Rc`"
)]
pub trait MovedArgument: 'static {}

#[diagnostic::do_not_recommend]
impl<T: threads::Moves + 'static> MovedArgument for T {}

/// An argument, moved.
pub fn moved<T: MovedArgument>(argument: T) -> T {
    argument
}
