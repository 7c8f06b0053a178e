//! What a holder has in hand: it tells whether the lock is still held, and gives it back.

use super::held::HeldLock;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::runtime;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A lock that is held, from [`Millpond::lock`](crate::Millpond::lock). Dropped, it is released in the
/// background, on the runtime where it was taken if there is none around; [`release`](Self::release) tells
/// how that went.
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
        runtime::spawn(async move { kept.keep(guard).await });
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

    /// Whether the lock is certainly held still, as far as this process can know without asking: it was
    /// not found lost, and its time by this process's clock is not up. No command is sent.
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

    /// Waits until the lock is lost: it ran out, was taken by somebody else, or could not be extended in
    /// time. Pending as long as it is held. What was lost once stays lost.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
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

    /// Gives the lock at least this lifetime from now, beside what happens by itself: before a step that
    /// cannot be interrupted, say. No extension takes away what an earlier one gave.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if it is not ours any more, [`ErrorKind::InvalidValue`] for a lifetime of zero,
    /// and what can go wrong on the way.
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
            "the lock ran out and is not ours any more; stop, or lock it anew",
        ))
    }

    /// Gives the lock back; false if it was not ours any more, and then it is left to whoever has it. Also
    /// false where the answer was lost and the second try found it given back.
    ///
    /// # Errors
    /// What can go wrong on the way; it is then tried again in the background.
    ///
    /// # Cancel safety
    /// Dropped half-way, it is released in the background.
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
