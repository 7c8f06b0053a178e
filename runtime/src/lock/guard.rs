//! What a holder has in hand: it tells whether the lock is still held, and gives it back.

use super::held::HeldLock;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::runtime;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A lock that is held, from [`Millpond::lock`](crate::Millpond::lock). Dropping it releases the lock in the
/// background, on the current runtime or on the one where it was acquired. [`release`](Self::release) reports
/// the outcome.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # use millpond::Millpond;
/// # use std::time::Duration;
/// let pond = Millpond::memory();
/// let guard = pond.lock("lock:report", Duration::from_secs(30)).await?;
/// tokio::select! {
///     () = async { /* the work */ } => {}
///     () = guard.lost() => { /* stop: somebody else may have it now */ }
/// }
/// guard.release().await?;
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[must_use = "the lock is released when its guard is dropped"]
pub struct LockGuard {
    held: Arc<HeldLock>,
    /// Dropped with the guard, which ends the task that extends the lock.
    _alive: oneshot::Sender<()>,
    released: bool,
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("key", self.key())
            .field("fencing_token", &self.fencing_token())
            .field("held", &self.is_held())
            .finish_non_exhaustive()
    }
}

impl LockGuard {
    pub(super) fn new(held: HeldLock) -> Self {
        let held = Arc::new(held);
        let (alive, guard) = oneshot::channel();
        let kept = Arc::clone(&held);
        runtime::spawn_unawaited(async move { kept.keep(guard).await });
        Self {
            held,
            _alive: alive,
            released: false,
        }
    }

    /// The key, without the namespace of the cache.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let guard = Millpond::memory().lock("lock:report", ttl::SHORT).await?;
    /// assert_eq!(guard.key().as_str(), "lock:report");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn key(&self) -> &Key {
        self.held.key()
    }

    /// A number that is greater than that of every earlier holder of this lock. A resource that the lock
    /// protects can remember the greatest token that it has seen and refuse a smaller one, which comes from
    /// a holder that was paused and does not know that it lost the lock. Tokens are not consecutive.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// let first = pond.lock("lock:report", ttl::SHORT).await?;
    /// let token = first.fencing_token();
    /// first.release().await?;
    /// assert!(pond.lock("lock:report", ttl::SHORT).await?.fencing_token() > token);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn fencing_token(&self) -> u64 {
        self.held.number()
    }

    /// Whether the lock is still held, as far as this process knows without sending a command: it was not
    /// found to be lost, and its time has not run out by this process's clocks. Where the wall clock says
    /// that it has, as after a suspension, it is false until the lock has been extended.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// assert!(Millpond::memory().lock("lock:report", ttl::SHORT).await?.is_held());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Waits until the lock is lost: it expired, was acquired by somebody else, or could not be extended in
    /// time. Pending as long as the lock is held. A lost lock stays lost.
    ///
    /// # Cancel safety
    /// The future can be dropped, and the method called again.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// let guard = pond.lock("lock:report", ttl::SHORT).await?;
    /// pond.delete("lock:report").await?;   // by force
    /// assert!(guard.extend(ttl::SHORT).await.is_err());
    /// guard.lost().await;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn lost(&self) {
        self.held.lost().await;
    }

    /// Extends the lock to at least this lifetime from now, in addition to the automatic extension; for
    /// example before a step that cannot be interrupted. It never shortens the lifetime.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if it is no longer held, [`ErrorKind::InvalidValue`] for a lifetime of zero, and
    /// the errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let guard = Millpond::memory().lock("lock:report", ttl::SHORT).await?;
    /// guard.extend(ttl::LONG).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn extend(&self, ttl: Duration) -> Result<(), Error> {
        if self.held.extend(ttl).await? {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Locked,
            "the lock expired and is no longer held; stop, or acquire it again",
        ))
    }

    /// Releases the lock. Returns false if it was no longer held, and leaves it to its current holder. Also
    /// false if the first answer was lost and the retry found the lock released.
    ///
    /// # Errors
    /// What can go wrong on the way; the release is then retried in the background.
    ///
    /// # Cancel safety
    /// If the future is dropped, the lock is released in the background.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let guard = Millpond::memory().lock("lock:report", ttl::SHORT).await?;
    /// assert!(guard.release().await?);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn release(mut self) -> Result<bool, Error> {
        let released = self.held.release().await;
        self.released = released.is_ok();
        released
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.released {
            self.held.release_in_background();
        }
    }
}
