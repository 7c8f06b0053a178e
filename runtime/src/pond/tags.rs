//! Tags by hand.

use super::Millpond;
use crate::client::delivery::Invalidated;
use crate::error::Error;
use crate::key::Tag;

impl Millpond {
    /// Invalidates every value that was stored under a tag, with one command. Loads under way in any process are not
    /// stored.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::Millpond;
    ///
    /// let pond = Millpond::memory();
    /// pond.invalidate_tag("org:7").await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn invalidate_tag(&self, tag: impl Into<Tag>) -> Result<(), Error> {
        let target = Invalidated::from(tag.into());
        self.0.client.invalidate_all([target]).await.map(drop)
    }
}
