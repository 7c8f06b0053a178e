//! The handles that are made for a key, a limit or a kind of session.

use super::Millpond;
use crate::cache::Policy;
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
    /// Looks into a key and into what this process knows of it: for the question why a value that was
    /// stored is not found. One request of commands that only read, which changes nothing and
    /// delivers nothing; of the value, its first kilobyte at the most.
    ///
    /// This version keeps no copies of values in the process beside the embedded engine, so there is
    /// none to look into.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind::InvalidKey), and what can go wrong on the way.
    ///
    /// # Cancel safety
    /// Nothing is lost.
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

    /// The typed entry of a key, for values that no annotated function stands for: what a function under
    /// `#[cached]` would read and write there.
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
        })
    }

    /// The hash under this key. Nothing is sent before one of its methods is awaited.
    ///
    /// ```
    /// let prefs = millpond::Millpond::memory().hash("user:123:prefs");
    /// ```
    pub fn hash(&self, key: impl Into<Key>) -> Hash {
        Hash::new(Arc::clone(&self.0.cache), key.into())
    }

    /// A lock under this key, which any number of processes may want at once and one holds. It is held
    /// until its guard is released or dropped; meanwhile it is extended every third of `ttl`. A holder
    /// that dies, or hangs with its whole process, loses it `ttl` after the last extension. Awaited, it
    /// waits for `ttl` unless [`wait`](Lock::wait) says otherwise.
    ///
    /// A lock keeps two holders apart as long as no holder is paused for longer than `ttl`, its process or
    /// the whole machine (whose sleep its clock does not count), and as long as the server keeps what it
    /// has taken: one that evicts keys, as the embedded engine does when it is full, or a failover that
    /// loses acknowledged writes can give a lock to a second holder. Where that matters, hand
    /// [`LockGuard::fencing_token`] to what the lock protects.
    ///
    /// It needs a Tokio runtime, whose tasks extend it; on the embedded engine that runtime need not have
    /// timers. [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) says that the system had no thread
    /// to keep time with.
    ///
    /// # Errors
    /// Of awaiting it: [`ErrorKind::Locked`](crate::ErrorKind::Locked) when somebody else held it all the time,
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) for a `ttl` of zero, [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if the key holds something
    /// else, and what can go wrong on the way.
    ///
    /// # Cancel safety
    /// Dropped while it waits, it holds nothing: what may have been taken meanwhile is given back in the
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
        Lock::new(client, self.0.queues.clone(), key.into(), ttl)
    }

    /// Takes the lock if it is free now; one command, no waiting. The same as
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

    /// Sessions that hold a `T` each and live this long.
    ///
    /// ```
    /// use millpond::{Millpond, ttl};
    /// let sessions = Millpond::memory().sessions::<Vec<String>>(ttl::EXTENDED);
    /// ```
    pub fn sessions<T>(&self, ttl: Duration) -> Sessions<T> {
        Sessions::new(Arc::clone(&self.0.client), ttl)
    }

    /// Checks against this limit.
    ///
    /// ```
    /// use millpond::{Millpond, limit};
    /// let limiter = Millpond::memory().limiter(&limit::API);
    /// ```
    pub fn limiter(&self, limit: &Limit) -> Limiter {
        Limiter::new(Arc::clone(&self.0.limits), limit)
    }
}
