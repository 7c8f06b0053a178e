//! The handles that are made for a key, a limit or a kind of session.

use super::Millpond;
use crate::cache::Policy;
use crate::client::tags::Tags;
use crate::entry::{Entry, EntryRef};
use crate::error::Error;
use crate::explain::Explanation;
use crate::hash::Hash;
use crate::key::Key;
use crate::limit::{Limit, Limiter};
use crate::lock::{Lock, LockGuard};
use crate::session::Sessions;
use std::sync::Arc;
use std::time::Duration;

impl Millpond {
    /// Reports what a key holds and what this process knows about it, to find out why a stored value is not
    /// found. It sends one request of reading commands, which transfers at most the first kilobyte of the
    /// value.
    ///
    /// This version keeps no copies of values in the process beside the embedded engine, so there is
    /// none to look into.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey), and the errors of [any
    /// command](crate::ErrorKind).
    ///
    /// # Cancel safety
    /// Dropping the future has no effect.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Millpond, TimeLeft};
    ///
    /// let pond = Millpond::memory();
    /// let why = pond.explain("user:42").await?;
    /// assert!(!why.exists());
    /// assert_eq!(why.guard(), TimeLeft::Missing);   // nobody invalidated it lately
    /// println!("{why}");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn explain(&self, key: impl Into<Key>) -> Result<Explanation, Error> {
        self.0.cache.explain(key).await
    }

    /// The typed entry of a key, for values that no annotated function returns. It reads and writes what a
    /// function with `#[cached]` would.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use millpond::{Entry, Lookup, Millpond, key, prefix, ttl};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize)]
    /// struct Generation { url: String }
    ///
    /// fn generation(pond: &Millpond, id: &str) -> Entry<Generation> {
    ///     pond.entry(key!(prefix::GENERATION, "<id>"), ttl::EXTENDED)
    /// }
    ///
    /// let pond = Millpond::memory();
    /// let result = Generation { url: "https://example.com/1.png".to_owned() };
    /// generation(&pond, "a1").put(&result).await?;
    /// assert_eq!(generation(&pond, "a1").get().await?, Lookup::Hit(result));
    /// generation(&pond, "a1").invalidate().await?;
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn entry<T>(&self, key: impl Into<Key>, ttl: Duration) -> Entry<T> {
        Entry::new(EntryRef {
            cache: Arc::clone(&self.0.cache),
            key: key.into(),
            policy: Policy::by_hand(ttl),
            tags: Tags::default(),
            function: None,
        })
    }

    /// The hash under this key. Nothing is sent until one of its methods is awaited.
    ///
    /// ```
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// ```
    pub fn hash(&self, key: impl Into<Key>) -> Hash {
        Hash::new(Arc::clone(&self.0.cache), key.into())
    }

    /// A lock under this key, which one process at a time can hold. It is held until its guard is released or
    /// dropped, and is extended every third of `ttl` meanwhile. If its process dies or hangs, the lock
    /// expires `ttl` after the last extension. Awaiting it waits for at most `ttl`, unless
    /// [`wait`](Lock::wait) sets another time.
    ///
    /// A lock has a single holder as long as no holder is paused for longer than `ttl` (a process or a whole
    /// machine can be suspended) and as long as the server keeps its keys. A server that evicts keys, as the
    /// embedded engine does when it is full, or a failover that loses acknowledged writes, can give the lock
    /// to a second holder. Where that matters, pass [`LockGuard::fencing_token`] to the resource that the
    /// lock protects.
    ///
    /// A lock needs a Tokio runtime, whose tasks extend it. On the embedded engine, that runtime needs no
    /// timers. [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) says that the system had no thread
    /// to keep time with.
    ///
    /// # Errors
    /// When it is awaited: [`ErrorKind::Locked`](crate::ErrorKind::Locked) if somebody else held it all the
    /// time, [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a `ttl` of zero,
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the key holds something else, and the errors
    /// of [any command](crate::ErrorKind).
    ///
    /// # Cancel safety
    /// If the future is dropped while it waits, a lock that it may have acquired is released in the
    /// background.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use millpond::{Millpond, key};
    /// use std::time::Duration;
    ///
    /// let pond = Millpond::memory();
    /// let job_id = 7;
    /// let guard = pond.lock(key!("lock:job:<job_id>"), Duration::from_secs(30)).await?;
    /// // … the work …
    /// assert!(guard.release().await?, "it was ours to the end");
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub fn lock(&self, key: impl Into<Key>, ttl: Duration) -> Lock {
        let client = Arc::clone(&self.0.client);
        let queues = self.0.queues.current().as_ref().clone();
        Lock::new(client, queues, key.into(), ttl)
    }

    /// Acquires the lock if it is free now, with one command and without waiting. The same as
    /// [`lock`](Self::lock)`(key, ttl).`[`try_lock`](Lock::try_lock)`()`.
    ///
    /// # Errors
    /// As [`lock`](Self::lock), without [`ErrorKind::Locked`](crate::ErrorKind::Locked).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use millpond::Millpond;
    /// # use std::time::Duration;
    /// let pond = Millpond::memory();
    /// let guard = pond.try_lock("lock:report", Duration::from_secs(30)).await?;
    /// assert!(guard.is_some());
    /// assert!(pond.try_lock("lock:report", Duration::from_secs(30)).await?.is_none());
    /// # Ok::<_, millpond::Error>(()) }).unwrap();
    /// ```
    pub async fn try_lock(
        &self,
        key: impl Into<Key>,
        ttl: Duration,
    ) -> Result<Option<LockGuard>, Error> {
        self.lock(key, ttl).try_lock().await
    }

    /// Sessions that each hold a `T` and have this lifetime.
    ///
    /// ```
    /// use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<Vec<String>>(ttl::EXTENDED);
    /// ```
    pub fn sessions<T>(&self, ttl: Duration) -> Sessions<T> {
        Sessions::new(Arc::clone(&self.0.client), ttl)
    }

    /// A limiter that checks callers against this limit.
    ///
    /// ```
    /// use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::API);
    /// ```
    pub fn limiter(&self, limit: &Limit) -> Limiter {
        Limiter::new(Arc::clone(&self.0.limits), limit)
    }
}
