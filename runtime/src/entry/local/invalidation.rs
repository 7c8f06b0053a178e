//! The removal of what only this process keeps.

use crate::cache::Cache;
use crate::cache::only::OnlyEntry;
use crate::error::Error;
use crate::key::Tag;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A removal that has been carried out. Awaiting it does nothing more; it lets a function be written in the
/// same way whether its values are shared or not.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # use millpond::cached;
/// #[cached(local = "only", key = "<id>")]
/// async fn answer(id: u64) -> u32 { 42 }
///
/// answer::invalidate(1);
/// answer::invalidate(1).await?;
/// invalidate_answer!(1).await?;
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
pub struct LocalInvalidation(Ready<Result<(), Error>>);

impl LocalInvalidation {
    pub(crate) fn of(entry: &OnlyEntry) -> Self {
        entry.invalidate();
        Self(ready(entry.key.check()))
    }
}

impl Future for LocalInvalidation {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for LocalInvalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalInvalidation")
    }
}

/// Every entry of a function with `local = "only"` and `all`.
///
/// ```
/// use millpond::cached;
///
/// #[cached(local = "only", key = "<id>", all)]
/// fn answer(id: u64) -> u32 { 42 }
///
/// answer(1);
/// answer::all_entries().invalidate();                    // or answer::invalidate_all()
/// assert!(!answer::entry(1).exists());
/// ```
#[derive(Clone)]
pub struct LocalEntries {
    pub(crate) cache: Arc<Cache>,
    pub(crate) tag: Tag,
}

impl LocalEntries {
    /// Removes all of them.
    ///
    /// ```
    /// # use millpond::cached;
    /// #[cached(local = "only", key = "<id>", all)]
    /// fn answer(id: u64) -> u32 { 42 }
    ///
    /// answer(1);
    /// answer::all_entries().invalidate();
    /// assert!(!answer::entry(1).exists());
    /// ```
    pub fn invalidate(&self) -> LocalInvalidation {
        let tag = self.cache.client.tag_key(&self.tag);
        self.cache.local.move_tag(&tag.text());
        LocalInvalidation(ready(Ok(())))
    }
}

impl fmt::Debug for LocalEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalEntries").field(&self.tag).finish()
    }
}
