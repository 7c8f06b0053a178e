//! Locks: one holder at a time, in any process, until it is done, gone, or too late.

mod guard;
mod held;
mod queue;

use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::key::{FENCE, FullKey, Key, beside};
use crate::random;
use crate::reply::int;
use crate::runtime::{self, BoxFuture};
use crate::store::command::{Command, Effect, Reply, Script};
use crate::ttl::lifetime;
use bytes::Bytes;
pub use guard::LockGuard;
use held::{HeldLock, LockOptions};
pub(crate) use queue::LockQueues;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How long after a lock was last taken its number is remembered, in ms: 30 days. After that, numbers go
/// on from the clock, so they still grow unless clocks differ by as much.
const NUMBER_LIFE: &str = "2592000000";

/// Pauses between two looks at a lock that is held.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A lock that is about to be taken; made by [`Millpond::lock`](crate::Millpond::lock). Awaited, it becomes a [`LockGuard`].
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
    client: Arc<Client>,
    queues: LockQueues,
    key: Key,
    ttl: Duration,
    patience: Duration,
    options: LockOptions,
}

impl Lock {
    pub(crate) fn new(client: Arc<Client>, queues: LockQueues, key: Key, ttl: Duration) -> Self {
        Self {
            client,
            queues,
            key,
            ttl,
            patience: ttl,
            options: LockOptions::default(),
        }
    }

    /// How long to wait for another holder, or for a server that does not answer. Looks at the server come 25 ms apart at first and at most a
    /// second apart in the end, jittered; of the waiters in one process only one looks, and each once
    /// more when its time is up. They take turns; between processes nobody is next, and one whose waiters
    /// are many can keep the lock among them.
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

    /// Leaves the lock to run out `ttl` after it was taken, whether or not the holder is done.
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
        self.options.extended = false;
        self
    }

    /// How long one holder may have the lock in all: it is not extended beyond, so that work that hangs
    /// does not hang everybody. No bound by default.
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
        self.options.longest = Some(longest);
        self
    }

    /// Takes the lock if it is free now; one command, no waiting.
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
        let attempt = Attempt::new(&self)?;
        Ok(match attempt.make().await? {
            Look::Taken(guard) => Some(guard),
            Look::Held(_) => None,
        })
    }

    async fn acquire(self) -> Result<LockGuard, Error> {
        let start = runtime::now();
        let left = || self.patience.saturating_sub(start.elapsed());
        let name = self.client.name(&self.key);
        let queue = self.queues.of(&name);
        let _turn = queue.turn(left()).await;
        let mut pause = FIRST_PAUSE;
        loop {
            queue.looks();
            let (free_in, why) = match Attempt::new(&self)?.make().await {
                Ok(Look::Taken(guard)) => return Ok(guard),
                Ok(Look::Held(left)) => (left, None),
                // A server that does not answer now may well do so while there is patience.
                Err(error) if is_doubtful(&error) => (LONGEST_PAUSE, Some(error)),
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
                "somebody else held the lock for the {patience:?} that were waited; try again later"
            ),
        )
    }
}

impl IntoFuture for Lock {
    type Output = Result<LockGuard, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.acquire())
    }
}

fn without_timers() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "somebody else holds the lock, and this Tokio runtime has no timers to wait with; build it with \
         enable_all()",
    )
}

/// What came of one look.
enum Look {
    Taken(LockGuard),
    /// Somebody else has it, for that long unless it is extended.
    Held(Duration),
}

/// One try to take the lock. What it may have taken is given back when it is dropped half-way.
struct Attempt<'a> {
    lock: &'a Lock,
    full: FullKey,
    token: Bytes,
    /// The command, as long as its answer is out.
    sending: Option<Sending>,
}

/// A command under way.
type Sending = BoxFuture<Result<Reply, Error>>;

impl<'a> Attempt<'a> {
    fn new(lock: &'a Lock) -> Result<Self, Error> {
        lock.key.check()?;
        Ok(Self {
            lock,
            full: lock.client.full(&lock.key),
            token: random::nonce().into(),
            sending: None,
        })
    }

    async fn make(mut self) -> Result<Look, Error> {
        let Lock {
            client, key, ttl, ..
        } = self.lock;
        let number = beside(&client.name(key), FENCE);
        // Finer than a lock can change hands, so that numbers do not run ahead of the clock.
        let least = client.settings.clock.unix_us();
        let command = Command::script(
            Script::Lock,
            // With the same token: taking it twice is taking it once.
            Effect::Repeatable,
            [self.full.value.clone(), number.into()],
            [
                self.token.clone(),
                lifetime(self.lock.options.first(*ttl))?,
                least.to_string().into(),
                Bytes::from_static(NUMBER_LIFE.as_bytes()),
            ],
        );
        let sent = client.settings.clock.monotonic();
        let sending: Sending = {
            let (client, key, full) = (Arc::clone(client), key.clone(), self.full.clone());
            Box::pin(async move { client.on_key(&key, &full, command).await })
        };
        let reply = self.sending.insert(sending).as_mut().await;
        self.sending = None;
        // After an error of the server's own, nothing was taken.
        if matches!(&reply, Err(error) if is_doubtful(error)) {
            self.give_back(None);
        }
        let (taken, number) = match reply? {
            Reply::Array(parts) => match parts.as_slice() {
                [taken, number] => (int(taken)? == 1, int(number)?),
                _ => return Err(crate::reply::no_reply()),
            },
            _ => return Err(crate::reply::no_reply()),
        };
        if !taken {
            // A lock without a lifetime, which others may have made, answers less than 0.
            let left = u64::try_from(number).map_or(LONGEST_PAUSE, Duration::from_millis);
            return Ok(Look::Held(left.max(Duration::from_millis(1))));
        }
        let held = HeldLock::new(
            self.lock,
            self.full.clone(),
            self.token.clone(),
            number,
            sent,
        );
        Ok(Look::Taken(LockGuard::new(held)))
    }
}

fn is_doubtful(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Timeout
            | ErrorKind::Unavailable
            | ErrorKind::OutcomeUnknown
            | ErrorKind::Protocol
    )
}

impl Attempt<'_> {
    fn give_back(&self, sending: Option<Sending>) {
        let Lock {
            client,
            queues,
            key,
            ..
        } = self.lock;
        held::release_later(
            &runtime::RuntimeHandle::here(),
            client,
            queues,
            key,
            &self.full,
            &self.token,
            sending,
        );
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(sending) = self.sending.take() {
            self.give_back(Some(sending));
        }
    }
}
