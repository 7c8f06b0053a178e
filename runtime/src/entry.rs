//! One cached value of one function: what its companion hands out.

mod lookup;
mod put_as;

use crate::cache::{self, Cache, Policy};
use crate::client::guard;
use crate::error::{Error, ErrorKind};
use crate::explain::Explanation;
use crate::key::Key;
use crate::reply;
use crate::runtime::BoxFuture;
use crate::time_left::TimeLeft;
use crate::value;
use bytes::Bytes;
pub use lookup::Lookup;
pub use put_as::PutAs;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// The cached value of an annotated function for given arguments. `R` is the return type of the function; if
/// that is `Result<T, E>`, the entry holds a `T`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Lookup, Millpond, cached};
///
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> Result<Option<String>, std::fmt::Error> {
///     Ok(Some(format!("user {id}")))
/// }
///
/// # Millpond::memory().scope(async {
/// let entry = get_user::entry(7);
/// assert_eq!(entry.key().as_str(), "user:7");
/// assert_eq!(entry.get().await?, Lookup::Miss);
/// entry.put("Ada").await?;
/// assert_eq!(get_user(7).await.unwrap().as_deref(), Some("Ada"));
/// entry.invalidate().await?;
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
pub struct Entry<R>(ValueEntry<R>);

/// The entry of a function whose return type is the value itself. [`Entry`] derefs to it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use millpond::{Lookup, Millpond, cached};
///
/// #[cached(prefix = "answer")]
/// async fn answer() -> u32 { 42 }
///
/// # Millpond::memory().scope(async {
/// answer().await;
/// assert_eq!(answer::entry().get().await?, Lookup::Hit(42));
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
pub struct ValueEntry<T> {
    reference: EntryRef,
    value: PhantomData<fn() -> T>,
}

/// An entry without its type.
#[derive(Clone, Debug)]
pub(crate) struct EntryRef {
    pub(crate) cache: Arc<Cache>,
    pub(crate) key: Key,
    pub(crate) policy: Policy,
}

impl EntryRef {
    async fn get<T: DeserializeOwned>(&self) -> Result<Lookup<T>, Error> {
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let encrypted = self.policy.encoding.encrypt;
        let Some(bytes) = self.cache.get_plain(&self.key, encrypted).await? else {
            return Ok(Lookup::Miss);
        };
        if value::is_null(&bytes) {
            counters.null_hits.add(1);
            return Ok(Lookup::Null);
        }
        match value::decode(&bytes) {
            Ok(value) => {
                counters.hits.add(1);
                Ok(Lookup::Hit(value))
            }
            Err(what) => {
                counters.decode_failures.add(1);
                let text = format!(
                    "what is stored under {} cannot be read ({what}); the next call of the function \
                     overwrites it",
                    self.key
                );
                Err(Error::new(ErrorKind::Decode, text))
            }
        }
    }

    /// See [`ValueEntry::invalidate`].
    pub(crate) fn invalidate(self) -> Invalidation {
        let Self { cache, key, .. } = self;
        Invalidation(Box::pin(async move {
            cache.invalidate_all([key]).await.map(drop)
        }))
    }

    pub(crate) async fn put(&self, plain: Bytes) -> Result<(), Error> {
        let Policy {
            ttl,
            null_ttl,
            encoding,
            ..
        } = self.policy;
        let ttl = if value::is_null(&plain) {
            null_ttl
        } else {
            Some(ttl)
        };
        match ttl {
            Some(ttl) => {
                let key = self.key.clone();
                self.cache.put_plain(key, plain, ttl, encoding).await
            }
            // A `None` that is not to be cached: nothing may stay that says otherwise.
            None => self
                .cache
                .invalidate_all([self.key.clone()])
                .await
                .map(drop),
        }
    }
}

/// What was there before a change, and when that was read.
pub(crate) struct ObservedAt {
    observed: guard::Observed,
    at: Duration,
}

impl EntryRef {
    /// Takes the guard before a change; nothing if it cannot be read.
    pub(crate) async fn observe(&self, within: Duration) -> Option<ObservedAt> {
        if within.is_zero() {
            return None;
        }
        self.key.check().ok()?;
        let at = self.cache.client.settings.clock.monotonic();
        let full = self.cache.client.full(&self.key);
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let reply = self
            .cache
            .client
            .settled(&full, &counters, guard::read(&full), within)
            .await;
        let observed = reply
            .and_then(guard::observed)
            .inspect_err(|_| counters.errors.add(1))
            .ok()?;
        Some(ObservedAt { observed, at })
    }

    /// Stores the changed value if the guard is what it was; false if the key must be invalidated.
    pub(crate) async fn update(
        &self,
        plain: Option<Bytes>,
        before: Option<ObservedAt>,
        within: Duration,
    ) -> bool {
        let (Some(plain), Some(ObservedAt { observed, at })) = (plain, before) else {
            return false;
        };
        if within.is_zero() {
            return false;
        }
        let settings = &self.cache.client.settings;
        if settings.clock.monotonic().saturating_sub(at) > settings.guard_life / 2 {
            return false;
        }
        let ttl = if value::is_null(&plain) {
            self.policy.null_ttl
        } else {
            Some(self.policy.ttl)
        };
        let Some(Ok(life)) = ttl.map(crate::ttl::lifetime) else {
            return false;
        };
        let full = self.cache.client.full(&self.key);
        let counters = self.cache.client.registry.counters(self.key.prefix());
        let stored = match self
            .cache
            .client
            .codec
            .stored_form(&full, plain, self.policy.encoding)
        {
            Ok(stored) => stored,
            Err(error) => {
                cache::unstorable(&counters, &self.key, &error);
                return false;
            }
        };
        let command = guard::update(&full, &observed, stored, life, settings.guard_life);
        let reply = self
            .cache
            .client
            .settled(&full, &counters, command, within)
            .await;
        let stored = reply
            .and_then(|reply| reply::int(&reply))
            .is_ok_and(|stored| stored == 1);
        if stored {
            self.cache.flights.detach(&full.text());
            counters.stores.add(1);
        }
        stored
    }
}

impl<R> Entry<R> {
    pub(crate) fn new(reference: EntryRef) -> Self {
        Self(ValueEntry {
            reference,
            value: PhantomData,
        })
    }
}

impl<T> ValueEntry<T> {
    pub(crate) fn reference(&self) -> &EntryRef {
        &self.reference
    }

    /// The key, without the namespace of the cache.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// assert_eq!(answer::entry(1).key().as_str(), "answer:1");
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub fn key(&self) -> &Key {
        &self.reference.key
    }

    /// Removes the value, and prevents loads that are in progress from storing an older one, as
    /// [`Millpond::delete`](crate::Millpond::delete) does. The future is `'static` and can be spawned.
    ///
    /// # Errors
    /// The reason why it could not be delivered. It is then delivered in the background, and until it
    /// succeeds, this process ignores the server's value for the key.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// answer::entry(1).invalidate().await?;
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub fn invalidate(&self) -> Invalidation {
        self.reference.clone().invalidate()
    }

    /// Whether something is cached, including a `None`.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// assert!(!answer::entry(1).exists().await?);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn exists(&self) -> Result<bool, Error> {
        self.reference.cache.exists(&self.reference.key).await
    }

    /// The remaining lifetime of the value.
    ///
    /// # Errors
    /// The errors of [any command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// assert_eq!(answer::entry(1).ttl().await?, TimeLeft::Missing);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn ttl(&self) -> Result<TimeLeft, Error> {
        self.reference.cache.ttl(&self.reference.key).await
    }

    /// Says why the value is found or missed; see [`Millpond::explain`](crate::Millpond::explain).
    ///
    /// # Errors
    /// As [`Millpond::explain`](crate::Millpond::explain).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// println!("{}", answer::entry(1).explain().await?);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn explain(&self) -> Result<Explanation, Error> {
        self.reference.cache.explain(&self.reference.key).await
    }

    /// The cached value, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a value of the function, and the errors of [any
    /// command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// assert_eq!(answer::entry(1).get().await?, Lookup::Miss);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn get(&self) -> Result<Lookup<T>, Error>
    where
        T: DeserializeOwned,
    {
        self.reference.get().await
    }

    /// Stores a value as if the function had returned it: with its lifetime and its options.
    ///
    /// # Errors
    /// As [`Millpond::set`](crate::Millpond::set).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, TimeLeft, cached};
    /// #[cached(prefix = "answer", key = "<id>")]
    /// async fn answer(id: u64) -> u32 { 42 }
    ///
    /// # Millpond::memory().scope(async {
    /// answer::entry(1).put(&7).await?;
    /// assert_eq!(answer(1).await, 7);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn put<V: PutAs<T> + ?Sized>(&self, value: &V) -> Result<(), Error> {
        self.reference.put(value.plain_form()?).await
    }

    #[doc(hidden)]
    pub fn entry_ref(&self) -> TypedEntryRef<T> {
        TypedEntryRef {
            reference: self.reference.clone(),
            value: PhantomData,
        }
    }
}

impl<T, E> Entry<Result<T, E>> {
    /// The cached value, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`] if it is not a value of the function, and the errors of [any
    /// command](crate::ErrorKind).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, cached};
    /// #[cached(prefix = "name", key = "<id>")]
    /// async fn name(id: u64) -> Result<String, std::fmt::Error> { Ok(id.to_string()) }
    ///
    /// # Millpond::memory().scope(async {
    /// assert_eq!(name::entry(1).get().await?, Lookup::Miss);
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn get(&self) -> Result<Lookup<T>, Error>
    where
        T: DeserializeOwned,
    {
        self.reference.get().await
    }

    /// Stores a value as if the function had returned it: with its lifetime and its options.
    ///
    /// # Errors
    /// As [`Millpond::set`](crate::Millpond::set).
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use millpond::{Lookup, Millpond, cached};
    /// #[cached(prefix = "name", key = "<id>")]
    /// async fn name(id: u64) -> Result<String, std::fmt::Error> { Ok(id.to_string()) }
    ///
    /// # Millpond::memory().scope(async {
    /// name::entry(1).put("Ada").await?;
    /// assert_eq!(name(1).await.unwrap(), "Ada");
    /// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
    /// ```
    pub async fn put<V: PutAs<T> + ?Sized>(&self, value: &V) -> Result<(), Error> {
        self.reference.put(value.plain_form()?).await
    }

    #[doc(hidden)]
    pub fn entry_ref(&self) -> TypedEntryRef<T> {
        TypedEntryRef {
            reference: self.reference.clone(),
            value: PhantomData,
        }
    }
}

impl<R> Deref for Entry<R> {
    type Target = ValueEntry<R>;

    fn deref(&self) -> &ValueEntry<R> {
        &self.0
    }
}

/// An entry of values of `T`, however the function returns them.
pub struct TypedEntryRef<T> {
    pub(crate) reference: EntryRef,
    value: PhantomData<fn() -> T>,
}

impl<R> fmt::Debug for Entry<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.reference.key).finish()
    }
}

impl<T> fmt::Debug for ValueEntry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueEntry")
            .field(&self.reference.key)
            .finish()
    }
}

impl<T> fmt::Debug for TypedEntryRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedEntryRef")
            .field(&self.reference.key)
            .finish()
    }
}

/// An invalidation. It does nothing until it is awaited or spawned.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # use millpond::{Millpond, cached};
/// #[cached(prefix = "user", key = "<id>")]
/// async fn get_user(id: u64) -> u64 { id }
///
/// # Millpond::memory().scope(async {
/// invalidate_user!(7).await?;
/// get_user::invalidate(7).await?;
/// # Ok::<_, millpond::Error>(()) }).await }).unwrap();
/// ```
#[must_use = "nothing is invalidated before it is awaited"]
pub struct Invalidation(BoxFuture<Result<(), Error>>);

impl Future for Invalidation {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invalidation")
    }
}
