//! One cached value of one function: what its companion hands out.

mod all_entries;
mod invalidation;
mod local;
mod lookup;
mod put_as;
mod reference;

use crate::cache::ErasedNear;
use crate::error::Error;
use crate::explain::Explanation;
use crate::key::Key;
use crate::time_left::TimeLeft;
pub use all_entries::AllEntries;
pub use invalidation::Invalidation;
pub use local::{LocalEntries, LocalEntry, LocalExplanation, LocalInvalidation, LocalValueEntry};
pub(crate) use local::{LocalEntryRef, keep};
pub use lookup::Lookup;
pub use put_as::PutAs;
pub(crate) use reference::{EntryRef, ObservedAt};
use serde::de::DeserializeOwned;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

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
    near: Option<ErasedNear>,
    value: PhantomData<fn() -> T>,
}

impl<R> Entry<R> {
    pub(crate) fn new(reference: EntryRef) -> Self {
        Self(ValueEntry {
            reference,
            near: None,
            value: PhantomData,
        })
    }

    /// This process keeps the value, too.
    pub(crate) fn near(mut self, near: ErasedNear) -> Self {
        self.0.near = Some(near);
        self
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
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it is not a value of the function, and the errors of [any
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
            near: self.near,
            value: PhantomData,
        }
    }
}

impl<T, E> Entry<Result<T, E>> {
    /// The cached value, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) if it is not a value of the function, and the errors of [any
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
            near: self.near,
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
    /// How this process keeps the value, if it does.
    pub(crate) near: Option<ErasedNear>,
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
