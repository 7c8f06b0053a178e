//! Locks: one holder at a time, in any process, until it is done, gone, or too late.

mod attempt;
mod guard;
mod held;
mod queue;
mod release;
mod target;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::random;
use crate::runtime::{self, BoxFuture};
use attempt::{Attempt, Look};
pub use guard::LockGuard;
pub(crate) use queue::LockQueues;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;
use target::{LockOptions, LockTarget};

/// Pauses between two looks at a lock that is held.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A lock that is about to be acquired, created by [`Millpond::lock`](crate::Millpond::lock). Awaiting it
/// gives a [`LockGuard`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use millpond::{ErrorKind, Millpond};
/// use std::time::Duration;
///
/// let pond = Millpond::memory();
/// let guard = pond.lock("lock:job:7", Duration::from_secs(30)).await?;
/// let second = pond.lock("lock:job:7", Duration::from_secs(30)).wait(Duration::from_millis(5)).await;
/// assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked);
/// guard.release().await?;
/// # Ok::<_, millpond::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is locked before it is awaited"]
pub struct Lock {
    target: LockTarget,
    patience: Duration,
}

impl Lock {
    pub(crate) fn new(client: Arc<Client>, queues: LockQueues, key: Key, ttl: Duration) -> Self {
        Self {
            target: LockTarget {
                client,
                queues,
                key,
                ttl,
                options: LockOptions::default(),
            },
            patience: ttl,
        }
    }

    /// How long to wait for another holder, or for a server that does not answer. The lock is checked every
    /// 25 ms at first and at most once a second later, with jitter. Of several waiters in one process, only
    /// one checks at a time, and each checks once more when its time is up. Waiters of one process take
    /// turns. There is no order between processes, so a process with many waiters can keep the lock to
    /// itself.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::Millpond;
    /// # use std::time::Duration;
    /// # let pond = Millpond::memory();
    /// let minute = Duration::from_secs(60);
    /// let guard = pond.lock("lock:report", minute).wait(Duration::from_secs(5)).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn wait(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Lets the lock expire `ttl` after it was acquired, even if the holder has not finished.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{ManualClock, Millpond};
    /// # use std::time::Duration;
    /// let clock = ManualClock::new();
    /// let pond = Millpond::builder().memory().clock(clock.clone()).build()?;
    /// let guard = pond.lock("lock:report", Duration::from_secs(30)).fixed().await?;
    /// clock.advance(Duration::from_secs(30));
    /// assert!(!guard.is_held());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn fixed(mut self) -> Self {
        self.target.options.extended = false;
        self
    }

    /// The longest time that one holder may keep the lock. It is not extended beyond that, so that work that
    /// hangs does not block everybody. Unlimited by default.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::Millpond;
    /// # use std::time::Duration;
    /// # let pond = Millpond::memory();
    /// let half_a_minute = Duration::from_secs(30);
    /// let guard = pond.lock("lock:report", half_a_minute).at_most(Duration::from_secs(600)).await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn at_most(mut self, longest: Duration) -> Self {
        self.target.options.longest = Some(longest);
        self
    }

    /// Acquires the lock if it is free now, with one command and without waiting.
    ///
    /// # Errors
    /// As [`Millpond::lock`](crate::Millpond::lock), without [`ErrorKind::Locked`].
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::Millpond;
    /// # use std::time::Duration;
    /// # let pond = Millpond::memory();
    /// let lock = pond.lock("lock:report", Duration::from_secs(30)).fixed();
    /// assert!(lock.try_lock().await?.is_some());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn try_lock(self) -> Result<Option<LockGuard>, Error> {
        let attempt = Attempt::new(&self.target)?;
        Ok(match attempt.make().await? {
            Look::Taken(guard) => Some(guard),
            Look::Held(_) => None,
        })
    }

    async fn acquire(self) -> Result<LockGuard, Error> {
        let start = runtime::now();
        let left = || self.patience.saturating_sub(start.elapsed());
        let name = self.target.client.name(&self.target.key);
        let queue = self.target.queues.of(&name);
        let _turn = queue.turn(left()).await;
        let mut pause = FIRST_PAUSE;
        loop {
            queue.looks();
            let (free_in, why) = match Attempt::new(&self.target)?.make().await {
                Ok(Look::Taken(guard)) => return Ok(guard),
                Ok(Look::Held(left)) => (left, None),
                // A server that does not answer now may well do so while there is patience.
                Err(error) if error.is_retryable() || error.may_have_run() => {
                    (LONGEST_PAUSE, Some(error))
                }
                Err(error) => return Err(error),
            };
            let left = left();
            if left.is_zero() {
                return Err(why.unwrap_or_else(|| self.refused()));
            }
            if !runtime::has_timers() {
                return Err(why.unwrap_or_else(without_timers));
            }
            let wait = random::jitter(pause).min(free_in).min(left);
            runtime::timeout(wait, queue.freed()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Lock {
    fn refused(&self) -> Error {
        let patience = self.patience;
        Error::new(
            ErrorKind::Locked,
            format!(
                "somebody else held the lock for the {patience:?} that this call waited; try again later"
            ),
        )
    }
}

impl IntoFuture for Lock {
    type Output = Result<LockGuard, Error>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.acquire())
    }
}

fn without_timers() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "somebody else holds the lock, and the system gives no thread to keep time with while it is waited \
         for",
    )
}
