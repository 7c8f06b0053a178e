//! What may be put into an entry.

use crate::error::Error;
use crate::value::plain_form;
use bytes::Bytes;
use serde::Serialize;

/// What an entry of `T` takes: a `T` or what it borrows as, and for an `Option<T>` also a `T`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # use millpond::{Millpond, cached};
/// #[cached(prefix = "name", key = "<id>")]
/// async fn name(id: u64) -> Option<String> { None }
///
/// # Millpond::memory().scope(async {
/// name::entry(1).put("Ada").await?;
/// name::entry(1).put(&"Ada".to_owned()).await?;
/// name::entry(1).put(&Some("Ada".to_owned())).await?;
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what the cached function stores, which is `{T}`",
    label = "expected a `{T}` to put into the cache",
    note = "the value must be the success value of the cached function"
)]
pub trait PutAs<T> {
    #[doc(hidden)]
    fn plain_form(&self) -> Result<Bytes, Error>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> PutAs<T> for T {
    fn plain_form(&self) -> Result<Bytes, Error> {
        plain_form(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Serialize> PutAs<Option<T>> for T {
    fn plain_form(&self) -> Result<Bytes, Error> {
        plain_form(self)
    }
}

macro_rules! borrowed_forms {
    ($([$($generics:tt)*] $borrowed:ty => $owned:ty),* $(,)?) => {
        $(
            #[diagnostic::do_not_recommend]
            impl<$($generics)*> PutAs<$owned> for $borrowed {
                fn plain_form(&self) -> Result<Bytes, Error> {
                    plain_form(self)
                }
            }

            #[diagnostic::do_not_recommend]
            impl<$($generics)*> PutAs<Option<$owned>> for $borrowed {
                fn plain_form(&self) -> Result<Bytes, Error> {
                    plain_form(self)
                }
            }
        )*
    };
}

borrowed_forms! {
    [] str => String,
    [T: Serialize] [T] => Vec<T>,
    [T: Serialize] T => std::sync::Arc<T>,
}
