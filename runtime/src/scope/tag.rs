//! A tag in the current cache.

use super::current;
use crate::client::delivery::Invalidated;
use crate::entry::Invalidation;
use crate::key::Tag;
use std::sync::Arc;

impl Tag {
    /// Invalidates every value that was stored under this tag, in the current cache:
    /// [`Millpond::invalidate_tag`](crate::Millpond::invalidate_tag) in another one.
    ///
    /// # Errors
    /// As [`Millpond::delete`](crate::Millpond::delete).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # millpond::Millpond::memory().scope(async {
    /// millpond::Tag::new("org:7").invalidate().await?;
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub fn invalidate(&self) -> Invalidation {
        let target = Invalidated::from(self.clone());
        let client = Arc::clone(&current().0.client);
        Invalidation(Box::pin(async move {
            client.invalidate_all([target]).await.map(drop)
        }))
    }
}
