//! A lock that was taken: extended while its guard lives, given back afterwards.

use super::{FIRST_PAUSE, Lock, Sending, is_doubtful};
use crate::error::{Error, ErrorKind};
use crate::key::{FullKey, Key};
use crate::pond::{Millpond, int};
use crate::rt;
use crate::store::command::{Command, Effect, Script};
use crate::values::lifetime;
use bytes::Bytes;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How often a release in the background is tried, over about ten seconds.
const RELEASES: u32 = 5;

/// How long a lock is to be held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) extended: bool,
    pub(super) longest: Option<Duration>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            extended: true,
            longest: None,
        }
    }
}

impl Terms {
    /// The first lifetime of the lock.
    pub(super) fn first(self, ttl: Duration) -> Duration {
        self.longest.map_or(ttl, |longest| ttl.min(longest))
    }
}

/// What the guard and the task that extends the lock have in common.
pub(super) struct Hold {
    pond: Millpond,
    key: Key,
    full: FullKey,
    token: Bytes,
    number: u64,
    ttl: Duration,
    terms: Terms,
    since: Duration,
    /// Until when the lock is certainly ours, by this process's clock.
    until: Mutex<Duration>,
    lost: watch::Sender<bool>,
    /// Where it was taken: its guard may go away on a thread that has no runtime.
    home: rt::Home,
}

impl Hold {
    /// `sent`: when the command left, by [`Clock::monotonic`](crate::rt::Clock::monotonic). The server
    /// counts from a later moment, so the lock is ours for as long by our own clock.
    pub(super) fn new(
        lock: &Lock,
        full: FullKey,
        token: Bytes,
        number: i64,
        sent: Duration,
    ) -> Self {
        Self {
            pond: lock.pond.clone(),
            key: lock.key.clone(),
            full,
            token,
            number: u64::try_from(number).unwrap_or(0),
            ttl: lock.ttl,
            terms: lock.terms,
            since: sent,
            until: Mutex::new(sent.saturating_add(sure(lock.terms.first(lock.ttl)))),
            lost: watch::Sender::new(false),
            home: rt::Home::here(),
        }
    }

    fn until(&self) -> MutexGuard<'_, Duration> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.pond.0.settings.clock.monotonic()
    }

    /// For how much longer it is.
    fn left(&self) -> Duration {
        self.until().saturating_sub(self.now())
    }

    fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    fn is_held(&self) -> bool {
        !self.is_lost() && !self.left().is_zero()
    }

    fn lose(&self) {
        self.lost.send_replace(true);
    }

    /// Runs a command if the lock still has our token: what it answered, or 0.
    async fn if_ours(&self, command: &[Bytes]) -> Result<i64, Error> {
        let command = if_ours(&self.full, &self.token, command);
        int(&self.pond.on_key(&self.key, &self.full, command).await?)
    }

    /// Gives the lock at least this lifetime from now; false if it is not ours any more.
    async fn extend(&self, ttl: Duration) -> Result<bool, Error> {
        let life = lifetime(ttl)?;
        if self.is_lost() {
            return Ok(false);
        }
        let sent = self.now();
        let command = Command::script(
            Script::Extend,
            Effect::Repeatable,
            [self.full.value.clone()],
            [self.token.clone(), life],
        );
        let ours = int(&self.pond.on_key(&self.key, &self.full, command).await?)? == 1;
        if ours {
            // Two extensions may be answered in another order than they ran, and neither takes
            // anything away.
            let mut until = self.until();
            *until = sent.saturating_add(sure(ttl)).max(*until);
        } else {
            self.lose();
        }
        Ok(ours)
    }

    /// The lifetime of the next extension; none where the holder may have the lock no longer.
    fn next_life(&self) -> Option<Duration> {
        let end = match self.terms.longest {
            _ if !self.terms.extended => return None,
            None => return Some(self.ttl),
            Some(longest) => self.since.saturating_add(longest),
        };
        let life = self.ttl.min(end.saturating_sub(self.now()));
        // More than what `sure` leaves out, or it would be extended again and again at the end.
        let worth = self.ttl / 50 + Duration::from_millis(2);
        (life > self.left() + worth).then_some(life)
    }

    /// How long the lock can do without an extension: until a third of its lifetime is over.
    fn ease(&self) -> Duration {
        self.left().saturating_sub(self.ttl / 3 * 2)
    }

    /// Extends the lock until the guard goes away or the lock does.
    async fn keep(&self, mut guard: oneshot::Receiver<()>) {
        let mut pause = self.ease();
        loop {
            let left = self.left();
            let pace = (self.ttl / 10).min(left);
            if rt::timeout(pause.max(pace), &mut guard).await.is_some() {
                return;
            }
            let left = self.left();
            if left.is_zero() {
                // Whatever the server says: we could not be sure of it in between.
                self.lose();
                return;
            }
            pause = self.ease();
            if !pause.is_zero() {
                // It was extended by hand.
                continue;
            }
            let Some(life) = self.next_life() else {
                pause = left;
                continue;
            };
            match rt::timeout(left, self.extend(life)).await {
                Some(Ok(true)) => pause = self.ease(),
                Some(Ok(false)) => return,
                Some(Err(error)) => {
                    tracing::warn!(prefix = self.key.prefix(), %error, "a lock was not extended yet");
                }
                // Its time is up, which the next look finds.
                None => {}
            }
        }
    }
}

/// What of a lifetime can be counted on, since clocks do not run alike: all but 1 % and 2 ms.
fn sure(ttl: Duration) -> Duration {
    ttl.saturating_sub(ttl / 100 + Duration::from_millis(2))
}

fn if_ours(full: &FullKey, token: &Bytes, command: &[Bytes]) -> Command {
    let args = std::iter::once(token).chain(command).cloned();
    Command::script(
        Script::IfEqual,
        Effect::Repeatable,
        [full.value.clone()],
        args,
    )
}

/// Gives back in the background what may have been taken, or may yet be by a command that is under way:
/// it comes to its end first, lest it take the lock afterwards. Without a runtime it runs out by itself.
pub(super) fn release_later(
    home: &rt::Home,
    pond: &Millpond,
    key: &Key,
    full: &FullKey,
    token: &Bytes,
    sending: Option<Sending>,
) {
    let command = if_ours(full, token, &[Bytes::from_static(b"DEL")]);
    let (pond, key, full) = (pond.clone(), key.clone(), full.clone());
    let release = pond.0.queues.release();
    home.spawn(async move {
        let _release = release;
        if let Some(sending) = sending {
            let _ = sending.await;
        }
        let mut pause = FIRST_PAUSE;
        for left in (0..RELEASES).rev() {
            match pond.on_key(&key, &full, command.clone()).await {
                Err(error) if left > 0 && is_doubtful(&error) => {
                    rt::sleep(rt::jitter(pause)).await;
                    pause *= 4;
                }
                Err(error) => {
                    let prefix = key.prefix();
                    tracing::debug!(prefix, %error, "a lock was not released and runs out");
                    break;
                }
                Ok(_) => break,
            }
        }
        pond.0.queues.free(&pond.name(&key));
    });
}

/// A lock that is held, from [`Millpond::lock`]. Dropped, it is released in the background, on the runtime
/// where it was taken if there is none around; [`release`](Self::release) tells how that went.
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
    hold: Arc<Hold>,
    /// Dropped with the guard, which ends the task that extends the lock.
    _alive: oneshot::Sender<()>,
    released: bool,
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockGuard")
            .field("key", &self.hold.key)
            .field("number", &self.hold.number)
            .field("held", &self.is_held())
            .finish_non_exhaustive()
    }
}

impl LockGuard {
    pub(super) fn new(hold: Hold) -> Self {
        let hold = Arc::new(hold);
        let (alive, guard) = oneshot::channel();
        let kept = Arc::clone(&hold);
        rt::spawn(async move { kept.keep(guard).await });
        Self {
            hold,
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
        &self.hold.key
    }

    /// A number that is greater than that of every earlier holder of this lock (a fencing number). What
    /// the lock protects can keep the greatest it has seen and refuse a smaller one, which comes from a
    /// holder that was paused and does not know that it lost the lock. Numbers are not consecutive.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::{Millpond, ttl};
    /// let pond = Millpond::memory();
    /// let first = pond.lock("lock:report", ttl::SHORT).await?;
    /// let number = first.number();
    /// first.release().await?;
    /// assert!(pond.lock("lock:report", ttl::SHORT).await?.number() > number);
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn number(&self) -> u64 {
        self.hold.number
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
        self.hold.is_held()
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
        let mut lost = self.hold.lost.subscribe();
        // The sender lives as long as this guard.
        let mut told = pin!(async { drop(lost.wait_for(|lost| *lost).await) });
        loop {
            let left = self.hold.left();
            if left.is_zero() {
                // Nobody else may be there to see it: the runtime that extended the lock may be gone.
                self.hold.lose();
            }
            if rt::timeout(left, told.as_mut()).await.is_some() {
                return;
            }
        }
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
        if self.hold.extend(ttl).await? {
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
    /// What can go wrong on the way; the lock then runs out by itself.
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
        let released = self.hold.if_ours(&[Bytes::from_static(b"DEL")]).await;
        self.released = true;
        self.hold.lose();
        let Hold { pond, key, .. } = &*self.hold;
        pond.0.queues.free(&pond.name(key));
        Ok(released? == 1)
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        if !self.released {
            let Hold {
                pond,
                key,
                full,
                token,
                home,
                ..
            } = &*self.hold;
            self.hold.lose();
            release_later(home, pond, key, full, token, None);
        }
    }
}
