//! How an item of a batch becomes an argument of the function for one, and a body runs again.

use std::fmt;
use std::marker::PhantomData;

/// One item of a batch.
pub struct Item<'a, T>(pub &'a T);

impl<T> fmt::Debug for Item<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Item")
    }
}

/// An item that can be passed as an `A`.
#[diagnostic::on_unimplemented(
    message = "an item of this batch is not what the function for one takes, which is `{A}`",
    label = "write an expression that gives one; the name stands for a reference to the item",
    note = "an item is passed as it is, by reference, or as `&str`"
)]
pub trait PassAs<A> {
    #[doc(hidden)]
    fn pass_as(self) -> A;
}

impl<T> Item<'_, T> {
    /// The item, as the function takes it.
    pub fn pass<A>(self) -> A
    where
        Self: PassAs<A>,
    {
        self.pass_as()
    }
}

#[diagnostic::do_not_recommend]
impl<T: Clone> PassAs<T> for Item<'_, T> {
    fn pass_as(self) -> T {
        self.0.clone()
    }
}

#[diagnostic::do_not_recommend]
impl<'a, T> PassAs<&'a T> for Item<'a, T> {
    fn pass_as(self) -> &'a T {
        self.0
    }
}

#[diagnostic::do_not_recommend]
impl<'a> PassAs<&'a str> for Item<'a, String> {
    fn pass_as(self) -> &'a str {
        self.0
    }
}

/// Stands for the type of a body; `(&&again).again()` tells whether it can run more than once.
pub struct Again<F>(PhantomData<fn() -> F>);

impl<F> Again<F> {
    /// Of this body.
    pub const fn of(_: &F) -> Self {
        Self(PhantomData)
    }
}

impl<F> fmt::Debug for Again<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

/// What it holds can be cloned.
pub trait ViaClone<F> {
    #[doc(hidden)]
    fn again(&self) -> fn(&F) -> Option<F>;
}

impl<F: Clone> ViaClone<F> for &Again<F> {
    fn again(&self) -> fn(&F) -> Option<F> {
        |body| Some(body.clone())
    }
}

/// What it holds cannot be cloned.
pub trait ViaOnce<F> {
    #[doc(hidden)]
    fn again(&self) -> fn(&F) -> Option<F>;
}

impl<F> ViaOnce<F> for Again<F> {
    fn again(&self) -> fn(&F) -> Option<F> {
        |_| None
    }
}
