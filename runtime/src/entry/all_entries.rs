//! Every entry of one function.

use super::invalidation::Invalidation;
use crate::cache::Cache;
use crate::client::delivery::Invalidated;
use crate::key::Tag;
use std::fmt;
use std::sync::Arc;

/// Every entry of a cached function with the option `all`, whatever its arguments: what `get_user_all(..)` beside a
/// method gives.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Millpond, cached};
///
/// struct Repo { pond: Millpond }
///
/// impl Repo {
///     #[cached(prefix = "user", key = "<id>", skip(self), on = self.pond, all)]
///     async fn get_user(&self, id: u64) -> u64 { id }
/// }
///
/// let repo = Repo { pond: Millpond::memory() };
/// repo.get_user(7).await;
/// repo.get_user_all().invalidate().await?;
/// repo.get_user(7).await;
/// assert_eq!(repo.pond.stats().cache.loads, 2);
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct AllEntries {
    pub(crate) cache: Arc<Cache>,
    pub(crate) tag: Tag,
    /// Whether processes keep them.
    pub(crate) is_near: bool,
}

impl AllEntries {
    /// As an invalidation names them.
    pub(crate) fn invalidated(&self) -> Invalidated {
        Invalidated::Tag {
            tag: self.tag.clone(),
            is_near: self.is_near,
        }
    }

    /// Invalidates all of them with one command. The future is `'static` and can be spawned.
    ///
    /// # Errors
    /// As [`ValueEntry::invalidate`](crate::ValueEntry::invalidate).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # millpond::Millpond::memory().scope(async {
    /// #[millpond::cached(prefix = "user", key = "<id>", all)]
    /// async fn get_user(id: u64) -> u64 { id }
    ///
    /// get_user::all_entries().invalidate().await?;          // or get_user::invalidate_all()
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub fn invalidate(&self) -> Invalidation {
        let (cache, target) = (Arc::clone(&self.cache), self.invalidated());
        Invalidation(Box::pin(async move {
            cache.client.invalidate_all([target]).await.map(drop)
        }))
    }
}

impl fmt::Debug for AllEntries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AllEntries").field(&self.tag).finish()
    }
}
