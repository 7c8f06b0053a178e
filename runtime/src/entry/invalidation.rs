//! An invalidation that has not been awaited yet.

use crate::error::Error;
use crate::runtime::BoxFuture;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An invalidation. It does nothing until it is awaited or spawned.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # use millpond::{Millpond, cached};
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> u64 { id }
///
/// # Millpond::memory().scope(async {
/// invalidate_user!(7).await?;
/// get_user::invalidate(7).await?;
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
#[must_use = "nothing is invalidated before it is awaited"]
pub struct Invalidation(pub(crate) BoxFuture<Result<(), Error>>);

impl Future for Invalidation {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalidation")
    }
}
